//! An archive as people hand it over: recognised by content, checked to its last byte, then read as a dump's stream.

pub(super) mod foreign;
pub(super) mod found;
pub(super) mod input_error;
mod members;
pub(super) mod of_many;
pub(super) mod spool;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::{DirEntry, File};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use tempfile::{NamedTempFile, TempDir};

use super::watch::{ProgressHandle, on_thread, show_progress, until_stopped};
use super::{Context, archive_error};
use crate::archive::{self, ArchiveError, Candidate, Manifest, ObjectStream, Reader, Reading, SharedObject, lane_of};
use crate::connection::Connection;
use crate::engine::{self, Content, Filter, Format, HeldDatabases, Incomplete, Inspector, Layout, registry, stray};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::pipeline::dump::manifest::{disagreement, properties};
use crate::report::units;
use crate::store::{self, LocationError, SharedLocation};
use found::{Found, Shape, dump_stream, look_inside};
use members::new_member;
use of_many::CutReader;
use spool::{SpoolWriter, no_spool, spool, spool_folder, spool_for};

/// An archive that was opened and recognised.
pub struct Input {
    name: String,
    shape: Shape,
    format: Format,
    /// It names its databases: the wanted one of them passes, or the only one.
    is_cut: bool,
    wanted: Option<String>,
    /// A file that is the dump and nothing else.
    alone: Option<PathBuf>,
    /// How its text is taken.
    reading: Reading,
    /// What must outlive the reading and go away afterwards.
    spools: Vec<Spool>,
}

#[expect(dead_code, reason = "held for its end, which removes it")]
enum Spool {
    /// Its own lock is on it.
    File(NamedTempFile),
    /// With its lock.
    Folder(TempDir, File),
}

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
    /// What of the file is not sent, or goes another way.
    pub notes: Vec<String>,
}

