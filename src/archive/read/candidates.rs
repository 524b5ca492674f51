//! Which members of an archive are dumps.
//!
//! A bare file is what its user says it is. In an archive stand other files, too, whole applications at times: there, SQL
//! is only what begins as dump programs begin, as long as anything does.

use std::io::{self, BufReader, Read};
use std::path::Path;

use memchr::memmem;

use super::decompress::decode;
use super::reader::{Entry, successor};
use super::tar_reader::Type;
use crate::archive::error::{ArchiveError, Result};
use crate::archive::format::sniff::{ContentKind, SNIFF, sniff};
use crate::archive::format::text;

/// A member that may be the dump.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its path.
    pub path: String,
    /// Its size in bytes, as the archive says.
    pub size: Option<u64>,
    /// What it holds, once decompressed: [`ContentKind::PgCustom`], [`ContentKind::PgToc`] or [`ContentKind::Sql`].
    pub kind: ContentKind,
    /// What it is as it stands there: a compressed file, text in UTF-16, or the dump.
    pub packed: ContentKind,
    /// Whether it begins as dumps do. Otherwise it counts only where nothing does.
    pub sure: bool,
    /// Its first bytes, decompressed.
    pub first: Vec<u8>,
}

/// Goes through an archive's members.
#[derive(Debug, Default)]
pub struct Candidates {
    found: Vec<Candidate>,
    /// The member before.
    before: Option<String>,
    /// A member that is an archive itself, and what it is.
    nested: Option<(String, &'static str)>,
    /// The script of a tar-format dump.
    script: Option<String>,
    /// A member that can't be read, and why.
    unread: Option<(String, String)>,
}

/// At most so many are kept: an archive of a megabyte can hold gigabytes of names.
const MAX_CANDIDATES: usize = 1000;

impl Candidates {
    /// Of one that was found already.
    pub(crate) fn after(candidate: Candidate) -> Self {
        Self { before: Some(candidate.path.clone()), found: vec![candidate], ..Self::default() }
    }

    /// Looks at a member, whose first bytes are read. If it may be a dump, it comes back.
    pub fn see(&mut self, entry: &mut Entry<'_>) -> Result<Option<&Candidate>> {
        let part = self.before.as_deref().and_then(successor).is_some_and(|next| next == entry.path());
        self.before = Some(entry.path().to_owned());
        if part || entry.kind() != Type::File || is_apples(entry.path()) || self.found.len() == MAX_CANDIDATES {
            return Ok(None);
        }
        if let Some(why) = entry.unread() {
            self.unread.get_or_insert_with(|| (entry.path().to_owned(), why.to_owned()));
        }
        let (kind, first) = unpacked(entry)?;
        if matches!(kind, ContentKind::Tar | ContentKind::Zip) || kind.is_compressed() {
            self.nested.get_or_insert((entry.path().to_owned(), kind.describe()));
        }
        let name = entry.path().rsplit('/').next().unwrap_or_default();
        let sure = match kind {
            ContentKind::PgCustom => true,
            ContentKind::PgToc if name == "toc.dat" => true,
            // The restore.sql of a tar-format dump reads files, which nobody has where it says.
            ContentKind::Sql if memmem::find(&first, b"$$PATH$$").is_some() => {
                self.script.get_or_insert_with(|| entry.path().to_owned());
                return Ok(None);
            }
            // Rows of a directory-format dump may look like anything.
            ContentKind::Sql if Path::new(name).extension().is_some_and(|end| end == "dat") => false,
            ContentKind::Sql => begins_as_dumps_do(&first),
            _ => return Ok(None),
        };
        let (path, size, packed) = (entry.path().to_owned(), entry.size(), entry.content());
        self.found.push(Candidate { path, size, kind, packed, sure, first });
        Ok(self.found.last())
    }

