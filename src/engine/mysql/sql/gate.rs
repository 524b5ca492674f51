//! What a script may hold: the statements that dump programs and exporters write, for the one database at hand.
//!
//! Everything else is stopped before the target is touched. What a trigger, routine, event or view does when it is called
//! is not judged: nobody can. The list is of what is known, not of what is dangerous: a statement that this file has never
//! heard of is stopped, too.
//!
//! `--binary-mode` keeps every client from obeying its own commands in a script; the server would stop at the first with a
//! syntax error, in the middle of a restore that can't be taken back. So they are found before.

mod words;

use words::{COMMANDS, REACHING, is_perconas};
pub(in crate::engine::mysql) use words::{is_statement, rows_may_call};

use super::bodies::{self, Routine};
use super::doubts::is_doubtful;
use super::lexer::{Syntax, Token};
use super::session_settings::Settings;
use super::statement::{self, NEW, SpannedToken};

/// The one command that the client obeys in a script.
pub(crate) const DELIMITER: &[u8] = b"delimiter";

/// What rows may not hold: an assignment to a variable, which later statements might be read by, and versioned comments.
pub(crate) const ASSIGNS: &[u8] = b":=";
/// See [`ASSIGNS`].
pub(crate) const VERSIONED: &[u8] = b"/*!";

/// What a `SET` may change that decides where strings end.
const DECIDE: [&str; 5] = ["sql_mode", "names", "charset", "character", "character_set_client"];

/// In the reason of what is written in a character set with backslashes.
pub(crate) const CHARACTER_SET: &str = "in its character set a backslash may be half of a character";

/// How much of a statement is shown.
const SHOWN: usize = 160;

/// Why a statement is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A command of the client's.
    Command,
    /// Files of the server's or the client's machine, or a program that the server loads.
    Files,
    /// Accounts, global settings, other servers.
    Server,
    /// It runs a query, a routine or a function while it restores.
    Runs,
    /// A folder outside of the server's own.
    Folder,
    /// Its character set hides where strings end.
    CharacterSet,
    /// Rows that go through a view, to wherever it points.
    View,
    /// Reader and server may take its bytes for different statements.
    Unclear,
    /// Whatever else is not known.
    Unknown,
}

impl Reason {
    /// The reason in words that follow a statement.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Command => "a command of the client's, which no dump program writes",
            Self::Files => "it reaches for files or programs of the server's machine",
            Self::Server => "it changes the server, not its database",
            Self::Runs => "it runs a query or a function, which no dump program writes there",
            Self::Folder => {
                "it puts a table's file into a folder outside of the server's own: dump programs write that of a table that stood in one"
            }
            Self::CharacterSet => CHARACTER_SET,
            Self::View => "it sends rows through a view, which no dump program writes",
            Self::Unclear => "servers may read it in another way than it looks",
            Self::Unknown => "no dump program writes such a statement",
        }
    }
}

/// What is found of one statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Why it is stopped.
    pub(crate) reason: Option<Reason>,
    /// The databases whose objects it changes, where it names them.
    pub(crate) databases: Vec<String>,
    /// The databases whose sequences a table's expressions call, where they name them.
    pub(crate) sequences: Vec<String>,
    /// The table that rows come into or go from, or that gets another name.
    pub(crate) fills: Option<String>,
    /// It has a body, which may be longer than what is judged.
    pub(crate) has_body: bool,
}

/// The judge of one script: some statements change how later ones are read.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    settings: Settings,
}

