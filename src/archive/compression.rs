//! How an archive is compressed, and how hard.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How hard to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Chosen for each block while the archive is written: low where the encoders are the brake, high where the
    /// source or the sink is.
    Adaptive,
    /// The same for all blocks.
    Fixed(u32),
}

/// The container around the tar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// One gzip member, levels 1 to 9.
    Gzip(Level),
    /// Zstandard frames, levels 1 to 19.
    Zstd(Level),
    /// A plain tar.
    None,
}

impl Compression {
    /// The end of the archive's file name, without the leading dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Gzip(_) => "tar.gz",
            Self::Zstd(_) => "tar.zst",
            Self::None => "tar",
        }
    }

    pub(super) fn pace(self) -> Pace {
        match self {
            // zlib-rs at level 1 gives up a third of the size for little time: 2 is where adaptive levels start.
            // From ISA-L's level to zlib-rs's it is four times the time, not twice.
            Self::Gzip(level) => Pace::new(level, 2, 6, if cfg!(feature = "isal") { IDLE / 4.0 } else { IDLE }),
            Self::Zstd(level) => Pace::new(level, 1, 9, IDLE),
            Self::None => Pace::new(Level::Fixed(0), 0, 0, IDLE),
        }
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::Gzip(Level::Adaptive)
    }
}

/// Why a compression could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown compression {0:?}: expected gzip[:1-9], zstd[:1-19] or none")]
pub struct UnknownCompression(String);

impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownCompression(text.to_owned());
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        let level = |most: u32| match level {
            None => Ok(Level::Adaptive),
            Some(digits) => match digits.parse() {
                Ok(level) if (1..=most).contains(&level) => Ok(Level::Fixed(level)),
                _ => Err(unknown()),
            },
        };
        match name {
            "gzip" => Ok(Self::Gzip(level(9)?)),
            "zstd" => Ok(Self::Zstd(level(19)?)),
            "none" if level(0)? == Level::Adaptive => Ok(Self::None),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, level) = match self {
            Self::Gzip(level) => ("gzip", *level),
            Self::Zstd(level) => ("zstd", *level),
            Self::None => ("none", Level::Adaptive),
        };
        match level {
            Level::Adaptive => f.write_str(name),
            Level::Fixed(level) => write!(f, "{name}:{level}"),
        }
    }
}

/// Chooses the level of the next blocks from how busy the encoders were with the last ones.
///
/// The length of their queue would not do: on a machine that is full, encoders that work harder slow the server
/// and the dumper down, the queue stays empty, and the level would climb for ever. Time spent encoding against time
/// passed has no such loop, since a descheduled encoder counts as busy.
#[derive(Debug)]
pub(super) struct Pace {
    level: u32,
    least: u32,
    most: u32,
    /// Below which load the first level up is tried.
    first_up: f64,
}

/// Below which load a level up is tried.
///
/// It costs at most about twice the time, so from below an eighth: a source that is slow leaves the encoders that idle.
/// From below a quarter, as long as it was tried from there, they took the time of a server and a dumper that had both
/// cores busy (`docs/performance.md`).
const IDLE: f64 = 0.125;

impl Pace {
    fn new(level: Level, least: u32, most: u32, first_up: f64) -> Self {
        match level {
            Level::Adaptive => Self { level: least, least, most, first_up },
            Level::Fixed(level) => Self { level, least: level, most: level, first_up },
        }
    }

    pub fn level(&self) -> u32 {
        self.level
    }

    /// Takes in that all encoders together were busy for `busy`, of `available` that they had.
    pub fn observe(&mut self, busy: Duration, available: Duration) {
        let load = busy.as_secs_f64() / available.as_secs_f64().max(1e-9);
        if load > 0.8 {
            self.level = self.least;
        } else if load > 0.55 {
            self.level = self.level.saturating_sub(1).max(self.least);
        } else if load < if self.level == self.least { self.first_up } else { IDLE } {
            self.level = (self.level + 1).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for text in ["gzip", "gzip:1", "gzip:9", "zstd", "zstd:19", "none"] {
            assert_eq!(text.parse::<Compression>().expect(text).to_string(), text);
        }
        for text in
            ["", "gzip:", "gzip:0", "gzip:10", "gzip:-1", "gzip:6:6", "zstd:20", "none:1", "none:0", "Gzip", "xz"]
        {
            assert!(text.parse::<Compression>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn pace_follows_the_brake() {
        let second = Duration::from_secs(1);
        let mut pace = Compression::Gzip(Level::Adaptive).pace();
        assert_eq!(pace.level(), 2);
        for level in [3, 4, 5, 6, 6] {
            pace.observe(second / 40, second); // a slow source
            assert_eq!(pace.level(), level);
        }
        pace.observe(second / 3, second); // comfortable
        assert_eq!(pace.level(), 6);
        pace.observe(second * 6 / 10, second);
        assert_eq!(pace.level(), 5);
        pace.observe(second / 6, second); // what they took may be the source's
        assert_eq!(pace.level(), 5);
        pace.observe(second, second); // the encoders are the brake
        assert_eq!(pace.level(), 2);
        let mut fixed = Compression::Gzip(Level::Fixed(9)).pace();
        fixed.observe(second, second);
        fixed.observe(Duration::ZERO, second);
        assert_eq!(fixed.level(), 9);
        let mut none = Compression::None.pace();
        none.observe(second * 6 / 10, second); // a level below the least there is
        assert_eq!(none.level(), 0);
    }
}
