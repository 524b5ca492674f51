//! Statements of real and of made-up scripts, cut at any place.

use proptest::prelude::*;

use super::*;
use crate::engine::mysql::restore::rewrite::model;

/// Scripts out of the pieces that are easily mistaken for one another.
pub(in crate::engine::mysql) fn script() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "INSERT INTO `t` VALUES (",
        "'a\\'b'",
        "'it''s'",
        "\"x;\"",
        "`b``;`",
        "),(",
        ");",
        ";",
        "\n",
        " ",
        "-- c'\n",
        "# \"\n",
        "/* ; ' */",
        "/*!50013 ",
        "*/",
        "CREATE DEFINER=`a`@`b` VIEW v AS SELECT 1;\n",
        "DELIMITER ;;\n",
        ";;",
        "DELIMITER ;\n",
        "SET sql_mode='NO_AUTO_CREATE_USER,NO_BACKSLASH_ESCAPES';",
        "SET sql_mode=@x;",
        "'\\'",
        "-",
        "--",
        "/",
        "word",
        "-1",
        "/*!999999\\- enable the sandbox mode */ \n",
        "SET @@SESSION.SQL_LOG_BIN= 0;",
        "\\",
        "'",
        "ü",
        "USE x;",
        "-- Dump completed\n",
        "DELIMITER //\n",
        "//",
        "values",
        "0x00FF",
        "\t,",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..30).prop_map(|pieces| pieces.concat())
}

/// What the splitter says, in one list.
#[derive(Debug, Default, PartialEq)]
struct Told {
    everything: Vec<u8>,
    statements: Vec<Vec<u8>>,
    rows: u64,
    sum: u64,
}

impl Visitor for Told {
    fn between(&mut self, _: Between, bytes: &[u8]) {
        self.everything.extend_from_slice(bytes);
    }
    fn head(&mut self, head: &[u8], _: &Syntax) {
        self.everything.extend_from_slice(head);
        self.statements.push(head.to_vec());
    }
    fn more(&mut self, bytes: &[u8]) {
        self.everything.extend_from_slice(bytes);
        if let Some(last) = self.statements.last_mut() {
            last.extend_from_slice(bytes);
        }
    }
    fn rows(&mut self, count: u64, sum: u64) {
        self.rows += count;
        self.sum = self.sum.wrapping_add(sum);
    }
    fn end(&mut self, length: u64) {
        assert_eq!(self.statements.last().map(|s| s.len() as u64), Some(length), "{:?}", self.statements);
    }
}

fn split(text: &str, chunk: usize) -> (Told, ScriptEnd) {
    let (mut splitter, mut told) = (Splitter::new(), Told::default());
    for bytes in text.as_bytes().chunks(chunk) {
        splitter.push(bytes, &mut told);
    }
    let ending = splitter.finish(&mut told);
    (told, ending)
}

