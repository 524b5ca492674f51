//! A `CREATE`, as far as it matters to another server.

use super::super::definition::ADDED_KEY;
use super::super::lexer::{Syntax, Token};
use super::super::statement;

/// What a `CREATE` says that matters to another server.
#[derive(Default)]
pub(super) struct Created {
    pub(super) generated: Vec<String>,
    pub(super) floats: Vec<String>,
    pub(super) primary_key: bool,
    /// A column counts: `AUTO_INCREMENT`.
    pub(super) counts: bool,
    /// It has the column that MySQL adds by itself.
    pub(super) added_key: bool,
    pub(super) references: Vec<String>,
}

impl Created {
    pub(super) fn read(head: &[u8], syntax: &Syntax) -> Self {
        let mut found = Self::default();
        let (mut depth, mut column, mut column_next) = (0_u32, None, false);
        let (mut points, mut type_next, mut float) = (false, false, false);
        for piece in statement::pieces(head, syntax) {
            let is_type = std::mem::take(&mut type_next);
            let is_float = std::mem::replace(&mut float, is_type && piece.is("float"));
            match piece.token {
                Token::Symbol(b'(') => {
                    // `float(7,4)`
                    if is_float {
                        found.floats.pop();
                    }
                    depth += 1;
                    column_next = depth == 1;
                }
                Token::Symbol(b')') => depth = depth.saturating_sub(1),
                Token::Symbol(b',') => column_next = depth == 1,
                // `REFERENCES database.table` names the database before the dot.
                _ if std::mem::take(&mut points) => found.references.extend(piece.unquoted()),
                _ if std::mem::take(&mut column_next) => {
                    found.primary_key |= piece.is("primary");
                    column = matches!(piece.token, Token::Quoted(_)).then(|| piece.unquoted()).flatten();
                    type_next = column.is_some();
                    found.added_key |= column.as_deref() == Some(ADDED_KEY);
                }
                Token::Word if float => found.floats.extend(column.clone()),
                Token::Word => {
                    points = depth == 1 && piece.is("references");
                    if depth == 1 && piece.is("generated") {
                        found.floats.pop_if(|float| column.as_ref() == Some(float));
                        found.generated.extend(column.take());
                    }
                    found.primary_key |= depth == 1 && piece.is("primary");
                    found.counts |= depth == 1 && piece.is("auto_increment");
                }
                _ => {}
            }
        }
        found
    }
}