impl Gate {
    /// What the script set.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Judges a statement by its head.
    pub(crate) fn judge(&mut self, head: &[u8], syntax: &Syntax) -> Found {
        let pieces: Vec<SpannedToken<'_>> = statement::pieces(head, syntax).collect();
        let mut statement = Statement { pieces: &pieces, at: 0, found: Found::default(), body: None };
        let doubtful = is_doubtful(head, syntax, pieces.first().is_some_and(brings_rows)).then_some(Reason::Unclear);
        let Some(first) = pieces.first() else { return Found { reason: doubtful, ..statement.found } };
        if is_perconas(&pieces) {
            return Found { reason: doubtful, ..statement.found };
        }
        let verdict = if first.is("set") { self.settings.read(&pieces[1..]) } else { statement.whole() };
        let Statement { mut found, body, .. } = statement;
        let several = match body {
            Some((name_end, routine)) => bodies::follow_body(&pieces, name_end, routine),
            None => bodies::follow(&pieces),
        };
        // Bodies are for the server alone: the client only looks for their end.
        let unclear = !found.has_body && pieces.iter().any(is_unclear)
            || pieces.iter().any(|piece| piece.token == Token::Word && holds_delimiter(piece.text))
            || is_read_by_some(&pieces, found.has_body)
            || several;
        let hides = self.settings.hides(head, first).then_some(Reason::CharacterSet);
        found.reason = verdict.err().or(doubtful).or(unclear.then_some(Reason::Unclear)).or(hides);
        found
    }
}

/// Whether servers read different statements: one that begins otherwise for some of them, or whose rows do.
fn is_read_by_some(pieces: &[SpannedToken<'_>], has_body: bool) -> bool {
    // Up to the name of what is made; of rows and bodies everything.
    const BEGINNING: usize = 3;
    let first = &pieces[0];
    let has_rows = brings_rows(first);
    if first.is("set") {
        // What later statements are read by: every server must have set it.
        let decides = |piece: &SpannedToken<'_>| DECIDE.iter().any(|word| piece.is(word));
        return pieces.iter().any(decides) && pieces.iter().any(|piece| piece.since >= NEW);
    }
    let differs = |piece: &SpannedToken<'_>| piece.since != first.since && (piece.since >= NEW || first.since >= NEW);
    let looked_at = if has_rows || has_body { pieces.len() } else { BEGINNING.min(pieces.len()) };
    pieces[..looked_at].iter().any(|piece| differs(piece) || has_rows && piece.since != first.since)
}

/// A byte that servers take for a blank, and a string that begins in a versioned comment and goes on behind it.
fn is_unclear(piece: &SpannedToken<'_>) -> bool {
    match piece.token {
        Token::Symbol(byte) => byte.is_ascii_control(),
        Token::Broken => true,
        Token::Quoted(_) => piece.versioned() && memchr::memmem::find(piece.text, b"*/").is_some(),
        _ => false,
    }
}

/// The client obeys its `DELIMITER` wherever it stands outside of strings, also inside of a word.
pub(crate) fn holds_delimiter(code: &[u8]) -> bool {
    code.windows(DELIMITER.len()).any(|word| word.eq_ignore_ascii_case(DELIMITER))
}

/// What a judgement comes to.
type Verdict = Result<(), Reason>;

/// A statement that is read from left to right.
struct Statement<'p, 'a> {
    pieces: &'p [SpannedToken<'a>],
    at: usize,
    found: Found,
    /// Where the name ends behind which a body stands, and whose it is.
    body: Option<(usize, Routine)>,
}

impl<'p, 'a> Statement<'p, 'a> {
    fn whole(&mut self) -> Verdict {
        let first = &self.pieces[0];
        if first.is_symbol(b'\\') || COMMANDS.iter().any(|command| first.is(command)) {
            return Err(Reason::Command);
        }
        self.at = 1;
        let verdict = match String::from_utf8_lossy(first.text).to_ascii_lowercase().as_str() {
            "create" => self.create(),
            "drop" => self.drop_object(),
            "alter" => self.alter(),
            "insert" | "replace" => self.insert(),
            "lock" => self.lock(),
            "unlock" | "use" | "commit" | "rollback" => Ok(()),
            "begin" => self.ends_after(&["work"]),
            "start" | "stop" | "change" => self.start(),
            "analyze" => self.analyze(),
            "truncate" => self.skip(&["table"]).targets(),
            "delete" => self.delete(),
            "do" | "select" => self.select(),
            _ => Err(Reason::Unknown),
        };
        verdict.map_err(|reason| if reason == Reason::Unknown { self.unknown() } else { reason })
    }

