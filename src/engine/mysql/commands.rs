//! What a script may hold beside SQL for its database: the mysql client's own commands, and the files of the server's
//! machine.
//!
//! `--binary-mode` keeps every client from obeying its commands in a script, so none of them runs; but the server would
//! stop at the first with a syntax error, in the middle of a restore that can't be taken back. So they are found before.

use super::head::{self, Piece};
use super::lexer::{Syntax, Token};

/// Client commands that are no statements of any server's.
const COMMANDS: [&str; 10] =
    ["system", "source", "tee", "notee", "pager", "nopager", "edit", "print", "prompt", "resetconnection"];

/// The words that begin a statement, of MySQL's or MariaDB's.
const STATEMENTS: &str = "alter analyze backup begin binlog cache call case change check checksum clone commit create deallocate \
    declare delete desc describe do drop end execute explain flush for get grant handler help if import insert \
    install kill load lock loop optimize prepare purge release rename repair repeat replace reset resignal \
    restart revoke rollback savepoint select set show shutdown signal start stop table truncate uninstall \
    unlock update use values while with xa";

/// How much of a statement is shown.
const SHOWN: usize = 160;

/// What a statement is, when it is more than SQL for its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A command of the client's.
    Command,
    /// Reads or writes files of the server's or the client's machine, or loads a program into the server.
    Files,
}

/// Judges a statement by its head.
pub(super) fn judge(head: &[u8], syntax: &Syntax) -> Option<Kind> {
    let mut pieces = head::pieces(head, syntax).peekable();
    let first = pieces.next()?;
    if first.is_symbol(b'\\') || COMMANDS.iter().any(|command| first.is(command)) {
        return Some(Kind::Command);
    }
    let files = if first.is("load") {
        pieces.peek().is_some_and(|next| next.is("data") || next.is("xml"))
    } else if first.is("install") {
        true
    } else if first.is("select") || first.is("with") || first.token == Token::Symbol(b'(') {
        follows(pieces, "into", &["outfile", "dumpfile"])
    } else if first.is("create") {
        follows(pieces, "returns", &["string", "integer", "real", "decimal"]) && loads(head, syntax)
    } else {
        false
    };
    files.then_some(Kind::Files)
}

/// Whether a statement begins as one does, as far as that can be told: a versioned comment may hold another server's words.
pub(super) fn is_statement(head: &[u8], syntax: &Syntax) -> bool {
    let Some(first) = head::pieces(head, syntax).next() else { return true };
    let begins = STATEMENTS.split(' ').chain(COMMANDS).any(|word| first.is(word));
    begins || first.versioned() || first.is_symbol(b'(') || first.is_symbol(b'\\')
}

/// `CREATE FUNCTION f RETURNS STRING SONAME 'x.so'`.
fn loads(head: &[u8], syntax: &Syntax) -> bool {
    head::pieces(head, syntax).any(|piece| piece.is("soname"))
}

fn follows<'a>(pieces: impl Iterator<Item = Piece<'a>>, word: &str, next: &[&str]) -> bool {
    let mut before = false;
    for piece in pieces {
        if before && next.iter().any(|next| piece.is(next)) {
            return true;
        }
        before = piece.is(word);
    }
    false
}

/// The beginning of a statement, in one line.
pub(super) fn shown(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(&head[..head.len().min(SHOWN)]);
    let dots = if head.len() > SHOWN { "..." } else { "" };
    text.split_whitespace().collect::<Vec<_>>().join(" ") + dots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_sql_for_the_database_is_known_by_its_first_words() {
        let kind = |sql: &str| judge(sql.as_bytes(), &Syntax::new());
        for sql in ["\\! touch x", "system touch x", "/*!50000 source x */", "\\C gbk", "tee x"] {
            assert_eq!(kind(sql), Some(Kind::Command), "{sql}");
        }
        for sql in [
            "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t",
            "/*!50000 LOAD DATA INFILE 'x' INTO TABLE t */",
            "load xml infile 'x' into table t",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "(SELECT 1) INTO /* a */ DUMPFILE '/tmp/x'",
            "CREATE FUNCTION f RETURNS STRING SONAME 'x.so'",
            "INSTALL PLUGIN p SONAME 'x.so'",
        ] {
            assert_eq!(kind(sql), Some(Kind::Files), "{sql}");
        }
        for sql in [
            "INSERT INTO `system` VALUES ('\\! x')",
            "LOAD INDEX INTO CACHE t",
            "SELECT 'x INTO OUTFILE' INTO @a",
            "CREATE TABLE `t` (`returns` int COMMENT 'soname', `source` text)",
            "CREATE FUNCTION f() RETURNS INTEGER RETURN 1 -- soname",
        ] {
            assert_eq!(kind(sql), None, "{sql}");
        }
    }
}
