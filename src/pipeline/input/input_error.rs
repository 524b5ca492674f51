//! What is wrong with an archive, and the commands that help.

use std::io::{self, Read};
use std::path::Path;

use super::Input;
use super::found::Shape;
use crate::archive::{self, ArchiveError, ObjectStream, Reader, SharedObject};
use crate::engine::stray::Stray;
use crate::error::{Error, Kind};
use crate::hint::Hint;
use crate::invocation::quote_path;
use crate::pipeline::archive_error;
use crate::report::units;

/// At most so many dumps of an archive are named.
const MAX_NAMED: usize = 20;

impl Input {
    /// An archive that can't be read, and what can be done about this one.
    pub(crate) fn unread(&self, error: &ArchiveError) -> Error {
        let error = match error {
            ArchiveError::Behind { offset, member, .. } => {
                let what = format!("{} has something else behind its end", self.name());
                let hint = match member {
                    Some(member) => Hint::naming(
                        "unpack-by-hand",
                        format!("whoever wrote {member} added it: make the dump again, or unpack it by hand"),
                    ),
                    None => Hint::naming(
                        "take-what-stands-before",
                        format!("if that is no part of it, take what stands before: {}", self.first_bytes(*offset)),
                    ),
                };
                Error::new(Kind::Archive, what).why(error).hint(hint)
            }
            ArchiveError::LineEnds { .. } => {
                let what = format!("{} is not as its dump program wrote it", self.name());
                let lines = "sed 's/\\r$//'";
                let by_hand = match self.unpack() {
                    _ if self.name() == "-" => format!("... | {lines} | dbhaul restore -"),
                    None => format!("{lines} {} > fixed.sql", quote_path(self.path())),
                    Some(unpack) => format!("{unpack} | {lines} > fixed.sql"),
                };
                Error::new(Kind::Archive, what)
                    .why(error)
                    .hint(Hint::new("no-terminal-between", "make the dump again, with no terminal and no editor in between (docker exec and ssh without -t)"))
                    .hint(Hint::naming("take-carriage-returns-out", format!("if no carriage return in it matters, take all of them from the lines' ends: {by_hand}")))
            }
            ArchiveError::ReturnsAlone => {
                let feeds = "tr '\\r' '\\n'";
                let by_hand = match self.unpack() {
                    _ if self.name() == "-" => format!("... | {feeds} | dbhaul restore -"),
                    None => format!("{feeds} < {} > fixed.sql", quote_path(self.path())),
                    Some(unpack) => format!("{unpack} | {feeds} > fixed.sql"),
                };
                Error::new(Kind::Archive, format!("{} is not as its dump program wrote it", self.name()))
                    .why(error)
                    .why("an editor or a file transfer has put them there; to a server the whole file is one line, and its first remark never ends")
                    .hint(Hint::naming("returns-to-line-feeds", format!("put line feeds in their place: {by_hand}")))
            }
            ArchiveError::WideText { .. } => {
                let what = format!("{} may not be what its dump program wrote", self.name());
                Error::new(Kind::Archive, what)
                    .why(error)
                    .why("PowerShell's > reads what a program writes in the console's code page: other characters may have been changed")
                    .hint(Hint::new("let-program-write-file", "let the program write the file itself: pg_dump --file=FILE, mysqldump --result-file=FILE"))
                    .hint(Hint::new("accept-unproven-characters", "--accept-unproven takes it as it is, and counts these characters"))
            }
            _ => archive_error(self.name(), error),
        };
        self.or_through_a_terminal(error)
    }

    /// Of a file that is not whole: what a terminal did to it, if it did.
    pub(crate) fn or_through_a_terminal(&self, mut error: Error) -> Error {
        let went = |object| went_through_a_terminal(object).unwrap_or(false);
        if error.kind == Kind::Archive && self.shape().object().is_some_and(went) {
            error.hints = vec![Hint::new(
                "make-again-without-t",
                "it seems to have come through a terminal, which put a carriage return before every line feed in it (docker \
                 exec -t, ssh -t): make it again without -t",
            )];
        }
        error
    }

    /// The command that writes the first bytes of the file to another one.
    fn first_bytes(&self, count: u64) -> String {
        if self.name() == "-" {
            return format!("... | head -c {count} | dbhaul restore -");
        }
        let ending = self.path().extension().map_or(String::new(), |ending| format!(".{}", ending.to_string_lossy()));
        format!("head -c {count} {} > {}", quote_path(self.path()), quote_path(Path::new(&format!("first{ending}"))))
    }

    /// A dump that holds a line which is no SQL, and the command that takes it out.
    pub(crate) fn stray(&self, stray: &Stray) -> Error {
        let address = stray.address();
        let lines = if stray.count > 1 { "lines" } else { "line" };
        if stray.is_within {
            return Error::new(Kind::Archive, format!("{} holds what is no SQL, in line {address}", self.name()))
                .why(format!("in line {}: {}", stray.line, stray.text))
                .why("it is what a program said while it wrote the dump (2>&1), in the middle of a line of rows")
                .hint(Hint::new("keep-stderr-out", "dump again, and keep standard error out of the file"));
        }
        let take = match self.unpack() {
            _ if self.name() == "-" => format!("on the way: ... | sed '{address}d' | dbhaul restore -"),
            None => format!("sed -i '{address}d' {}", quote_path(self.path())),
            Some(unpack) => format!("{unpack} | sed '{address}d' > fixed.sql"),
        };
        Error::new(Kind::Archive, format!("{} holds what is no SQL: {lines} {address}", self.name()))
            .why(format!("line {}: {}", stray.line, stray.text))
            .why("no server takes that: a restore would stop there")
            .hint(Hint::naming(
                "take-line-out",
                format!("if it is what a program said while it wrote the dump (2>&1), take it out: {take}"),
            ))
    }