/// The same, one byte after the other, slowly, over the whole text, and without the tokens of `lexer`.
fn reference(text: &str) -> Vec<String> {
    let bytes: Vec<char> = text.chars().collect();
    let (mut statements, mut current, mut delimiter, mut backslash) = (Vec::new(), String::new(), ";".to_owned(), true);
    let (mut at, mut since, mut line_ends) = (0, 0, true);
    let starts = |at: usize, with: &str| bytes[at..].starts_with(&with.chars().collect::<Vec<_>>());
    let until = |from: usize, with: &str| {
        (from..bytes.len()).find(|&i| starts(i, with)).map_or(bytes.len(), |i| i + with.len())
    };
    while at < bytes.len() {
        let c = bytes[at];
        let upto = if starts(at, &delimiter) {
            at + delimiter.len()
        } else if c == '#'
            || (starts(at, "--") && bytes.get(at + 2).is_none_or(char::is_ascii_whitespace))
            || (current.is_empty() && ["/*!999999\\- e", "/*M!999999\\- e"].iter().any(|s| starts(at, s)))
        {
            until(at, "\n")
        } else if starts(at, "/*") && !starts(at, "/*!") && !starts(at, "/*M!") {
            until(at + 2, "*/")
        } else if matches!(c, '\'' | '"' | '`') {
            let mut end = at + 1;
            while end < bytes.len() && bytes[end] != c {
                end += if bytes[end] == '\\' && backslash && c != '`' { 2 } else { 1 };
            }
            (end + 1).min(bytes.len())
        } else if current.is_empty()
            && starts(at, "DELIMITER")
            && let Some(word) = model::delimiter_of(bytes[at..until(at, "\n")].iter().collect::<String>().as_bytes())
            && model::obeys(bytes[since..at].iter().collect::<String>().as_bytes(), line_ends)
        {
            delimiter = String::from_utf8_lossy(word).into_owned();
            (since, line_ends) = (until(at, "\n"), true);
            since
        } else {
            at + 1
        };
        let piece: String = bytes[at..upto].iter().collect();
        let ends = piece == delimiter;
        let nothing = piece.trim().is_empty()
            || piece.starts_with("--") && piece.len() > 1
            || piece.starts_with('#')
            || piece.starts_with("/*") && upto > at + 1
            || piece.starts_with("DELIMITER") && upto > at + 1
            || ends;
        if !current.is_empty() || !nothing {
            current.push_str(&piece);
        }
        if ends && !current.is_empty() {
            let mut syntax = Syntax::new();
            syntax.backslash = backslash;
            let after = statement::backslash_after(current.as_bytes(), &syntax);
            backslash = after.unwrap_or(backslash);
            statements.push(std::mem::take(&mut current));
        }
        if ends {
            (since, line_ends) = (upto, false);
        }
        at = upto;
    }
    if !current.is_empty() {
        statements.push(current);
    }
    statements
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn chunks_do_not_matter_and_a_slow_reference_agrees(text in script(), chunk in 1..40_usize) {
        let (whole, ending) = split(&text, text.len().max(1));
        prop_assert_eq!(String::from_utf8_lossy(&whole.everything), text.as_str());
        prop_assert_eq!(&split(&text, chunk), &(whole, ending));
        let quoted_comment = matches!(ending, ScriptEnd::Inside { .. });
        let (whole, _) = split(&text, text.len().max(1));
        if !quoted_comment {
            let statements: Vec<_> = whole.statements.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect();
            prop_assert_eq!(&statements, &reference(&text));
        }
    }
}

#[test]
fn a_head_that_never_ends_runs_through_in_bounded_memory() {
    let (mut splitter, mut told) = (Splitter::new(), Told::default());
    let filler = vec![b'x'; 1 << 16];
    for opening in ["SET @x = '", "/* ", "word"] {
        splitter.push(opening.as_bytes(), &mut told);
        for _ in 0..40 {
            splitter.push(&filler, &mut told);
            assert!(splitter.carry.len() <= LONGEST_HEAD + (1 << 16));
        }
        splitter.push(b"'*/;\n", &mut told);
    }
}

#[test]
fn a_delimiter_may_begin_with_anything() {
    for delimiter in ["--", "(", "#", "go;", "$$", "-/"] {
        let text = format!("DELIMITER {delimiter}\nINSERT INTO t VALUES 1 {delimiter}SELECT ego{delimiter}");
        let statements = [format!("INSERT INTO t VALUES 1 {delimiter}"), format!("SELECT ego{delimiter}")];
        for chunk in 1..=text.len() {
            let (told, ending) = split(&text, chunk);
            assert_eq!(told.statements, statements.each_ref().map(|s| s.as_bytes().to_vec()), "{delimiter} {chunk}");
            assert_eq!(ending, ScriptEnd::Clean);
        }
    }
}

#[test]
fn a_delimiter_in_quotes_is_what_stands_between_them() {
    for (argument, delimiter) in [("\"$$\"", "$$"), ("'ab' c", "ab")] {
        let (told, _) = split(&format!("DELIMITER {argument}\nSELECT 1{delimiter}SELECT 2{delimiter}"), 3);
        assert_eq!(told.statements.len(), 2, "{argument}");
    }
}
