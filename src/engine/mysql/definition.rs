//! The definitions of a dump's objects, as hashes: whether a restored database defines the same.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::head::{self, Object, Subject};
use super::lexer::{Syntax, Token};

/// The column that MySQL adds to a table without a primary key (`sql_generate_invisible_primary_key`).
pub(super) const ADDED_KEY: &str = "my_row_id";

/// The name under which a definition is held against another; none where it is not.
pub(super) fn name(subject: &Subject) -> Option<String> {
    let kind = match subject.object {
        Object::Table => "table",
        Object::View => "view",
        Object::Trigger => "trigger",
        Object::Routine => "procedure",
        Object::Function => "function",
        Object::Sequence => "sequence",
        // A server drops an event whose time is over; those of a trial are disabled.
        Object::Event | Object::Database | Object::Other => return None,
    };
    Some(format!("{kind} {}", subject.name.as_deref()?))
}

/// The value that MariaDB's dump gives to a sequence, by a name of its own: `DO SETVAL(`s`, 1001, 0)`.
pub(super) fn sequence_value(head: &[u8], syntax: &Syntax) -> Option<(String, u64)> {
    let pieces: Vec<_> = head::pieces(head, syntax).take(16).collect();
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
pub(super) fn has_counter(head: &[u8], syntax: &Syntax) -> bool {
    let mut pieces = head::pieces(head, syntax).peekable();
    while let Some(piece) = pieces.next() {
        if piece.is("auto_increment") && pieces.peek().is_some_and(|next| next.is_symbol(b'=')) {
            return true;
        }
    }
    false
}

/// The hash of a `CREATE`, without what changes with a table's rows, with who restores, and with the database's name.
pub(super) fn hash(head: &[u8], syntax: &Syntax, subject: &Subject, database: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut pieces = head::pieces(head, syntax).peekable();
    while let Some(piece) = pieces.next() {
        let of_definer = subject.definer.as_ref().is_some_and(|definer| definer.contains(&piece.at));
        let named = matches!(piece.token, Token::Quoted(_)).then(|| piece.unquoted()).flatten();
        if of_definer {
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