    /// A statement that is stopped anyway: what it is after.
    fn unknown(&self) -> Reason {
        const SERVER: &str =
            "binlog clone flush grant import install kill purge reset restart revoke shutdown uninstall";
        let first = &self.pieces[0];
        let named = |words: &str| words.split(' ').any(|word| first.is(word));
        let second = |words: &str| words.split(' ').any(|word| self.pieces.get(1).is_some_and(|piece| piece.is(word)));
        let follows = |word: &str, next: &[&str]| {
            let mut pairs = self.pieces.windows(2);
            pairs.any(|pair| pair[0].is(word) && next.iter().any(|next| pair[1].is(next)))
        };
        let files = first.is("load") && second("data xml")
            || first.is("install") && second("plugin soname component")
            || follows("into", &["outfile", "dumpfile"])
            || self.has(&["load_file", "soname"]);
        let accounts =
            named("create drop alter rename") && second("user role server tablespace logfile undo resource spatial");
        match () {
            () if files => Reason::Files,
            () if accounts || named(SERVER) => Reason::Server,
            () if named("call do execute prepare select table values with update if for while loop case handler") => {
                Reason::Runs
            }
            () => Reason::Unknown,
        }
    }

    fn peek(&self) -> Option<&'p SpannedToken<'a>> {
        self.pieces.get(self.at)
    }

    fn next_is(&self, words: &[&str]) -> bool {
        self.peek().is_some_and(|piece| words.iter().any(|word| piece.is(word)))
    }

    /// Goes on behind words that change nothing here.
    fn skip(&mut self, words: &[&str]) -> &mut Self {
        while self.next_is(words) {
            self.at += 1;
        }
        self
    }

