//! An archive as people hand it over: recognised by content, checked to its last byte, then read as a dump's stream.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use super::manifest::{disagreement, properties};
use super::spool::{Keeping, no_spool, spool, spool_for};
use super::target::UNCHANGED;
use super::watch::{Gauge, on_thread, shown, until_stopped};
use super::{Context, archive_error};
use crate::archive::{self, ArchiveError, Manifest, Reader, lane_of};
use crate::connection::Connection;
use crate::engine::stray::Stray;
use crate::engine::{self, Complete, Content, Filter, Format, Incomplete, Inspector, postgres};
use crate::error::{Error, Kind, Result};
use crate::invocation::quote_path;
use crate::leftovers::{self, SPOOL};
use crate::report::units;

/// An archive that was opened and recognised.
pub struct Input {
    name: String,
    path: PathBuf,
    shape: Shape,
    format: Format,
    /// Which file was opened first.
    first: Option<Identity>,
    /// A file that is the dump and nothing else.
    alone: Option<PathBuf>,
    /// What must outlive the reading and go away afterwards.
    spools: Vec<Spool>,
}

/// What holds the dump.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// An archive of ours, with its index.
    Ours,
    /// The first dump in somebody else's archive, or a bare dump.
    Foreign { member: String },
    /// The folder of a directory-format dump.
    Folder,
}

#[expect(dead_code, reason = "held for its end, which removes it")]
enum Spool {
    /// Its own lock is on it.
    File(NamedTempFile),
    /// With its lock.
    Folder(TempDir, File),
}

/// Which file it is, and which state of it: device, number, size, seconds and nanoseconds of the last change.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64, u64, i64, i64);

/// What a whole archive turned out to be.
pub struct Checked {
    /// What is in it.
    pub content: Content,
    /// The dump's size in bytes.
    pub bytes: u64,
    /// What it was checked against, for people.
    pub proof: String,
    /// What an archive of ours says of itself.
    pub manifest: Option<Manifest>,
}

impl Input {
    /// Opens a file, a folder, or `-`. Standard input is written to a temporary file first, since an archive is checked
    /// to its last byte before its first reaches the target.
    pub async fn open(context: &Context, argument: &str) -> Result<Self> {
        let mut spools = Vec::new();
        let path = if argument == "-" {
            let spool = spool(context, io::stdin(), "standard input").await?;
            let path = spool.path().to_owned();
            spools.push(Spool::File(spool));
            path
        } else {
            // A client that opens it must not take its name for an option.
            std::path::absolute(argument).unwrap_or_else(|_| PathBuf::from(argument))
        };
        let (name, first) = (argument.to_owned(), Identity::of(&path));
        let mut input = Self { name, path, shape: Shape::Ours, format: Format::PgCustom, first, alone: None, spools };
        input.recognise(context).await?;
        Ok(input)
    }

    /// The form of the dump.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Refuses a server of another family.
    pub fn check_family(&self, target: &Connection) -> Result<()> {
        let (ours, theirs) = (self.format.dialect(), target.dialect);
        if ours == theirs {
            return Ok(());
        }
        let what = format!("a {} dump can't be restored into a {} server", ours.name(), theirs.name());
        Err(Error::new(Kind::Refused, what)
            .why(format!("{}: {}", self.name, self.describe()))
            .why(target)
            .why(UNCHANGED)
            .hint("name the URI of a server of the same family"))
    }

    /// As it was named.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For people: `an archive of dbhaul's, PostgreSQL custom format`.
    pub fn describe(&self) -> String {
        let form = match self.format {
            Format::PgCustom => "PostgreSQL custom format",
            Format::PgDirectory => "PostgreSQL directory format",
            Format::PgTar => "PostgreSQL tar format",
            Format::PgPlain => "PostgreSQL SQL",
            Format::MysqlSql => "MySQL SQL",
        };
        match &self.shape {
            Shape::Ours => format!("an archive of dbhaul's, {form}"),
            Shape::Foreign { member } => format!("{member}, {form}"),
            Shape::Folder => format!("a folder, {form}"),
        }
    }

    async fn recognise(&mut self, context: &Context) -> Result<()> {
        if self.path.is_dir() {
            self.shape = Shape::Folder;
            self.format = Format::PgDirectory;
            if self.path.join("toc.dat").is_file() {
                return Ok(());
            }
            return Err(not_a_dump(&self.name, "a folder without the toc.dat of a directory-format dump"));
        }
        let path = self.path.clone();
        let found = until_stopped(context, on_thread(move || look_inside(&path))).await?;
        match found.map_err(|error| archive_error(&self.name, &error))? {
            Found::Dump { shape, format } => (self.shape, self.format) = (shape, format),
            Found::Directory => self.extract(context).await?,
        }
        Ok(())
    }