    /// The dumps: those that begin as dumps do; all others only where none does. The files of a directory-format dump are
    /// one.
    #[must_use]
    pub fn dumps(&self) -> Vec<Candidate> {
        let folders: Vec<&str> =
            self.found.iter().filter(|one| one.kind == ContentKind::PgToc).map(|one| folder_of(&one.path)).collect();
        let alone = |one: &&Candidate| one.kind == ContentKind::PgToc || !folders.contains(&folder_of(&one.path));
        let found: Vec<&Candidate> = self.found.iter().filter(alone).collect();
        let any = found.iter().any(|one| one.sure);
        found.into_iter().filter(|one| one.sure || !any).cloned().collect()
    }

    /// Fails where there is more than one.
    pub fn one(&self) -> Result<()> {
        let dumps = self.dumps();
        if let [first, others @ ..] = dumps.as_slice()
            && let Some(last) = others.iter().rfind(|other| is_called(&other.path, &first.path))
        {
            return Err(ArchiveError::Twice { path: last.path.clone() });
        }
        if dumps.len() > 1 { Err(ArchiveError::Several { dumps: names(&dumps) }) } else { Ok(()) }
    }

    /// Why there is none.
    #[must_use]
    pub fn none(&self) -> ArchiveError {
        let what = match (&self.unread, &self.nested) {
            (Some((path, why)), _) => format!("a zip file with {path:?} in it: {why}"),
            (_, Some((path, what))) => format!("an archive without a dump in it, but with {path:?}, {what}"),
            _ => {
                let what = match &self.script {
                    Some(path) => {
                        format!("{path:?} is the script of a dump in tar format, whose toc.dat and rows are missing")
                    }
                    None => "an archive without a dump in it".to_owned(),
                };
                return ArchiveError::NotRecognised { what };
            }
        };
        ArchiveError::Packed { what }
    }