impl Input {
    /// Opens a file, a folder, or `-`. Standard input is written to a temporary file first, since an archive is checked
    /// to its last byte before its first reaches the target.
    pub async fn open(context: &Context, argument: &str) -> Result<Self> {
        let mut spools = Vec::new();
        let location = locate_archive(argument)?;
        let unread = |error| archive_error(argument, &ArchiveError::Read(error));
        let shape = if let Some(folder) = location.local_path().filter(|path| path.is_dir()) {
            // A client that opens it must not take its name for an option.
            Shape::Folder(std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()))
        } else if let Some(opened) = until_stopped(context, on_thread(move || location.open())).await? {
            Shape::Ours(opened.map_err(unread)?)
        } else {
            let spool = spool(context, io::stdin(), "standard input").await?;
            let opened = store::open(spool.path()).map_err(unread)?;
            spools.push(Spool::File(spool));
            Shape::Ours(opened)
        };
        let reading = Reading { accept_unproven: context.accept_unproven, ..Reading::default() };
        let mut input = Self {
            name: argument.to_owned(),
            shape,
            format: registry::folder_format(),
            is_cut: false,
            wanted: None,
            alone: None,
            reading,
            spools,
        };
        input.recognise(context).await?;
        Ok(input)
    }

    /// The form of the dump.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Refuses a server of another family. Whether the archive holds another dump, which may be the one that is meant, is
    /// found out first.
    pub async fn check_family(&self, context: &Context, target: &Connection) -> Result<()> {
        let (ours, theirs) = (self.format.dialect, target.dialect);
        if ours == theirs {
            return Ok(());
        }
        let shape = self.shape.clone();
        let alone = until_stopped(context, on_thread(move || found::is_alone(&shape))).await?;
        alone.map_err(|error| self.unread(&error))?;
        let what = format!("a {} dump can't be restored into a {} server", ours.name(), theirs.name());
        Err(Error::new(Kind::Refused, what)
            .why(format!("{}: {}", self.name, self.describe()))
            .why(target)
            .unchanged()
            .hint(Hint::new("server-of-same-family", "name the URI of a server of the same family")))
    }

    /// The path of what is read, for commands to paste.
    pub(super) fn path(&self) -> &Path {
        match &self.shape {
            Shape::Folder(folder) => folder,
            shape => shape.object().and_then(|object| object.local_path()).unwrap_or(Path::new(&self.name)),
        }
    }

    /// What holds the dump.
    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// As it was named.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For people: `an archive of dbhaul's, PostgreSQL custom format`.
    pub fn describe(&self) -> String {
        let form = self.format.name;
        match &self.shape {
            Shape::Ours(_) => format!("an archive of dbhaul's, {form}"),
            Shape::Foreign { member, .. } => format!("{member}, {form}"),
            Shape::Folder(_) => format!("a folder, {form}"),
        }
    }

    async fn recognise(&mut self, context: &Context) -> Result<()> {
        let member = context.member.clone();
        let object = match self.shape.clone() {
            Shape::Folder(folder) => {
                self.format = registry::folder_format();
                found::in_folder(&folder, member.as_deref())
                    .map_err(|error| found::not_in_folder(&self.name, &folder, &error))?;
                return self.rename_lists(context, &folder);
            }
            Shape::Ours(object) | Shape::Foreign { object, .. } => object,
        };
        let from = object.clone();
        let found = until_stopped(context, on_thread(move || look_inside(&from, member.as_deref()))).await?;
        match found.map_err(|error| self.unread(&error))? {
            Found::Dump { shape, format } => (self.shape, self.format) = (shape, format),
            Found::Directory { folder, alone } => self.extract(context, object, folder, alone).await?,
        }
        Ok(())
    }

    /// `pg_restore` reads the directory format from a folder only.
    async fn extract(
        &mut self,
        context: &Context,
        object: SharedObject,
        inside: String,
        alone: Option<Candidate>,
    ) -> Result<()> {
        let (folder, lock) = spool_folder(context)?;
        context.note(format!("the directory-format dump is extracted into {} first", folder.path().display()));
        let to = folder.path().to_owned();
        let extracted =
            on_thread(move || Reader::open(&object).and_then(|reader| reader.extract_to(&to, &inside, alone))).await?;
        extracted.map_err(|error| self.unread(&error))?;
        let path = folder.path().to_owned();
        self.spools.push(Spool::Folder(folder, lock));
        (self.shape, self.format) = (Shape::Folder(path.clone()), registry::folder_format());
        self.rename_lists(context, &path)
    }

    /// An unpacked tar-format dump of PostgreSQL 17 or newer names its lists of large objects otherwise than a reader of
    /// folders does. The user's folder stays as it is: links stand for its files.
    fn rename_lists(&mut self, context: &Context, from: &Path) -> Result<()> {
        let misnamed = engine::of(self.format.dialect).misnamed_files(from);
        if misnamed.is_empty() {
            return Ok(());
        }
        let failed = |error| no_spool(context, &error);
        let rename =
            |to: &Path| misnamed.iter().try_for_each(|(list, wanted)| symlink(from.join(list), to.join(wanted)));
        if !self.spools.is_empty() {
            return rename(from).map_err(failed);
        }
        let (folder, lock) = spool_folder(context)?;
        let link = |entry: io::Result<DirEntry>| {
            let entry = entry?;
            symlink(entry.path(), folder.path().join(entry.file_name()))
        };
        std::fs::read_dir(from).and_then(|mut files| files.try_for_each(link)).map_err(failed)?;
        rename(folder.path()).map_err(failed)?;
        self.shape = Shape::Folder(folder.path().to_owned());
        self.spools.push(Spool::Folder(folder, lock));
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
        let progress = ProgressHandle::about("checking");
        let (shape, format, meter) = (self.shape.clone(), self.format, progress.clone());
        let copy = copy.map(|file| (file, filter));
        let (reading, wanted) = (self.reading.clone(), context.database.clone());
        let checking = on_thread(move || check(&shape, format, &meter, copy, &reading, wanted.as_deref()));
        let checked = until_stopped(context, show_progress(context, &progress, checking)).await?;
        if let Ok(Checked { content, .. }) = &checked {
            self.is_cut = content.database.is_some();
            self.wanted.clone_from(&context.database);
            self.tell_doubts(context, content);
        }
        checked.map_err(|trouble| match trouble {
            CheckError::Archive(error) => self.unread(&error),
            CheckError::Choice(held) => {
                of_many::check_choice(&self.name, &held, context.database.as_deref()).err().unwrap_or_else(|| {
                    Error::new(Kind::Unexpected, format!("{} holds one database, and none was chosen", self.name))
                })
            }
            CheckError::Copy(error) => no_spool(context, &error),
            CheckError::Dump(incomplete) if incomplete.too_large => {
                Error::new(Kind::Archive, format!("{} is too large a dump to be checked", self.name)).why(incomplete)
            }
            CheckError::Dump(Incomplete { stray: Some(stray), .. }) => self.stray(&stray),
            CheckError::Dump(incomplete) => {
                let error = Error::new(Kind::Archive, format!("{} does not hold a complete dump", self.name))
                    .why(incomplete)
                    .hint(Hint::new(
                        "make-or-fetch-again",
                        "make the dump again, or fetch the file again: it was cut or changed",
                    ));
                self.or_through_a_terminal(error)
            }
            CheckError::Unproven(incomplete) => {
                Error::new(Kind::Archive, format!("{} is not proved to be a complete dump", self.name))
                    .why(incomplete)
                    .hint(Hint::new(
                        "accept-unproven",
                        "--accept-unproven takes it: no statement, string, comment or block of rows breaks off in it",
                    ))
            }
            CheckError::Manifest(what) => {
                Error::new(Kind::Archive, format!("{} does not hold what its manifest says", self.name)).why(what).hint(
                    Hint::new(
                        "archive-was-changed",
                        "make the dump again: whoever wrote this archive changed the one or the other",
                    ),
                )
            }
        })
    }

    /// What a check could not prove of a dump that is taken all the same.
    fn tell_doubts(&self, context: &Context, held: &Content) {
        if let Some(incomplete) = &held.unproven {
            context.warn(format!("{} is not proved complete: {incomplete}", self.name));
        }
        if let [first, ..] = self.reading.passed_over.lock().unwrap_or_else(PoisonError::into_inner).as_slice() {
            context.note(format!("what stands before the dump is no SQL and was passed over: {first}"));
        }
        let wide = self.reading.wide_characters.load(Ordering::Relaxed);
        if wide > 0 {
            let characters = units::plural(wide, "character");
            context.warn(format!("{characters} of {} are not ASCII: PowerShell may have changed them", self.name));
        }
        if let Some(appended) = &held.appended {
            context.warn(format!("{appended}: nothing proves that they are all there"));
        }
        if let Some(row) = held.facts.get(stray::ROW) {
            context.warn(format!(
                "{row}: among the rows, and may be one, or what a program said while it wrote the dump (2>&1)"
            ));
        }
    }

    /// The dump's bytes. The stream ends well only when everything behind it was read and checked, too; with `parts`
    /// it is only these stretches of them, and nothing else is read that need not be.
    pub fn dump(&self, parts: Option<&[Range<u64>]>) -> Result<Box<dyn Read + Send>> {
        let stream = match (parts, &self.shape) {
            (None, shape) => dump_stream(shape, &self.reading).map(|dump| self.cut_database(dump)),
            (Some(parts), Shape::Ours(object)) => archive::dump_parts(object, parts).map(|dump| Box::new(dump) as _),
            (Some(parts), shape) => {
                let dump = dump_stream(shape, &self.reading).map(|dump| self.cut_database(dump));
                dump.map(|dump| Box::new(archive::stretches(dump, parts)) as _)
            }
        };
        let stream = stream.map_err(|error| self.unread(&error))?;
        self.same_file()?;
        Ok(stream)
    }

    /// The chosen database of a file that names several.
    fn cut_database(&self, dump: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        let engine = engine::of(self.format.dialect);
        match engine.database_cutter(self.format, self.wanted.as_deref()) {
            Some(cutter) if self.is_cut => Box::new(CutReader::new(dump, cutter)),
            _ => dump,
        }
    }

    /// Refuses a file that took the place of the one that was checked, or that was written to since then: nobody has
    /// seen whether it fits.
    pub fn same_file(&self) -> Result<()> {
        if self.shape.object().is_none_or(|object| object.is_unchanged()) {
            return Ok(());
        }
        Err(Error::new(
            Kind::Archive,
            format!("{} is not the file that was checked: it was changed meanwhile", self.name),
        )
        .hint(Hint::new("start-when-nobody-writes", "start again when nobody writes there")))
    }

    /// The path that a restore program opens itself: the folder of a directory-format dump, or the file that
    /// [`check`](Self::check) was asked for.
    pub fn path_to_read(&self) -> Option<&Path> {
        if let Shape::Folder(folder) = &self.shape { Some(folder) } else { self.alone.as_deref() }
    }

    /// Sees to it that a custom-format dump stands alone in a file; if that is to be written yet, it comes back.
    fn alone(&mut self, context: &Context) -> Result<Option<File>> {
        if self.format.layout != Layout::Streams {
            return Ok(None);
        }
        if let Some(path) = self.shape.object().and_then(|object| object.local_path().filter(|_| is_bare(object))) {
            self.alone = Some(path.to_owned());
            return Ok(None);
        }
        let (spool, handle) = spool_for(context, "the dump, which several jobs read at once,")?;
        self.alone = Some(spool.path().to_owned());
        self.spools.push(Spool::File(spool));
        Ok(Some(handle))
    }
}