    /// `pg_restore` reads the directory format from a folder only.
    async fn extract(&mut self, context: &Context) -> Result<()> {
        let folder = tempfile::Builder::new().prefix(SPOOL).tempdir_in(&context.temp_dir);
        let folder = folder.map_err(|e| no_spool(context, &e))?;
        let lock = leftovers::hold_folder(folder.path()).map_err(|e| no_spool(context, &e))?;
        context.note(format!("the directory-format dump is extracted into {} first", folder.path().display()));
        let (from, to) = (self.path.clone(), folder.path().to_owned());
        let files = on_thread(move || Reader::open(&from).and_then(|reader| reader.extract_to(&to))).await?;
        let files = files.map_err(|error| archive_error(&self.name, &error))?;
        let toc = files.iter().find(|file| file.ends_with("toc.dat"));
        let inside = toc.and_then(|toc| toc.parent()).unwrap_or(Path::new(""));
        self.path = folder.path().join(inside);
        self.first = None;
        self.spools.push(Spool::Folder(folder, lock));
        (self.shape, self.format) = (Shape::Folder, Format::PgDirectory);
        Ok(())
    }

    /// Reads everything: checksums, structure, and the proof that the dump is complete. For `several_jobs` the dump stands
    /// in a file of its own afterwards, where its form has one, and passes the filter on its way there: each of them goes to
    /// places of its own in it.
    pub async fn check(
        &mut self,
        context: &Context,
        several_jobs: bool,
        filter: Option<Box<dyn Filter>>,
    ) -> Result<Checked> {
        let copy = if several_jobs { self.alone(context)? } else { None };
        let gauge = Gauge::about("checking");
        let (path, shape, format, meter) = (self.path.clone(), self.shape.clone(), self.format, gauge.clone());
        let copy = copy.map(|file| (file, filter));
        let checking = on_thread(move || check(&path, &shape, format, &meter, copy));
        let checked = until_stopped(context, shown(context, &gauge, checking)).await?;
        checked.map_err(|trouble| match trouble {
            Trouble::Archive(error) => archive_error(&self.name, &error),
            Trouble::Copy(error) => no_spool(context, &error),
            Trouble::Dump(incomplete) if incomplete.too_large => {
                Error::new(Kind::Archive, format!("{} is too large a dump to be checked", self.name)).why(incomplete)
            }
            Trouble::Dump(Incomplete { stray: Some(stray), .. }) => self.stray(&stray),
            Trouble::Dump(incomplete) => {
                Error::new(Kind::Archive, format!("{} does not hold a complete dump", self.name))
                    .why(incomplete)
                    .hint("make the dump again, or fetch the file again: it was cut or changed")
            }
            Trouble::Manifest(what) => {
                Error::new(Kind::Archive, format!("{} does not hold what its manifest says", self.name))
                    .why(what)
                    .hint("make the dump again: whoever wrote this archive changed the one or the other")
            }
        })
    }

    /// The dump's bytes. The stream ends well only when everything behind it was read and checked, too; with `parts`
    /// it is only these stretches of them, and nothing else is read that need not be.
    pub fn dump(&self, parts: Option<&[Range<u64>]>) -> Result<Box<dyn Read + Send>> {
        let stream = match (parts, &self.shape) {
            (None, shape) => dump_stream(&self.path, shape),
            (Some(parts), Shape::Ours) => archive::dump_parts(&self.path, parts).map(|dump| Box::new(dump) as _),
            (Some(parts), shape) => {
                dump_stream(&self.path, shape).map(|dump| Box::new(archive::stretches(dump, parts)) as _)
            }
        };
        let stream = stream.map_err(|error| archive_error(&self.name, &error))?;
        self.same_file()?;
        Ok(stream)
    }

    /// Refuses a file that took the place of the one that was checked, or that was written to since then: nobody has
    /// seen whether it fits.
    pub fn same_file(&self) -> Result<()> {
        if self.first.is_none() || self.first == Identity::of(&self.path) {
            return Ok(());
        }
        Err(Error::new(
            Kind::Archive,
            format!("{} is not the file that was checked: it was changed meanwhile", self.name),
        )
        .hint("start again when nobody writes there"))
    }

    /// A dump that holds a line which is no SQL, and the command that takes it out.
    fn stray(&self, stray: &Stray) -> Error {
        let address = stray.address();
        let lines = if stray.count > 1 { "lines" } else { "line" };
        let take = match self.unpack() {
            _ if self.name == "-" => format!("on the way: ... | sed '{address}d' | dbhaul restore -"),
            None => format!("sed -i '{address}d' {}", quote_path(&self.path)),
            Some(unpack) => format!("{unpack} | sed '{address}d' > fixed.sql"),
        };
        Error::new(Kind::Archive, format!("{} holds what is no SQL: {lines} {address}", self.name))
            .why(format!("line {}: {}", stray.line, stray.text))
            .why("no server takes that: a restore would stop there")
            .hint(format!("if it is what a program said while it wrote the dump (2>&1), take it out: {take}"))
    }

