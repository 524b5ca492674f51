//! The definitions of a dump's objects, as hashes: whether a restored database defines the same.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::lexer::{Syntax, Token};
use super::statement::{self, Object, SpannedToken, StatementInfo};
use crate::engine::mysql::features::Statement;

/// The column that MySQL adds to a table without a primary key (`sql_generate_invisible_primary_key`).
pub(crate) const ADDED_KEY: &str = "my_row_id";

/// The name under which a definition is held against another; none where it is not.
pub(crate) fn name(subject: &StatementInfo) -> Option<String> {
    let kind = match subject.object {
        Object::Table => "table",
        Object::View => "view",
        Object::Trigger => "trigger",
        Object::Routine => "procedure",
        Object::Function => "function",
        Object::Sequence => "sequence",
        Object::Event => "event",
        Object::Database | Object::Other => return None,
    };
    Some(format!("{kind} {}", subject.name.as_deref()?))
}

/// The value that MariaDB's dump gives to a sequence, by a name of its own: `DO SETVAL(`s`, 1001, 0)`.
pub(crate) fn sequence_value(head: &[u8], syntax: &Syntax) -> Option<(String, u64)> {
    let pieces: Vec<_> = statement::pieces(head, syntax).take(16).collect();
    let (call, value) = pieces.split_at_checked(5)?;
    if !(call[0].is("do") || call[0].is("select")) || !call[1].is("setval") {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    for piece in value {
        piece.text.hash(&mut hasher);
    }
    Some((format!("sequence value {}", call[3].unquoted()?), hasher.finish()))
}

/// Whether a table's counter stands in its definition: `AUTO_INCREMENT=7`.
pub(crate) fn has_counter(head: &[u8], syntax: &Syntax) -> bool {
    let mut pieces = statement::pieces(head, syntax).peekable();
    while let Some(piece) = pieces.next() {
        if piece.is("auto_increment") && pieces.peek().is_some_and(|next| next.is_symbol(b'=')) {
            return true;
        }
    }
    false
}

/// The hash of a `CREATE`, without what changes with a table's rows, with who restores, and with the database's name; of an
/// event without whether it runs, which a trial never lets it.
pub(crate) fn hash(head: &[u8], syntax: &Syntax, subject: &StatementInfo, database: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut pieces: Vec<_> = statement::pieces(head, syntax).collect();
    // One behind a body, which a restore leaves out.
    while pieces.pop_if(|piece| piece.is_symbol(b';')).is_some() {}
    let implied = if subject.object == Object::Table { implied(&pieces) } else { BTreeSet::new() };
    let mut pieces = pieces.iter().filter(|piece| !implied.contains(&piece.at)).peekable();
    let mut schedules = subject.object == Object::Event;
    while let Some(piece) = pieces.next() {
        schedules &= !piece.is("do");
        let of_definer = subject.definer.as_ref().is_some_and(|definer| definer.contains(&piece.at));
        let named = matches!(piece.token, Token::Quoted(_)).then(|| piece.unquoted()).flatten();
        if of_definer || schedules && (piece.is("enable") || piece.is("disable")) {
        } else if piece.is("auto_increment") && pieces.next_if(|next| next.is_symbol(b'=')).is_some() {
            pieces.next();
        } else if named.is_some()
            && named.as_deref() == database
            && pieces.next_if(|next| next.is_symbol(b'.')).is_some()
        {
        } else {
            piece.text.hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Where words stand that say of a column what is known without them: a collation's character set, and what the table has
/// already. A server writes `COLLATE x` of a column that inherited it, and `CHARACTER SET y COLLATE x` of the same column
/// once that was said.
fn implied(pieces: &[SpannedToken<'_>]) -> BTreeSet<usize> {
    let statement = Statement::new(pieces);
    let of_table = Charset { set: statement.option_named("charset"), collation: statement.option_named("collate") };
    let mut implied = BTreeSet::new();
    for column in statement.parts.iter().filter(|part| part.first().is_some_and(|piece| piece.unquoted().is_some())) {
        let set = clause(column, &["character", "set"]);
        let collation = clause(column, &["collate"]);
        let named = |clause: Option<&[SpannedToken<'_>]>| clause.and_then(|clause| clause.last()?.unquoted());
        let own = Charset { set: named(set), collation: named(collation) };
        let is_inherited = match &own.collation {
            Some(_) => own.collation == of_table.collation,
            None => own.set.is_some() && own.set == of_table.set && of_table.collation.is_none(),
        };
        let places = |clause: Option<&[SpannedToken<'_>]>| {
            clause.unwrap_or_default().iter().map(|piece| piece.at).collect::<Vec<_>>()
        };
        if own.collation.is_some() || is_inherited {
            implied.extend(places(set));
        }
        if is_inherited {
            implied.extend(places(collation));
        }
    }
    implied
}

/// What characters a table or a column has.
struct Charset {
    set: Option<String>,
    collation: Option<String>,
}

/// These words and the name behind them, outside of brackets.
fn clause<'p, 'a>(column: &'p [SpannedToken<'a>], words: &[&str]) -> Option<&'p [SpannedToken<'a>]> {
    let mut depth = 0_u32;
    for (at, piece) in column.iter().enumerate() {
        match piece.token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        let found = column.get(at..=at + words.len()).filter(|_| depth == 0);
        if let Some(found) = found.filter(|found| found.iter().zip(words).all(|(piece, word)| piece.is(word))) {
            return Some(found);
        }
    }
    None
}
