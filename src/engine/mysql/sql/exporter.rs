//! Programs that write SQL without mysqldump's last line: how their files begin, and what stands at their ends.

use super::session_settings::Settings;
use crate::engine::Incomplete;
use crate::engine::stray::Stray;

/// How the first comments of a file name its program.
const PROGRAMS: [(&str, &str); 7] = [
    ("phpMyAdmin SQL Dump", "phpMyAdmin"),
    ("-- Adminer ", "Adminer"),
    ("HeidiSQL Version", "HeidiSQL"),
    ("Sequel Ace SQL dump", "Sequel Ace"),
    ("Sequel Pro SQL dump", "Sequel Pro"),
    ("SQLyog", "SQLyog"),
    ("Navicat", "Navicat"),
];

/// Who wrote a file, as far as its comments say.
#[derive(Clone, Default)]
pub(crate) struct Exporter {
    program: Option<&'static str>,
    /// The last comment was a date, with which Adminer ends.
    dated: bool,
    /// What phpMyAdmin wrote in the place of a table's rows or definition.
    failed: Option<String>,
}

/// How phpMyAdmin's remark about a table that it could not read begins.
const FAILED: [&str; 2] = ["-- Error reading data for table ", "-- Error reading structure for table "];

/// phpMyAdmin met an error and ended its export with this mark: nothing is to be taken out there.
pub(crate) fn broken_off(stray: &Stray) -> Option<Incomplete> {
    let what = "phpMyAdmin met an error and broke off (PMA-SQL-ERROR)";
    stray.text.contains("PMA-SQL-ERROR").then(|| Incomplete::new(what, stray.offset))
}

impl Exporter {
    /// A comment passes by.
    pub(crate) fn comment(&mut self, text: &str) {
        if self.program.is_none() {
            self.program = PROGRAMS.iter().find(|(words, _)| text.contains(words)).map(|(_, program)| *program);
        }
        if self.program == Some("phpMyAdmin") && FAILED.iter().any(|words| text.starts_with(words)) {
            self.failed.get_or_insert_with(|| text.trim_start_matches("-- ").trim_end().to_owned());
        }
        let date = text.strip_prefix("-- ").unwrap_or_default().trim_end();
        self.dated = date.len() == "2026-01-02 03:04:05".len()
            && date.bytes().all(|byte| byte.is_ascii_digit() || b"-: ".contains(&byte));
    }

    /// The program, where it is none of the servers' own.
    pub(crate) fn program(&self) -> Option<&'static str> {
        self.program
    }

    /// Why the end is missing, where the program writes one that can be told.
    pub(crate) fn cut(&self, settings: &Settings) -> Option<String> {
        if let Some(failed) = &self.failed {
            return Some(format!("phpMyAdmin could not read a table: {failed}"));
        }
        if let Some(variable) = settings.not_set_back() {
            return Some(format!(
                "its beginning saves a setting in @{variable}, and its end, which sets it back, is missing"
            ));
        }
        let adminer = self.program == Some("Adminer") && !self.dated;
        adminer.then(|| "the date is missing with which Adminer ends its exports".to_owned())
    }

    /// Why nothing proves that the file is whole.
    pub(crate) fn unproven(&self) -> String {
        match self.program {
            Some(program) => format!("{program} writes no mark at the end: nothing proves that the file is whole"),
            None => {
                "the last line \"-- Dump completed\" is missing: the dump was cut off, or made with --skip-comments or \
                     --compact, which leave no proof that it is whole"
                    .to_owned()
            }
        }
    }
}