/// Whether an object is a custom-format dump and nothing else.
fn is_bare(object: &SharedObject) -> bool {
    let mut first = Vec::new();
    let read = ObjectStream::new(object, 0).take(archive::SNIFF as u64).read_to_end(&mut first);
    read.is_ok() && archive::sniff(&first) == archive::ContentKind::PgCustom
}

/// Where the archive is that a command names. What is no URL of a store's is a path.
pub(super) fn locate_archive(argument: &str) -> Result<SharedLocation> {
    match store::locate(argument) {
        Err(LocationError::UnknownScheme(_)) => Ok(store::file::at(argument)),
        Err(LocationError::Malformed(what)) => Err(Error::new(Kind::Usage, format!("{argument}: {what}"))),
        Ok(location) => Ok(location),
    }
}

/// Why an archive is not good enough.
pub(super) enum CheckError {
    /// The file holds several databases, or not the one that was named.
    Choice(Box<HeldDatabases>),
    Archive(ArchiveError),
    Copy(io::Error),
    Dump(Incomplete),
    /// Nothing shows that it is not whole, and nothing that it is.
    Unproven(Incomplete),
    Manifest(String),
}

impl CheckError {
    /// What is wrong, in one line.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Choice(_) => "it holds several databases".to_owned(),
            Self::Archive(error) => error.to_string(),
            Self::Copy(error) => error.to_string(),
            Self::Dump(incomplete) | Self::Unproven(incomplete) => incomplete.to_string(),
            Self::Manifest(what) => what.clone(),
        }
    }
}

