//! Numbers as people read them; each has its unit.

use std::time::Duration;

/// `741 MB`: decimal units, three digits.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if value < 9.995 { format!("{value:.2} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// `0:03`, `1:02:03`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// `40 seconds`, `3 hours`: one number is enough.
#[must_use]
pub fn rough(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86400, "day"),
    };
    plural(number, unit)
}

/// `6,102,330`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 table`, `12 tables`.
#[must_use]
pub fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        assert_eq!(size(999), "999 bytes");
        assert_eq!(size(1_190_000_000), "1.19 GB");
        assert_eq!(size(741_000_000), "741 MB");
        assert_eq!(size(999_999), "1.00 MB");
        assert_eq!(duration(Duration::from_secs(3723)), "1:02:03");
        assert_eq!(duration(Duration::from_millis(3900)), "0:03");
        let rough = |seconds| rough(Duration::from_secs(seconds));
        assert_eq!([rough(1), rough(119), rough(120)], ["1 second", "119 seconds", "2 minutes"]);
        assert_eq!([rough(7199), rough(7200), rough(172_800)], ["119 minutes", "2 hours", "2 days"]);
        assert_eq!(count(6_102_330), "6,102,330");
        assert_eq!((plural(1, "table"), plural(0, "table")), ("1 table".into(), "0 tables".into()));
    }
}