    /// The command that writes the dump's text to its stdout; none where it is a file.
    fn unpack(&self) -> Option<String> {
        let path = quote_path(self.path());
        let Shape::Foreign { object, member, packed, .. } = self.shape() else {
            return Some(format!("tar xOf {path} --wildcards '*/dump.sql'"));
        };
        let (container, content) = Reader::open(object).map(|reader| (reader.container(), reader.content())).ok()?;
        let member = quote_path(Path::new(member));
        let mut steps = match (container, content) {
            (archive::ContentKind::Zip, _) => vec![format!("unzip -p {path} {member}")],
            (archive::ContentKind::Lz4, archive::ContentKind::Tar) => {
                vec![format!("lz4 -dc {path}"), format!("tar xOf - {member}")]
            }
            (_, archive::ContentKind::Tar) => vec![format!("tar xOf {path} {member}")],
            _ => program(container).map(|program| format!("{program} -dc {path}")).into_iter().collect(),
        };
        steps.extend(program(*packed).map(|program| format!("{program} -dc")));
        if *packed == archive::ContentKind::Utf16 {
            let file = if steps.is_empty() { format!(" {path}") } else { String::new() };
            steps.push(format!("iconv -f UTF-16 -t UTF-8{file}"));
        }
        (!steps.is_empty()).then(|| steps.join(" | "))
    }
}

/// Whether a file that is no text has a carriage return before each of its line feeds. Of bytes that mean something else
/// one in 256 has.
fn went_through_a_terminal(object: &SharedObject) -> io::Result<bool> {
    let mut bytes = ObjectStream::new(object, 0);
    let (mut buffer, mut before, mut feeds) = (vec![0; 64 * 1024], 0, 0_u64);
    let mut first = true;
    loop {
        let read = bytes.read(&mut buffer)?;
        if read == 0 {
            return Ok(feeds > 0);
        }
        if std::mem::take(&mut first) && is_text(archive::sniff(&buffer[..read.min(archive::SNIFF)])) {
            return Ok(false);
        }
        for &byte in &buffer[..read] {
            if byte == b'\n' {
                if before != b'\r' {
                    return Ok(false);
                }
                feeds += 1;
            }
            before = byte;
        }
    }
}

fn is_text(kind: archive::ContentKind) -> bool {
    matches!(kind, archive::ContentKind::Sql | archive::ContentKind::Text | archive::ContentKind::Utf16)
}

/// What decompresses such a file.
fn program(kind: archive::ContentKind) -> Option<&'static str> {
    match kind {
        archive::ContentKind::Gzip => Some("gzip"),
        archive::ContentKind::Zstd => Some("zstd"),
        archive::ContentKind::Bzip2 => Some("bzip2"),
        archive::ContentKind::Xz => Some("xz"),
        archive::ContentKind::Lz4 => Some("lz4"),
        _ => None,
    }
}

/// One name twice: a newer file was appended (`tar -r`). Whoever unpacks it gets the last.
fn twice(name: &str, path: &str) -> Error {
    let is_zip = Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
    let unpack = if is_zip { "unzip -o" } else { "tar -xf" };
    let command = format!("{unpack} {} {}", quote_path(Path::new(name)), quote_path(Path::new(path)));
    Error::new(Kind::Archive, format!("{name} holds {path} more than once, and one of them is restored"))
        .why("a file that is appended to an archive (tar -r) stands beside the older one of its name")
        .hint(Hint::naming(
            "last-of-a-name",
            format!("the last of them is the newest, and unpacking leaves that one: {command}"),
        ))
}

/// Several dumps in an archive, or not the one that was asked for.
pub fn which_dump(name: &str, error: &ArchiveError) -> Option<Error> {
    let (error, dumps) = match error {
        ArchiveError::Twice { path } => return Some(twice(name, path)),
        ArchiveError::Several { dumps } => {
            let what = format!("{name} holds {} dumps, and one is restored at a time", dumps.len());
            (Error::new(Kind::Archive, what), dumps)
        }
        ArchiveError::NoMember { wanted, dumps } => {
            (Error::new(Kind::Usage, format!("{name} holds no dump that is called {wanted:?}")), dumps)
        }
        _ => return None,
    };
    let line = |(path, size): &(String, Option<u64>)| match size {
        Some(size) => format!("{path}, {}", units::size(*size)),
        None => path.clone(),
    };
    let more = dumps.len().saturating_sub(MAX_NAMED);
    let lines = dumps.iter().take(MAX_NAMED).map(line).chain((more > 0).then(|| format!("and {more} more")));
    let error = lines.fold(error, Error::why);
    Some(match dumps.first() {
        Some((path, _)) => error.hint(Hint::naming(
            "member-takes-one",
            format!("--member takes one of them: --member {}", quote_path(Path::new(path))),
        )),
        None => error,
    })
}