    /// The command that writes the dump to its stdout; none where it is a file.
    fn unpack(&self) -> Option<String> {
        let mut first = Vec::new();
        File::open(&self.path).and_then(|file| file.take(archive::SNIFF as u64).read_to_end(&mut first)).ok()?;
        let (name, path) = (self.path.file_name().unwrap_or_default().to_string_lossy(), quote_path(&self.path));
        let tar = |member: &str| Some(format!("tar xOf {path} {}", quote_path(Path::new(member))));
        let Shape::Foreign { member } = &self.shape else {
            return Some(format!("tar xOf {path} --wildcards '*/dump.sql'"));
        };
        let program = match archive::sniff(&first) {
            archive::Kind::Tar => return tar(member),
            archive::Kind::Gzip => "gzip",
            archive::Kind::Zstd => "zstd",
            archive::Kind::Bzip2 => "bzip2",
            archive::Kind::Xz => "xz",
            _ => return None,
        };
        if name.starts_with(member.as_str()) { Some(format!("{program} -dc {path}")) } else { tar(member) }
    }

    /// The path that a restore program opens itself: the folder of a directory-format dump, or the file that
    /// [`check`](Self::check) was asked for.
    pub fn path_to_read(&self) -> Option<&Path> {
        if self.shape == Shape::Folder { Some(&self.path) } else { self.alone.as_deref() }
    }

    /// Sees to it that a custom-format dump stands alone in a file; if that is to be written yet, it comes back.
    fn alone(&mut self, context: &Context) -> Result<Option<File>> {
        if self.shape == Shape::Folder || self.format != Format::PgCustom {
            return Ok(None);
        }
        let mut first = Vec::new();
        let read = File::open(&self.path).and_then(|file| file.take(archive::SNIFF as u64).read_to_end(&mut first));
        if read.is_ok() && archive::sniff(&first) == archive::Kind::PgCustom {
            self.alone = Some(self.path.clone());
            return Ok(None);
        }
        let (spool, handle) = spool_for(context, "the dump, which several jobs read at once,")?;
        self.alone = Some(spool.path().to_owned());
        self.spools.push(Spool::File(spool));
        Ok(Some(handle))
    }
}