    /// Why the one that was asked for is not taken.
    #[must_use]
    pub fn without(&self, wanted: &str) -> ArchiveError {
        if self.found.is_empty() || self.unread.as_ref().is_some_and(|(path, _)| is_called(path, wanted)) {
            return self.none();
        }
        let mut dumps = self.dumps();
        if dumps.is_empty() {
            dumps.clone_from(&self.found);
        }
        ArchiveError::NoMember { wanted: wanted.to_owned(), dumps: names(&dumps) }
    }
}

fn names(dumps: &[Candidate]) -> Vec<(String, Option<u64>)> {
    dumps.iter().map(|dump| (dump.path.clone(), dump.size)).collect()
}

/// The folder of a member: `a/b` of `./a/b/c`.
pub(crate) fn folder_of(path: &str) -> &str {
    let path = path.strip_prefix("./").unwrap_or(path);
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether a member is called so.
#[must_use]
pub fn is_called(path: &str, name: &str) -> bool {
    path.strip_prefix("./").unwrap_or(path) == name.strip_prefix("./").unwrap_or(name)
}

/// What macOS puts beside each file of a tar or a zip, with the file's own name behind `._`.
pub(crate) fn is_apples(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with("._") || part == "__MACOSX")
}

/// What a member is, once decompressed and narrowed, and how that begins.
fn unpacked(entry: &mut Entry<'_>) -> Result<(ContentKind, Vec<u8>)> {
    let (mut kind, mut first) = (entry.content(), entry.first().to_vec());
    if kind.is_compressed() {
        let container = kind;
        first.clear();
        let decoded = decode(container, BufReader::new(&mut *entry)).take(SNIFF as u64).read_to_end(&mut first);
        // What is wrong with this one is said when it is read, if it is the dump: the archive around it must be right.
        if let Err(Ok(error)) = decoded.map_err(io::Error::downcast::<ArchiveError>)
            && !matches!(error, ArchiveError::Behind { .. })
        {
            return Err(error);
        }
        kind = sniff(&first);
    }
    if kind == ContentKind::Utf16 {
        first = text::narrow_beginning(&first);
        kind = sniff(&first);
    }
    Ok((kind, first))
}

/// What programs say in a dump's first comments.
const HEADERS: [&str; 12] = [
    "-- MySQL dump ",
    "-- MariaDB dump ",
    "-- PostgreSQL database dump",
    "-- PostgreSQL database cluster dump",
    "-- Dump created by MySQL",
    "phpMyAdmin SQL Dump",
    "-- Adminer ",
    "HeidiSQL",
    "Sequel Ace SQL dump",
    "Sequel Pro SQL dump",
    "SQLyog",
    "Navicat",
];

/// How a dump without comments begins: its first words.
const STATEMENTS: [&str; 28] = [
    "alter database ",
    "alter table ",
    "begin;",
    "begin transaction",
    "create database ",
    "create extension ",
    "create function ",
    "create or replace ",
    "create schema ",
    "create sequence ",
    "create table ",
    "create type ",
    "create view ",
    "delimiter ",
    "drop database ",
    "drop table ",
    "drop view ",
    "insert ignore into ",
    "insert into ",
    "lock tables ",
    "replace into ",
    "select pg_catalog.",
    "set @",
    "set names ",
    "set session ",
    "start transaction",
    "truncate ",
    "use `",
];

/// Whether this text begins as dump programs and exporters begin.
fn begins_as_dumps_do(first: &[u8]) -> bool {
    if HEADERS.iter().any(|header| memmem::find(first, header.as_bytes()).is_some()) {
        return true;
    }
    let text = String::from_utf8_lossy(first);
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let conditional =
            rest.starts_with("/*M!") || rest.starts_with("/*!") && rest[3..].starts_with(char::is_numeric);
        if conditional || rest.starts_with("\\restrict ") || rest.starts_with("\\connect ") {
            return true;
        }
        let comment = if rest.starts_with("--") || rest.starts_with('#') {
            rest.split_once('\n')
        } else if rest.starts_with("/*") {
            rest.split_once("*/")
        } else {
            break;
        };
        let Some((_, behind)) = comment else { return false };
        rest = behind.trim_start();
    }
    let words = rest.get(..rest.len().min(400)).unwrap_or(rest).to_ascii_lowercase();
    let words = words.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let setting = |rest: &str| {
        let (name, value) = rest.split_at(rest.find([' ', '=']).unwrap_or(rest.len()));
        let value = value.trim_start();
        let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte));
        named && (value.starts_with('=') || value.starts_with("to "))
    };
    STATEMENTS.iter().any(|statement| words.starts_with(statement)) || words.strip_prefix("set ").is_some_and(setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_without_comments_are_told_from_other_files() {
        for dump in [
            "/*!40101 SET @saved_cs_client     = @@character_set_client */;",
            "/*M!999999\\- enable the sandbox mode */",
            "\u{feff}/*!40101 SET NAMES utf8 */;",
            "SET statement_timeout = 0;\nSET lock_timeout = 0;",
            "SET client_encoding TO 'UTF8';",
            "SET standard_conforming_strings=on;",
            "\\restrict abc\n",
            "-- by hand\n\nCREATE TABLE t (a int);",
            "# x\r\nDROP TABLE IF EXISTS `t`;",
            "INSERT INTO `t` VALUES (1);",
            "-- ----\n-- HeidiSQL Version: 12\n",
        ] {
            assert!(begins_as_dumps_do(dump.as_bytes()), "{dump}");
        }
        for other in [
            "/* Copyright */\nfunction a() {}",
            "/*!\n * jQuery v3.7\n */\n!function(e){}",
            "/*! normalize.css */ html {}",
            "-- a module of Lua's\nlocal x = require('x')",
            "--- \ntitle: x\n",
            "Use this file to restore the database.",
            "With best regards,",
            "Set up the server first; then go on.",
            "Create tables by hand.",
            "/* a licence of many words",
        ] {
            assert!(!begins_as_dumps_do(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn what_macos_adds_is_told() {
        for path in ["._toc.dat", "./._a.sql", "d/._toc.dat", "__MACOSX/d/._x", "__MACOSX/a.sql"] {
            assert!(is_apples(path), "{path}");
        }
        assert!(!is_apples("d/toc.dat") && !is_apples("./a.sql"));
        assert_eq!((folder_of("./d/toc.dat"), folder_of("./toc.dat"), folder_of("a/b/c")), ("d", "", "a/b"));
        assert!(is_called("./a.sql", "a.sql") && is_called("a.sql", "./a.sql") && !is_called("b/a.sql", "a.sql"));
    }
}