    fn took(&mut self, wanted: impl Fn(&SpannedToken<'_>) -> bool) -> bool {
        let takes = self.peek().is_some_and(wanted);
        self.at += usize::from(takes);
        takes
    }

    fn has(&self, words: &[&str]) -> bool {
        self.pieces.iter().any(|piece| words.iter().any(|word| piece.is(word)))
    }

    fn ends_after(&mut self, words: &[&str]) -> Verdict {
        self.skip(words);
        if self.at == self.pieces.len() { Ok(()) } else { Err(Reason::Unknown) }
    }

    /// A name, with its database's where it has one.
    fn name(&mut self) -> Verdict {
        let first = self.name_part().ok_or(Reason::Unknown)?;
        if self.took(|piece| piece.is_symbol(b'.')) {
            self.name_part().ok_or(Reason::Unknown)?;
            self.found.databases.push(first);
        }
        Ok(())
    }

    /// A part of a name.
    fn name_part(&mut self) -> Option<String> {
        let named = |first: &&SpannedToken<'_>| matches!(first.token, Token::Word | Token::Quoted(b'`' | b'"'));
        self.peek().filter(named)?;
        let (name, taken) = statement::leading_name(&self.pieces[self.at..])?;
        self.at += taken;
        Some(name)
    }

    /// Names between commas, to the end.
    fn targets(&mut self) -> Verdict {
        loop {
            self.name()?;
            self.skip(&["restrict", "cascade"]);
            if self.at == self.pieces.len() {
                return Ok(());
            }
            if !self.took(|piece| piece.is_symbol(b',')) {
                return Err(Reason::Unknown);
            }
        }
    }

    /// Up to the word that says what is made: `OR REPLACE ALGORITHM=x DEFINER=a@b SQL SECURITY INVOKER`.
    fn before_object(&mut self) {
        loop {
            self.skip(&["or", "replace", "temporary", "ignore", "aggregate", "sql", "security", "invoker", "online"]);
            self.skip(&["json", "relational", "duality"]);
            let is_option = self.next_is(&["algorithm", "definer"]);
            let assigns = self.pieces.get(self.at + 1).is_some_and(|piece| piece.is_symbol(b'='));
            if is_option && assigns {
                self.at += 2;
                self.user_account();
            } else if !self.took(|piece| piece.is("definer")) {
                // `SQL SECURITY DEFINER` has the word, too.
                return;
            }
        }
    }

    /// `user`, `user@host`, `CURRENT_USER()`.
    fn user_account(&mut self) {
        let _ = self.name_part().is_some() || self.took(|piece| matches!(piece.token, Token::Quoted(_)));
        if self.took(|piece| piece.is_symbol(b'(')) {
            self.took(|piece| piece.is_symbol(b')'));
        }
        if self.took(|piece| piece.is_symbol(b'@')) {
            let _ = self.name_part().is_some() || self.took(|piece| matches!(piece.token, Token::Quoted(_)));
            while self.took(|piece| piece.is_symbol(b'.')) {
                self.name_part();
            }
        }
    }

    fn create(&mut self) -> Verdict {
        self.before_object();
        let Some(object) = self.peek() else { return Err(Reason::Unknown) };
        self.at += 1;
        match String::from_utf8_lossy(object.text).to_ascii_lowercase().as_str() {
            "table" => self.create_table(),
            "view" | "sequence" => self.named(),
            "trigger" | "procedure" | "event" | "package" => {
                self.skip(&["body"]);
                let routine = match () {
                    () if object.is("trigger") => Routine::Trigger,
                    () if object.is("procedure") => Routine::Procedure,
                    () if object.is("event") => Routine::Event,
                    () => Routine::Package,
                };
                self.named()?;
                self.has_body(routine);
                Ok(())
            }
            "function" => self.create_function(),
            "database" | "schema" => Ok(()),
            "unique" | "fulltext" | "spatial" | "index" => self.create_index(),
            _ => Err(Reason::Unknown),
        }
    }

    fn named(&mut self) -> Verdict {
        self.skip(&["if", "not", "exists"]);
        self.name()
    }

    fn create_table(&mut self) -> Verdict {
        self.named()?;
        self.expressions()
    }

    /// `CREATE FUNCTION f RETURNS STRING SONAME 'x.so'` has no parentheses.
    fn create_function(&mut self) -> Verdict {
        self.named()?;
        if !self.peek().is_some_and(|piece| piece.is_symbol(b'(')) {
            return Err(Reason::Files);
        }
        self.has_body(Routine::Function);
        Ok(())
    }

    fn has_body(&mut self, routine: Routine) {
        self.found.has_body = true;
        self.body = Some((self.at, routine));
    }

    fn create_index(&mut self) -> Verdict {
        self.skip(&["unique", "fulltext", "spatial", "index"]);
        self.named()?;
        self.skip(&["using", "btree", "hash"]);
        if !self.took(|piece| piece.is("on")) {
            return Err(Reason::Unknown);
        }
        self.name()?;
        self.expressions()
    }

    /// What follows a table's name: no query, no file, and other databases only where a foreign key or a sequence points.
    fn expressions(&mut self) -> Verdict {
        if self.has(&["load_file"]) || self.engine_is("connect") {
            return Err(Reason::Files);
        }
        let reaches =
            |pair: &[SpannedToken<'_>]| REACHING.iter().any(|name| pair[0].is(name)) && pair[1].is_symbol(b'(');
        if self.pieces.windows(2).any(reaches) {
            return Err(Reason::Server);
        }
        let in_folder =
            |pair: &[SpannedToken<'_>]| (pair[0].is("data") || pair[0].is("index")) && pair[1].is("directory");
        if self.pieces.windows(2).any(in_folder) {
            return Err(Reason::Folder);
        }
        // Of a partition, `VALUES LESS THAN` and `VALUES IN`.
        let rows = |pair: &[SpannedToken<'_>]| pair[0].is("values") && !pair[1].is("less") && !pair[1].is("in");
        if self.has(&["select"]) || self.pieces.windows(2).any(rows) {
            return Err(Reason::Runs);
        }
        while let Some(piece) = self.peek() {
            if piece.is("references") {
                self.pointed_at();
            } else if ["nextval", "lastval", "setval"].iter().any(|word| piece.is(word)) {
                let named = self.pointed_at();
                self.found.sequences.extend(named);
            } else if piece.text.first().is_some_and(u8::is_ascii_digit) {
                // `1.5` is no column of a table `1`.
                self.at += 1;
                self.took(|piece| piece.is_symbol(b'.'));
            } else if matches!(piece.token, Token::Word | Token::Quoted(b'`' | b'"')) {
                self.name()?;
            } else {
                self.at += 1;
            }
        }
        Ok(())
    }

    /// Goes on behind a name that is only pointed at, and says which databases it names.
    fn pointed_at(&mut self) -> Vec<String> {
        self.at += 1;
        self.took(|piece| piece.is_symbol(b'('));
        let known = self.found.databases.len();
        let _ = self.name();
        self.found.databases.split_off(known)
    }

    /// MariaDB's CONNECT reads and writes files of the server's machine.
    fn engine_is(&self, name: &str) -> bool {
        let named = |triple: &[SpannedToken<'_>]| {
            let text = triple[2].unquoted().unwrap_or_default();
            triple[0].is("engine") && triple[1].is_symbol(b'=') && text.eq_ignore_ascii_case(name)
        };
        self.pieces.windows(3).any(named) || self.pieces.windows(2).any(|pair| pair[0].is("engine") && pair[1].is(name))
    }

    fn drop_object(&mut self) -> Verdict {
        self.skip(&["temporary"]);
        let Some(object) = self.peek() else { return Err(Reason::Unknown) };
        self.at += 1;
        match String::from_utf8_lossy(object.text).to_ascii_lowercase().as_str() {
            "table" | "tables" | "view" | "trigger" | "procedure" | "function" | "event" | "sequence" | "package" => {
                self.skip(&["body", "if", "exists"]).targets()
            }
            "database" | "schema" => Ok(()),
            "index" => {
                self.named()?;
                if self.took(|piece| piece.is("on")) { self.name() } else { Err(Reason::Unknown) }
            }
            _ => Err(Reason::Unknown),
        }
    }

    fn alter(&mut self) -> Verdict {
        self.skip(&["ignore", "online"]);
        let Some(object) = self.peek() else { return Err(Reason::Unknown) };
        self.at += 1;
        match String::from_utf8_lossy(object.text).to_ascii_lowercase().as_str() {
            "table" | "sequence" if self.has(&["discard", "import"]) => Err(Reason::Files),
            "table" | "sequence" => {
                let renames = self.has(&["rename"]);
                let start = self.at;
                self.found.fills = self.name_part().filter(|_| renames);
                self.at = start;
                self.create_table()
            }
            "database" | "schema" if self.next_is(&["character", "charset", "collate", "default"]) => Ok(()),
            "database" | "schema" => self.name_part().map(drop).ok_or(Reason::Unknown),
            _ => Err(Reason::Unknown),
        }
    }

    /// Up to `VALUES`; rows come behind the head.
    fn insert(&mut self) -> Verdict {
        self.skip(&["low_priority", "delayed", "high_priority", "ignore", "into"]);
        self.filled()?;
        if self.next_is(&["set"]) {
            return self.assigned();
        }
        if self.took(|piece| piece.is_symbol(b'(')) {
            while self.took(|piece| !piece.is_symbol(b'(') && !piece.is_symbol(b')') && !piece.is("select")) {}
            if !self.took(|piece| piece.is_symbol(b')')) {
                return Err(Reason::Runs);
            }
        }
        let rows = self.took(|piece| piece.is("values") || piece.is("value"));
        if rows && self.at == self.pieces.len() { Ok(()) } else { Err(Reason::Runs) }
    }

    /// A name that rows come into or go from.
    fn filled(&mut self) -> Verdict {
        let start = self.at;
        self.name()?;
        let (end, mut last) = (self.at, None);
        self.at = start;
        while self.at < end {
            last = self.name_part().or(last);
            self.took(|piece| piece.is_symbol(b'.'));
        }
        self.found.fills = last;
        Ok(())
    }

    /// `INSERT INTO t SET a = 1, b = NOW()`.
    fn assigned(&mut self) -> Verdict {
        let calls = |pair: &[SpannedToken<'_>]| pair[1].is_symbol(b'(') && !rows_may_call(pair[0].text);
        let assigns = self.pieces.iter().any(|piece| piece.is_symbol(b':'));
        if assigns || self.pieces[self.at..].windows(2).any(calls) { Err(Reason::Runs) } else { Ok(()) }
    }

    /// `LOCK TABLES t READ LOCAL, u WRITE`.
    fn lock(&mut self) -> Verdict {
        if !self.took(|piece| piece.is("table") || piece.is("tables")) {
            return Err(Reason::Unknown);
        }
        while self.at < self.pieces.len() {
            self.name()?;
            self.skip(&["read", "write", "local", "low_priority"]);
            self.took(|piece| piece.is_symbol(b','));
        }
        Ok(())
    }

    /// `START TRANSACTION`; what makes a replica is left out of a restore.
    fn start(&mut self) -> Verdict {
        let known: &[&str] = match () {
            () if self.pieces[0].is("start") => &["transaction", "slave", "replica"],
            () if self.pieces[0].is("stop") => &["slave", "replica"],
            () => &["master", "replication"],
        };
        if self.next_is(known) { Ok(()) } else { Err(Reason::Unknown) }
    }

    /// `ANALYZE TABLE t UPDATE HISTOGRAM ON a WITH 100 BUCKETS`; of MariaDB's `ANALYZE SELECT` the query runs.
    fn analyze(&mut self) -> Verdict {
        self.skip(&["no_write_to_binlog", "local"]);
        if self.took(|piece| piece.is("table") || piece.is("tables")) { self.name() } else { Err(Reason::Runs) }
    }

    /// `DELETE FROM t`, all of it.
    fn delete(&mut self) -> Verdict {
        if !self.took(|piece| piece.is("from")) {
            return Err(Reason::Unknown);
        }
        self.filled()?;
        if self.at == self.pieces.len() { Ok(()) } else { Err(Reason::Runs) }
    }

    /// `SELECT SETVAL(s, 7, 0)`, `DO NEXTVAL(s)`, and what only shows a text.
    fn select(&mut self) -> Verdict {
        if self.next_is(&["setval", "nextval"]) {
            self.at += 1;
            if !self.took(|piece| piece.is_symbol(b'(')) {
                return Err(Reason::Unknown);
            }
            self.name()?;
        }
        let plain = |piece: &SpannedToken<'_>| {
            let literal = matches!(piece.token, Token::Quoted(_)) || piece.text.first().is_some_and(u8::is_ascii_digit);
            literal || piece.is("as") || [b',', b')', b'-'].iter().any(|symbol| piece.is_symbol(*symbol))
        };
        if self.pieces[self.at..].iter().all(plain) { Ok(()) } else { Err(Reason::Unknown) }
    }
}

/// Whether rows follow this head.
pub(crate) fn has_rows(head: &[u8], syntax: &Syntax) -> bool {
    statement::pieces(head, syntax).next().is_some_and(|first| brings_rows(&first))
}

/// Whether rows follow a statement's first word.
fn brings_rows(first: &SpannedToken<'_>) -> bool {
    first.is("insert") || first.is("replace")
}

/// The beginning of a statement, in one line.
pub(crate) fn display_beginning(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(&head[..head.len().min(SHOWN)]);
    let dots = if head.len() > SHOWN { "..." } else { "" };
    text.split_whitespace().collect::<Vec<_>>().join(" ") + dots
}

#[cfg(test)]
mod tests;