impl Identity {
    /// Of a regular file: others have no state that stays.
    fn of(path: &Path) -> Option<Self> {
        let meta = path.metadata().ok().filter(Metadata::is_file)?;
        Some(Self(meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
    }
}

/// What a look at the beginning showed.
enum Found {
    Dump { shape: Shape, format: Format },
    Directory,
}

/// Without the index, the parts could only be joined on a disk.
const SCATTERED: &str = "the parts of a dump by several jobs, without dbhaul's index (restore from the archive as dbhaul \
                         wrote it, or unpack this one and join its parts: cat X/part.* > X.dump)";

/// Finds the dump by what its first bytes are, whatever it is called.
fn look_inside(path: &Path) -> Result<Found, ArchiveError> {
    // An archive of ours whose index is damaged or gone must not pass for somebody else's, which has no checksums.
    let ours = match archive::inspect(path) {
        Ok(_) => true,
        Err(ArchiveError::NotRecognised { .. }) => false,
        Err(error) => return Err(error),
    };
    let mut reader = Reader::open(path)?;
    let mut rows_or_dump = None;
    while let Some(entry) = reader.next_member()? {
        if entry.content().is_dump() {
            if !ours && archive::is_lane(entry.path()) {
                return Err(ArchiveError::NotRecognised { what: SCATTERED.into() });
            }
            let format = format_of(entry.content(), entry.first());
            let shape = if ours { Shape::Ours } else { Shape::Foreign { member: entry.path().to_owned() } };
            let found = Found::Dump { shape, format };
            // Uncompressed rows of a directory-format dump can look like SQL, and its toc.dat may come behind them.
            if format == Format::PgCustom || Path::new(entry.path()).extension().is_none_or(|end| end != "dat") {
                return Ok(rows_or_dump.unwrap_or(found));
            }
            rows_or_dump.get_or_insert(found);
        }
        if entry.content() == archive::Kind::PgToc {
            return Ok(Found::Directory);
        }
    }
    rows_or_dump.ok_or_else(|| ArchiveError::NotRecognised { what: "an archive without a dump in it".into() })
}

/// Which program wrote this SQL. mysqldump and mariadb-dump begin with their names or a conditional comment, and quote
/// with backticks, which PostgreSQL doesn't know.
fn format_of(kind: archive::Kind, first: &[u8]) -> Format {
    if kind == archive::Kind::PgCustom {
        return Format::PgCustom;
    }
    let text = String::from_utf8_lossy(first);
    let mysql = ["-- MySQL dump", "-- MariaDB dump", "-- Dump created by", "/*!", "/*M!", "`"];
    if !text.contains("PostgreSQL database dump") && mysql.iter().any(|mark| text.contains(mark)) {
        Format::MysqlSql
    } else {
        Format::PgPlain
    }
}

/// Why an archive is not good enough.
enum Trouble {
    Archive(ArchiveError),
    Copy(io::Error),
    Dump(Incomplete),
    Manifest(String),
}

/// Reads all of it; what passes by is written into `copy`, too.
fn check(
    path: &Path,
    shape: &Shape,
    format: Format,
    gauge: &Gauge,
    copy: Option<(File, Option<Box<dyn Filter>>)>,
) -> Result<Checked, Trouble> {
    let (mut bytes, mut manifest) = (0, None);
    let mut keeping = match copy {
        Some((file, filter)) => Some(Keeping::new(file, places(path, shape).map_err(Trouble::Archive)?, filter)),
        None => None,
    };
    let mut inspector = engine::of(format.dialect()).inspector(format);
    let mut see = |inspector: &mut Box<dyn Inspector>, member: &str, part: &[u8]| {
        bytes += part.len() as u64;
        gauge.update(|progress| progress.bytes = bytes);
        // Only the custom format comes in lanes.
        inspector.see_lane(if format == Format::PgCustom { lane_of(member) } else { 0 }, part);
        if let Some(keeping) = &mut keeping {
            keeping.put(member, part);
        }
    };
    let proof = match shape {
        Shape::Folder => {
            let content = postgres::inspect_directory(path).map_err(Trouble::Dump)?;
            let proof = "the table of contents, and that every file is there and whole".to_owned();
            return Ok(Checked { content, bytes: folder_size(path), proof, manifest });
        }
        Shape::Ours => {
            let verified = archive::verify(path, &mut |member, part| see(&mut inspector, member, part));
            let verified = verified.map_err(Trouble::Archive)?;
            let members = units::plural(verified.manifest().members.len() as u64 + 1, "member");
            manifest = Some(verified.into_manifest());
            format!("the archive's checksums, {members} by size and SHA-256, and the dump's own structure")
        }
        Shape::Foreign { member } => {
            let mut dump = dump_stream(path, shape).map_err(Trouble::Archive)?;
            let mut buffer = vec![0; 256 * 1024];
            loop {
                match dump.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => see(&mut inspector, member, &buffer[..count]),
                    Err(e) => return Err(Trouble::Archive(ArchiveError::from_read(e))),
                }
            }
            "the container's own checksums, if it has any, and the dump's own structure".to_owned()
        }
    };
    keeping.map_or(Ok(()), Keeping::end).map_err(Trouble::Copy)?;
    let complete = Complete::prove(inspector).map_err(Trouble::Dump)?;
    let mut content = complete.into_content();
    if let Some(manifest) = &manifest {
        content.properties = properties(manifest, content.properties.take());
        content.lc_monetary.clone_from(&manifest.lc_monetary);
        content.dependencies = manifest.dependencies.clone().unwrap_or_default();
    }
    if let Some(what) = manifest.as_ref().and_then(|manifest| disagreement(manifest, &content)) {
        return Err(Trouble::Manifest(what));
    }
    Ok(Checked { content, bytes, proof, manifest })
}

/// Where the members of the dump begin, when it stands alone in a file.
fn places(path: &Path, shape: &Shape) -> Result<HashMap<String, u64>, ArchiveError> {
    match shape {
        Shape::Ours => archive::inspect(path).map(|inspected| inspected.places()),
        Shape::Foreign { member } => Ok(HashMap::from([(member.clone(), 0)])),
        Shape::Folder => Ok(HashMap::new()),
    }
}

fn dump_stream(path: &Path, shape: &Shape) -> Result<Box<dyn Read + Send>, ArchiveError> {
    match shape {
        Shape::Ours => Ok(Box::new(archive::dump_stream(path)?.1)),
        Shape::Foreign { member } => {
            let mut reader = Reader::open(path)?;
            while let Some(entry) = reader.next_member()? {
                if entry.path() == member {
                    return Ok(Box::new(reader.into_stream()));
                }
            }
            Err(ArchiveError::NotRecognised { what: format!("{member} is no longer there") })
        }
        Shape::Folder => Ok(Box::new(io::empty())),
    }
}

fn not_a_dump(name: &str, what: &str) -> Error {
    Error::new(Kind::Archive, format!("{name} is not recognised")).why(what)
}

/// The size of all files of a folder, in bytes; what can't be read counts nothing.
fn folder_size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| File::open(entry.path()).ok()?.metadata().ok()).map(|meta| meta.len()).sum()
}
