//! What a script's `SET` may say: its session's settings, in a way that doesn't change how the rest of it is read.

use std::collections::BTreeSet;

use super::gate::Reason;
use super::lexer::Token;
use super::statement::{SpannedToken, has_ansi_quotes};

/// Character sets in which a backslash may be the second half of a character: a string's end is not where it seems.
const WITH_BACKSLASHES: [&str; 5] = ["big5", "cp932", "gbk", "gb18030", "sjis"];

/// What dump programs and exporters set.
const SET_BY_PROGRAMS: &str = "\
    auto_increment_increment auto_increment_offset autocommit bulk_insert_buffer_size character_set_client \
    character_set_connection character_set_database character_set_results character_set_server \
    check_constraint_checks collation_connection collation_database collation_server \
    default_collation_for_utf8mb4 default_storage_engine default_table_encryption default_tmp_storage_engine \
    default_week_format div_precision_increment enforce_storage_engine explicit_defaults_for_timestamp \
    foreign_key_checks group_concat_max_len gtid_purged information_schema_stats_expiry innodb_compression_level \
    innodb_lock_wait_timeout innodb_strict_mode insert_id interactive_timeout join_buffer_size lc_messages \
    lc_time_names lock_wait_timeout long_query_time max_allowed_packet max_error_count max_execution_time \
    max_heap_table_size max_join_size max_recursive_iterations max_sort_length max_sp_recursion_depth \
    max_statement_time myisam_sort_buffer_size net_buffer_length net_read_timeout net_retry_count \
    net_write_timeout new note_verbosity old_alter_table optimizer_switch print_identified_with_as_hex \
    read_buffer_size restrict_fk_on_non_standard_key rocksdb_bulk_load secure_timestamp session_track_gtids \
    show_create_table_skip_secondary_engine show_create_table_verbosity \
    show_gipk_in_create_table_and_information_schema skip_replication sort_buffer_size sql_auto_is_null \
    sql_big_selects sql_generate_invisible_primary_key sql_log_bin sql_mode sql_notes sql_quote_show_create \
    sql_require_primary_key sql_safe_updates sql_select_limit sql_warnings standard_compliant_cte storage_engine \
    system_versioning_alter_history system_versioning_insert_history time_zone timestamp tmp_table_size \
    transaction_isolation transaction_read_only tx_isolation tx_read_only unique_checks \
    updatable_views_with_limit wait_timeout";

/// What the `SET` statements so far have come to.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    /// User variables that hold something else than what a setting was before.
    written: BTreeSet<String>,
    /// Settings that were saved in variables such as `@OLD_SQL_MODE`, and not yet set back.
    saved: BTreeSet<String>,
    /// The SQL mode decides otherwise where strings end: a variable that it is saved in is as good as written.
    odd_mode: bool,
    /// The client's character set may be one of [`WITH_BACKSLASHES`].
    backslashes: bool,
}

