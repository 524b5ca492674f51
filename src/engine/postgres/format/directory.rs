//! Reads a dump in directory format: a folder with `toc.dat` and a file for each table's rows.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::content::{Asked, Tables, describe, table_of};
use super::large_objects::LargeObjects;
use super::lz4;
use super::rows::CopyText;
use super::toc::{self, Stop, TocEntry};
use crate::engine::{Content, Format, Incomplete, too_many};
use crate::error::Result;

/// The endings that `pg_dump` gives its files; the first is that of uncompressed ones.
const ENDINGS: [&str; 4] = ["", ".gz", ".lz4", ".zst"];

/// A list of large objects of so many bytes names half a million of them; more is not read.
const LONGEST_LIST: usize = 16 << 20;

/// What a folder holds: every file that `toc.dat` names must be there and have its end. LZ4's are not decoded: their rows
/// are not counted.
pub fn inspect_directory(folder: &Path) -> Result<Content, Incomplete> {
    let incomplete = |what: String| Incomplete::new(what, 0);
    let path = folder.join("toc.dat");
    let unread = |e: io::Error| incomplete(format!("{} can't be read: {e}", path.display()));
    let file = File::open(&path).map_err(unread)?;
    let length = file.metadata().map_err(unread)?.len();
    let (mut toc, mut asked) = (Vec::new(), Asked::default());
    let read = toc::read_all(file, |mut entry| {
        asked.take(&mut entry);
        toc.push(entry);
    });
    let header = read.map_err(unread)?.map_err(|stop| match stop {
        Stop::More => Incomplete::new("toc.dat is cut off", length),
        Stop::TooMany => too_many(0),
        Stop::Bad(what) => incomplete(format!("toc.dat: {what}")),
    })?;
    let (mut tables, mut longest, mut objects) = (Tables::default(), 0, LargeObjects::default());
    for entry in &toc {
        let table = table_of(&mut tables, &entry.entry);
        let rows = data(folder, entry, &mut objects).map_err(incomplete)?;
        if let (Some(table), Some(rows)) = (table, rows) {
            longest = longest.max(rows.longest());
            let name = &entry.entry.tag;
            let (count, sum) =
                rows.finished().ok_or_else(|| incomplete(format!("the rows of table {name} have no end")))?;
            tables.copied(table, entry.copy.as_deref().unwrap_or_default());
            tables.count(table, count, sum);
        }
    }
    let mut content = describe(Format::PG_DIRECTORY, &header, toc, asked, tables);
    content.longest_statement = longest;
    objects.tell(&mut content);
    Ok(content)
}

/// Reads an entry's file to its end. Its rows, if it holds COPY text that could be read.
fn data(folder: &Path, entry: &TocEntry, objects: &mut LargeObjects) -> Result<Option<CopyText>, String> {
    let Some(name) = entry.file.as_deref().filter(|_| entry.has_data) else { return Ok(None) };
    if entry.entry.kind == "BLOBS" {
        let of_tar = lists_of_tar(entry).into_iter().find(|list| folder.join(list).is_file());
        let list = find(folder, name).is_err().then_some(of_tar).flatten();
        large_objects(folder, list.as_deref().unwrap_or(name), objects)?;
        return Ok(None);
    }
    let mut rows = CopyText::default();
    let read = read_through(&find(folder, name)?, |bytes| rows.see(bytes))?;
    Ok((read && entry.copy.is_some()).then_some(rows))
}

/// What the tar format calls a list of large objects, whatever its `toc.dat` says: the first from 17 on.
fn lists_of_tar(entry: &TocEntry) -> [String; 2] {
    [format!("blobs_{}.toc", entry.entry.id), "blobs.toc".to_owned()]
}

/// The lists of large objects of an unpacked tar-format dump that a `pg_restore` of 17 or newer would look for by other
/// names: what each is called, and what it should be called. Nothing where `toc.dat` can't be read.
#[must_use]
pub fn misnamed_lists(folder: &Path) -> Vec<(String, String)> {
    let Ok(file) = File::open(folder.join("toc.dat")) else { return Vec::new() };
    let mut misnamed = Vec::new();
    let read = toc::read_all(file, |entry| {
        let [list, _] = lists_of_tar(&entry);
        let wanted = entry.file.filter(|name| entry.entry.kind == "BLOBS" && find(folder, name).is_err());
        misnamed.extend(wanted.filter(|_| folder.join(&list).is_file()).map(|wanted| (list, wanted)));
    });
    // A name from outside must not lead out of the folder.
    misnamed.retain(|(_, wanted)| !wanted.contains(['/', '\\']) && wanted != "..");
    if matches!(read, Ok(Ok(_))) { misnamed } else { Vec::new() }
}

/// A list of large objects, a line with number and file name for each.
fn large_objects(folder: &Path, list: &str, objects: &mut LargeObjects) -> Result<(), String> {
    let (mut text, mut length) = (Vec::new(), 0);
    read_through(&find(folder, list)?, |bytes| {
        length += bytes.len();
        text.extend_from_slice(&bytes[..bytes.len().min(LONGEST_LIST - text.len())]);
    })?;
    if length > LONGEST_LIST {
        return Err(format!("{list} names large objects in {length} bytes; at most {LONGEST_LIST} are read"));
    }
    for line in String::from_utf8_lossy(&text).lines() {
        let Some((number, name)) = line.split_once(' ') else {
            return Err(format!("{list} has a line that names no file: {line}"));
        };
        objects.begin(number);
        let read = read_through(&find(folder, name)?, |bytes| objects.see(bytes))?;
        objects.end(read);
    }
    Ok(())
}

fn find(folder: &Path, name: &str) -> Result<PathBuf, String> {
    // A name from outside must not lead out of the folder.
    if name.contains(['/', '\\']) || name == ".." {
        return Err(format!("toc.dat names a file outside of the folder: {name}"));
    }
    let paths = ENDINGS.map(|ending| folder.join(format!("{name}{ending}")));
    paths.into_iter().find(|p| p.is_file()).ok_or_else(|| format!("the file {name} is missing"))
}

/// Hands a file's content on. False if it is compressed in a way that is not decoded here.
fn read_through(path: &Path, mut see: impl FnMut(&[u8])) -> Result<bool, String> {
    let fail = |e: io::Error| format!("{} can't be read to its end: {e}", path.display());
    let file = BufReader::new(File::open(path).map_err(fail)?);
    let mut reader: Box<dyn Read> = match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => Box::new(MultiGzDecoder::new(file)),
        Some("zst") => Box::new(zstd::stream::read::Decoder::with_buffer(file).map_err(fail)?),
        Some("lz4") => return lz4::walk(file).map(|()| false).map_err(fail),
        _ => Box::new(file),
    };
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer).map_err(fail)? {
            0 => return Ok(true),
            count => see(&buffer[..count]),
        }
    }
}