/// Reads all of it; what passes by is written into `copy`, too.
pub(super) fn check(
    shape: &Shape,
    format: Format,
    progress: &ProgressHandle,
    copy: Option<(File, Option<Box<dyn Filter>>)>,
    reading: &Reading,
    wanted: Option<&str>,
) -> Result<Checked, CheckError> {
    let (mut bytes, mut manifest) = (0, None);
    let mut held = HeldDatabases::default();
    let mut keeping = match copy {
        Some((file, filter)) => {
            Some(SpoolWriter::new(file, member_offsets(shape).map_err(CheckError::Archive)?, filter))
        }
        None => None,
    };
    let mut inspector = engine::of(format.dialect).inspector(format);
    let mut see = |inspector: &mut Box<dyn Inspector>, member: &str, part: &[u8]| {
        bytes += part.len() as u64;
        progress.update(|progress| progress.bytes = bytes);
        if let Some(name) = new_member(format, member, part) {
            inspector.begin_member(name);
        }
        inspector.see_lane(if format.layout == Layout::Streams { lane_of(member) } else { 0 }, part);
        if let Some(keeping) = &mut keeping {
            keeping.put(member, part);
        }
    };
    let proof = match shape {
        Shape::Folder(path) => {
            let content = engine::of(format.dialect).inspect_folder(path).map_err(CheckError::Dump)?;
            let proof = "the table of contents, and that every file is there and whole".to_owned();
            not_of_many(wanted)?;
            return Ok(Checked { content, bytes: folder_size(path), proof, manifest, notes: Vec::new() });
        }
        Shape::Ours(object) => {
            not_of_many(wanted)?;
            let verified = archive::verify(object, &mut |member, part| see(&mut inspector, member, part));
            let verified = verified.map_err(CheckError::Archive)?;
            let members = units::plural(verified.manifest().members.len() as u64 + 1, "member");
            manifest = Some(verified.into_manifest());
            format!("the archive's checksums, {members} by size and SHA-256, and the dump's own structure")
        }
        Shape::Foreign { member, .. } => {
            let mut dump = dump_stream(shape, reading).map_err(CheckError::Archive)?;
            let mut cutter = engine::of(format.dialect).database_cutter(format, wanted);
            if cutter.is_none() {
                not_of_many(wanted)?;
            }
            let (mut buffer, mut passed) = (vec![0; 256 * 1024], Vec::new());
            loop {
                let count = dump.read(&mut buffer).map_err(|e| CheckError::Archive(ArchiveError::from_read(e)))?;
                passed.clear();
                match &mut cutter {
                    _ if count == 0 => break,
                    Some(cutter) => cutter.push(&buffer[..count], &mut passed),
                    None => passed.extend_from_slice(&buffer[..count]),
                }
                see(&mut inspector, member, &passed);
            }
            if let Some(cutter) = cutter {
                passed.clear();
                held = cutter.finish(&mut passed);
                see(&mut inspector, member, &passed);
            }
            "the container's own checksums, if it has any, and the dump's own structure".to_owned()
        }
    };
    keeping.map_or(Ok(()), SpoolWriter::end).map_err(CheckError::Copy)?;
    let is_inside = |wanted| held.databases.iter().any(|database| database.name == wanted && !database.is_system);
    if held.is_of_roles_alone || wanted.is_some_and(|wanted| !is_inside(wanted)) {
        return Err(CheckError::Choice(Box::new(held)));
    }
    if let Some(incomplete) = held.incomplete.take() {
        return Err(CheckError::Dump(incomplete));
    }
    let mut content = inspector.finish().map_err(CheckError::Dump)?;
    if wanted.is_none() && held.databases.len() > 1 {
        return Err(CheckError::Choice(Box::new(held)));
    }
    let notes = of_many::settle(&held, &mut content);
    // An archive of ours was proved before it was published.
    if manifest.is_some() {
        content = content.proved().map_err(CheckError::Dump)?;
    } else if let Some(incomplete) = content.unproven.take_if(|_| !reading.accept_unproven) {
        return Err(CheckError::Unproven(incomplete));
    }
    let proof =
        if content.unproven.is_some() { "the dump's own structure; it is not proved complete".into() } else { proof };
    if let Some(manifest) = &manifest {
        content.properties = properties(manifest, content.properties.take());
        content.lc_monetary.clone_from(&manifest.lc_monetary);
        content.dependencies = manifest.dependencies.clone().unwrap_or_default();
        // Whoever made it asked its source, unless arguments for the client chose.
        if !manifest.options.contains_key("arguments") {
            content.unheld.clear();
        }
    }
    if let Some(what) = manifest.as_ref().and_then(|manifest| disagreement(manifest, &content)) {
        return Err(CheckError::Manifest(what));
    }
    Ok(Checked { content, bytes, proof, manifest, notes })
}

/// A dump in a form that holds one database.
fn not_of_many(wanted: Option<&str>) -> Result<(), CheckError> {
    wanted.map_or(Ok(()), |_| Err(CheckError::Choice(Box::default())))
}

/// Where the members of the dump begin, when it stands alone in a file.
fn member_offsets(shape: &Shape) -> Result<HashMap<String, u64>, ArchiveError> {
    match shape {
        Shape::Ours(object) => archive::inspect(object).map(|inspected| inspected.member_offsets()),
        Shape::Foreign { member, .. } => Ok(HashMap::from([(member.clone(), 0)])),
        Shape::Folder(_) => Ok(HashMap::new()),
    }
}

/// The size of all files of a folder, in bytes; what can't be read counts nothing.
fn folder_size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| File::open(entry.path()).ok()?.metadata().ok()).map(|meta| meta.len()).sum()
}