impl Settings {
    /// Reads what follows the word `SET`.
    pub(crate) fn read(&mut self, pieces: &[SpannedToken<'_>]) -> Result<(), Reason> {
        let (mut global, mut modes) = (false, 0);
        for assignment in parted(pieces) {
            let assignment = without_scope(assignment, &mut global)?;
            modes += u8::from(assignment.first().is_some_and(|piece| piece.is("sql_mode")));
            self.assignment(assignment, global)?;
        }
        // Whoever follows the backslashes looks at one.
        if modes > 1 { Err(Reason::Unclear) } else { Ok(()) }
    }

    /// A variable that the beginning saves a setting in and that no statement sets back: the end is missing.
    pub(crate) fn not_set_back(&self) -> Option<&str> {
        self.saved.first().map(String::as_str)
    }

    /// Whether a statement's strings may end elsewhere than they seem to.
    pub(crate) fn hides(&self, head: &[u8], first: &SpannedToken<'_>) -> bool {
        let has_rows = first.is("insert") || first.is("replace");
        self.backslashes && (has_rows || head.windows(2).any(|pair| pair[0] >= 0x81 && pair[1] == b'\\'))
    }

    fn assignment(&mut self, pieces: &[SpannedToken<'_>], global: bool) -> Result<(), Reason> {
        let [first, rest @ ..] = pieces else { return Err(Reason::Unknown) };
        if first.is("names") || first.is("charset") {
            return self.character_set(rest);
        }
        if first.is("character") && rest.first().is_some_and(|piece| piece.is("set")) {
            return self.character_set(&rest[1..]);
        }
        if first.is("transaction") {
            return if global { Err(Reason::Server) } else { Ok(()) };
        }
        if first.is_symbol(b'@') {
            return self.user_variable(rest);
        }
        let name = first.unquoted().ok_or(Reason::Unknown)?.to_ascii_lowercase();
        let value = assigned(rest).ok_or(Reason::Server)?;
        if global && name != "gtid_purged" || name.contains("debug") {
            return Err(Reason::Server);
        }
        self.setting(&name, value)
    }

    /// A system variable of this session.
    fn setting(&mut self, name: &str, value: &[SpannedToken<'_>]) -> Result<(), Reason> {
        if !SET_BY_PROGRAMS.split_ascii_whitespace().any(|known| known == name) {
            return Err(Reason::Server);
        }
        let values = coalesced(value);
        // Whoever follows the backslashes does not look into a call.
        let is_odd = |[saved, default]: [&[SpannedToken<'_>]; 2]| {
            !saved.first().is_some_and(|at| at.is_symbol(b'@')) || is_odd_mode(default)
        };
        if name == "sql_mode" && values.is_some_and(is_odd) {
            return Err(Reason::Unclear);
        }
        for value in values.unwrap_or([value, value]) {
            is_plain(value)?;
            if let [at, variable] = value
                && at.is_symbol(b'@')
            {
                self.saved.remove(&variable.unquoted().unwrap_or_default().to_ascii_lowercase());
            }
            match name {
                "sql_mode" if self.is_written(value) || !is_mode(value) => return Err(Reason::Unclear),
                "sql_mode" => self.odd_mode = is_odd_mode(value),
                "character_set_client" => self.character_set(value)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn user_variable(&mut self, pieces: &[SpannedToken<'_>]) -> Result<(), Reason> {
        let [name, rest @ ..] = pieces else { return Err(Reason::Unknown) };
        let name = name.unquoted().ok_or(Reason::Unknown)?.to_ascii_lowercase();
        let value = assigned(rest).ok_or(Reason::Unknown)?;
        is_plain(value)?;
        // What Percona's mysqldump prepares has texts of its own, which the gate knows.
        if name.ends_with("bulk_load") {
            return Err(Reason::Runs);
        }
        let saves = value.len() >= 3 && value[0].is_symbol(b'@') && value[1].is_symbol(b'@');
        let forgets = matches!(value, [one] if one.is("null"));
        if saves && name.starts_with("old_") {
            self.saved.insert(name.clone());
        }
        let saves_odd = self.odd_mode && value.last().is_some_and(|last| last.is("sql_mode"));
        if forgets || saves && !self.backslashes && !saves_odd {
            self.written.remove(&name);
        } else {
            self.written.insert(name);
        }
        Ok(())
    }

    /// `utf8mb4 COLLATE utf8mb4_bin`, `@saved_cs_client`.
    fn character_set(&mut self, value: &[SpannedToken<'_>]) -> Result<(), Reason> {
        is_plain(value)?;
        if !is_character_set(value) {
            return Err(Reason::Unclear);
        }
        let named = value.first().and_then(SpannedToken::unquoted).unwrap_or_default().to_ascii_lowercase();
        self.backslashes = WITH_BACKSLASHES.contains(&named.as_str()) || self.is_written(value);
        Ok(())
    }

    /// Whether a value is what a script wrote into a user variable.
    fn is_written(&self, value: &[SpannedToken<'_>]) -> bool {
        match value {
            [at, name, ..] if at.is_symbol(b'@') && !name.is_symbol(b'@') => {
                name.unquoted().is_none_or(|name| self.written.contains(&name.to_ascii_lowercase()))
            }
            _ => false,
        }
    }
}

/// The assignments, which commas part; one within parentheses parts nothing.
fn parted<'p, 'a>(pieces: &'p [SpannedToken<'a>]) -> impl Iterator<Item = &'p [SpannedToken<'a>]> {
    let mut depth = 0_u32;
    pieces.split(move |piece| {
        match piece.token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && piece.is_symbol(b',')
    })
}

/// Without `GLOBAL`, `@@SESSION.` and the like. A scope holds for what follows without one.
fn without_scope<'p, 'a>(pieces: &'p [SpannedToken<'a>], global: &mut bool) -> Result<&'p [SpannedToken<'a>], Reason> {
    let mut rest = pieces;
    if let [one, two, more @ ..] = rest
        && one.is_symbol(b'@')
        && two.is_symbol(b'@')
    {
        rest = more;
        *global = false;
    }
    let Some(first) = rest.first() else { return Err(Reason::Unknown) };
    let scope = if ["session", "local"].iter().any(|word| first.is(word)) {
        Some(false)
    } else {
        ["global", "persist", "persist_only"].iter().any(|word| first.is(word)).then_some(true)
    };
    if let Some(scope) = scope {
        *global = scope;
        rest = match &rest[1..] {
            [dot, name @ ..] if dot.is_symbol(b'.') => name,
            name => name,
        };
    }
    Ok(rest)
}

/// What stands behind `=` or `:=`.
fn assigned<'p, 'a>(pieces: &'p [SpannedToken<'a>]) -> Option<&'p [SpannedToken<'a>]> {
    match pieces {
        [colon, equals, value @ ..] if colon.is_symbol(b':') && equals.is_symbol(b'=') => Some(value),
        [equals, value @ ..] if equals.is_symbol(b'=') => Some(value),
        _ => None,
    }
}

/// `IFNULL(@OLD_SQL_MODE, '')`, as `HeidiSQL` writes it: both of its values.
fn coalesced<'p, 'a>(value: &'p [SpannedToken<'a>]) -> Option<[&'p [SpannedToken<'a>]; 2]> {
    let [call, open, variable @ .., close] = value else { return None };
    let comma = variable.iter().position(|piece| piece.is_symbol(b','))?;
    let is_call = call.is("ifnull") && open.is_symbol(b'(') && close.is_symbol(b')');
    is_call.then_some([&variable[..comma], &variable[comma + 1..]])
}

/// Literals, words and variables: nothing is called.
fn is_plain(value: &[SpannedToken<'_>]) -> Result<(), Reason> {
    let calls = value.iter().any(|piece| piece.is_symbol(b'(') || piece.is_symbol(b':') || piece.is("select"));
    if calls { Err(Reason::Runs) } else { Ok(()) }
}

/// A name or a variable: by a number, or in pieces, any could be meant.
fn is_character_set(value: &[SpannedToken<'_>]) -> bool {
    let is_open = |piece: &SpannedToken<'_>| {
        let name = piece.unquoted().unwrap_or_default();
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    match value {
        [name] => is_open(name),
        [name, collate, ..] if collate.is("collate") => is_open(name),
        [at, variable] => at.is_symbol(b'@') && matches!(variable.token, Token::Word | Token::Quoted(_)),
        [at, and_at, ..] => at.is_symbol(b'@') && and_at.is_symbol(b'@'),
        [] => false,
    }
}

/// A mode in which backslashes escape nothing, or double quotes are those of names.
fn is_odd_mode(value: &[SpannedToken<'_>]) -> bool {
    let text = value.iter().flat_map(|piece| piece.text.to_ascii_uppercase()).collect::<Vec<_>>();
    memchr::memmem::find(&text, b"NO_BACKSLASH_ESCAPES").is_some() || has_ansi_quotes(&text)
}

/// One literal without escapes, or a variable: what of it is `NO_BACKSLASH_ESCAPES` can be seen.
fn is_mode(value: &[SpannedToken<'_>]) -> bool {
    let is_open = |text: &[u8]| text.iter().all(|b| b.is_ascii_alphabetic() || b"_,'\" ".contains(b));
    match value {
        [literal] => is_open(literal.text),
        [at, variable] => at.is_symbol(b'@') && matches!(variable.token, Token::Word | Token::Quoted(_)),
        [at, and_at, name @ ..] => {
            at.is_symbol(b'@') && and_at.is_symbol(b'@') && name.last().is_some_and(|name| name.is("sql_mode"))
        }
        [] => false,
    }
}
