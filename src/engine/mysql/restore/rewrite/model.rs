//! The rewriter's judge: cuts a script into tokens slowly and plainly, and compares what went in with what came out.
//!
//! It shares nothing with `lexer`, `splitter` and `statement`, so that a mistake there is not repeated here. The tests and
//! the fuzzer use it.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClauseTokenKind {
    Space,
    Comment,
    /// `/*!50013`, and the `*/` that belongs to it.
    Bracket,
    Word,
    /// A string or quoted identifier.
    Quoted,
    /// One that the script ends in.
    Broken,
    Symbol,
    /// What ends a statement.
    Delimiter,
    /// A line that is the client's own: `DELIMITER ;;`, the sandbox line.
    Command,
}

#[derive(Clone, Copy, Debug)]
struct ClauseToken<'a> {
    kind: ClauseTokenKind,
    text: &'a [u8],
    /// `COLLATE` stands before it, or another word that announces a collation.
    announced: bool,
}

impl ClauseToken<'_> {
    fn is(&self, word: &str) -> bool {
        self.kind == ClauseTokenKind::Word && self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    fn is_symbol(&self, symbol: &[u8]) -> bool {
        self.kind == ClauseTokenKind::Symbol && self.text == symbol
    }

    fn is_name(&self) -> bool {
        matches!(self.kind, ClauseTokenKind::Word | ClauseTokenKind::Quoted)
    }

    /// What it says: a word, or what stands between the quotes.
    fn says(&self) -> &[u8] {
        if self.kind == ClauseTokenKind::Quoted { &self.text[1..self.text.len() - 1] } else { self.text }
    }

    fn equals(&self, other: &Self) -> bool {
        self.kind == other.kind && self.text == other.text
    }

    fn has_meaning(&self) -> bool {
        !matches!(self.kind, ClauseTokenKind::Space | ClauseTokenKind::Comment | ClauseTokenKind::Bracket)
    }
}

/// A statement with its delimiter, or one thing that stands between two statements. White space is left out.
type Item<'a> = Vec<ClauseToken<'a>>;

/// The script's items.
fn items(script: &[u8]) -> Vec<Item<'_>> {
    let (mut items, mut item, mut at): (Vec<Item<'_>>, Item<'_>, usize) = (Vec::new(), Item::new(), 0);
    let (mut delimiter, mut backslash, mut open) = (b";".to_vec(), true, false);
    // What was sent, or obeyed, ends here; at the end of a line.
    let (mut since, mut line_ends) = (0, true);
    while at < script.len() {
        let obeys = item.is_empty() && obeys(&script[since..at], line_ends);
        let token = token(&script[at..], &delimiter, backslash, (item.is_empty(), obeys), open);
        at += token.text.len();
        open = match token.kind {
            ClauseTokenKind::Bracket => token.text[0] == b'/',
            ClauseTokenKind::Delimiter => false,
            _ => open,
        };
        match token.kind {
            ClauseTokenKind::Space => {}
            ClauseTokenKind::Comment | ClauseTokenKind::Command | ClauseTokenKind::Delimiter if item.is_empty() => {
                if let Some(word) = delimiter_of(token.text).filter(|_| token.kind == ClauseTokenKind::Command) {
                    (delimiter, since, line_ends) = (word.to_vec(), at, true);
                } else if token.kind == ClauseTokenKind::Delimiter {
                    (since, line_ends) = (at, false);
                }
                items.push(vec![token]);
            }
            ClauseTokenKind::Delimiter => {
                backslash = backslash_after(&item).unwrap_or(backslash);
                item.push(token);
                items.push(std::mem::take(&mut item));
                (since, line_ends) = (at, false);
            }
            _ => item.push(token),
        }
    }
    items.push(item);
    for item in &mut items {
        for at in 0..item.len() {
            item[at].announced = names_collation(&last(&item[..at]));
        }
    }
    items
}

/// The last tokens that mean something, the very last one first.
fn last<'i, 'a>(tokens: &'i [ClauseToken<'a>]) -> Vec<&'i ClauseToken<'a>> {
    tokens.iter().rev().filter(|token| token.has_meaning()).take(4).collect()
}

/// Whether no statement has the client's command in it.
pub fn obeys_all(script: &[u8]) -> bool {
    let is_command =
        |token: &ClauseToken<'_>| token.kind == ClauseTokenKind::Word && token.text.eq_ignore_ascii_case(b"delimiter");
    !items(script).iter().flatten().any(is_command)
}

/// Whether the client obeys a command behind this, which it has not sent: nothing but remarks on lines of their own.
pub fn obeys(held: &[u8], line_ends: bool) -> bool {
    let mut lines: Vec<_> = held.split(|byte| *byte == b'\n').collect();
    let is_blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
    let here = lines.pop().unwrap_or_default();
    let rest = if line_ends {
        here
    } else if lines.is_empty() {
        return false;
    } else {
        lines.remove(0)
    };
    let is_remark = |line: &[u8]| line.starts_with(b"#") || line.starts_with(b"--");
    let ends_well = line_ends || is_blank(rest) || is_remark(rest.trim_ascii_start());
    ends_well && lines.iter().all(|line| line.is_empty() || is_remark(line) || is_sandbox(line)) && is_blank(here)
}

/// The delimiter of the client's command.
pub fn delimiter_of(line: &[u8]) -> Option<&[u8]> {
    let rest = line.get(9..).filter(|rest| rest.starts_with(b" ") && line[..9].eq_ignore_ascii_case(b"delimiter"))?;
    let word = rest.split(|byte| matches!(byte, b' ' | b'\n')).find(|word| !word.is_empty())?;
    let is_odd = |byte: &u8| !byte.is_ascii_graphic() || b"'\"`\\".contains(byte);
    (word.len() <= 15 && line.len() <= 200 && !word.iter().any(is_odd)).then_some(word)
}

fn token<'a>(
    rest: &'a [u8],
    delimiter: &[u8],
    backslash: bool,
    (first, obeys): (bool, bool),
    open: bool,
) -> ClauseToken<'a> {
    let upto = |from: usize, end: &[u8]| {
        (from..rest.len()).find(|&at| rest[at..].starts_with(end)).map_or(rest.len(), |at| at + end.len())
    };
    let in_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80;
    let word = (0..rest.len()).find(|&at| !in_word(rest[at]) || rest[at..].starts_with(delimiter));
    let word = word.unwrap_or(rest.len());
    let bracket = [&b"/*!"[..], b"/*M!"].into_iter().find(|start| rest.starts_with(start));
    let (kind, length) = if first && is_sandbox(&rest[..upto(0, b"\n")]) {
        // The client looks for its own commands before it looks for a delimiter: that may be `/*`.
        (ClauseTokenKind::Command, upto(0, b"\n"))
    } else if rest.starts_with(delimiter) {
        (ClauseTokenKind::Delimiter, delimiter.len())
    } else if obeys
        && rest[..word].eq_ignore_ascii_case(b"delimiter")
        && delimiter_of(&rest[..upto(0, b"\n")]).is_some()
    {
        (ClauseTokenKind::Command, upto(0, b"\n"))
    } else if rest[0] == b'#' || rest.starts_with(b"--") && rest.get(2).is_none_or(u8::is_ascii_whitespace) {
        (ClauseTokenKind::Comment, upto(0, b"\n"))
    } else if let Some(start) = bracket {
        let digits = rest[start.len()..].iter().take(6).take_while(|b| b.is_ascii_digit()).count();
        (ClauseTokenKind::Bracket, start.len() + digits)
    } else if rest.starts_with(b"/*") {
        (ClauseTokenKind::Comment, upto(2, b"*/"))
    } else if open && rest.starts_with(b"*/") && !rest[1..].starts_with(delimiter) {
        // A delimiter may begin within it: the clients look for one at every byte. So may a comment, with its second.
        (ClauseTokenKind::Bracket, if rest.get(2) == Some(&b'*') { 1 } else { 2 })
    } else if matches!(rest[0], b'\'' | b'"' | b'`') {
        let mut end = 1;
        while end < rest.len() && rest[end] != rest[0] {
            end += if rest[end] == b'\\' && backslash && rest[0] != b'`' { 2 } else { 1 };
        }
        if end < rest.len() { (ClauseTokenKind::Quoted, end + 1) } else { (ClauseTokenKind::Broken, rest.len()) }
    } else if rest[0].is_ascii_whitespace() {
        (ClauseTokenKind::Space, 1)
    } else if word > 0 {
        (ClauseTokenKind::Word, word)
    } else {
        (ClauseTokenKind::Symbol, 1)
    };
    ClauseToken { kind, text: &rest[..length], announced: false }
}

fn is_sandbox(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    line == b"/*!999999\\- enable the sandbox mode */" || line == b"/*M!999999\\- enable the sandbox mode */"
}

/// What a backslash is in a string behind this statement, if the statement says.
fn backslash_after(item: &[ClauseToken<'_>]) -> Option<bool> {
    let tokens: Vec<_> = item.iter().filter(|token| token.has_meaning()).collect();
    if !tokens.first()?.is("set") {
        return None;
    }
    let mut at = 1;
    while at < tokens.len() {
        let users = tokens[at - 1].is_symbol(b"@") && !(at > 1 && tokens[at - 2].is_symbol(b"@"));
        at += 1;
        if users || !tokens[at - 1].is("sql_mode") {
            continue;
        }
        at += usize::from(tokens.get(at)?.is_symbol(b":"));
        at += 1;
        if tokens.get(at - 1)?.is_symbol(b"=") {
            let value = tokens.get(at)?.text.to_ascii_uppercase();
            let off = b"NO_BACKSLASH_ESCAPES";
            return Some(!value.windows(off.len()).any(|part| part == off));
        }
    }
    None
}

/// Whether what came out is what went in, but for definers, mapped collations, and what no server of another database
/// takes. An error names the first statement that was changed without a right to.
pub fn check(before: &[u8], after: &[u8], maps: &[(&str, &str)]) -> Result<(), String> {
    let after = items(after);
    let mut left = after.iter().filter(|item| !item.is_empty()).peekable();
    for item in items(before).iter().filter(|item| !item.is_empty()) {
        if left.next_if(|other| same(item, other, 0, maps, true)).is_some() || may_go(item) {
            continue;
        }
        return Err(format!(
            "changed: {}\ninto: {}",
            join_tokens(item),
            left.next().map_or(String::new(), |i| join_tokens(i))
        ));
    }
    left.next().map_or(Ok(()), |item| Err(format!("came from nowhere: {}", join_tokens(item))))
}

fn join_tokens(item: &[ClauseToken<'_>]) -> String {
    item.iter().map(|token| String::from_utf8_lossy(token.text)).collect::<Vec<_>>().join(" ")
}

/// Whether the rewriter may leave a thing out: the sandbox line, and whole statements.
fn may_go(item: &[ClauseToken<'_>]) -> bool {
    const VERBS: [&str; 12] =
        ["use", "create", "drop", "alter", "set", "change", "stop", "start", "insert", "replace", "lock", "unlock"];
    let Some(first) = item.iter().find(|token| token.has_meaning()) else { return false };
    first.kind == ClauseTokenKind::Command && is_sandbox(first.text) || VERBS.iter().any(|verb| first.is(verb))
}

/// Whether a statement came out as it went in, from this token on, or with a change that it may have; of definers and
/// names one may go.
fn same(
    before: &[ClauseToken<'_>],
    after: &[ClauseToken<'_>],
    from: usize,
    maps: &[(&str, &str)],
    may_lose: bool,
) -> bool {
    let verb = before.iter().find(|token| token.has_meaning());
    let is_database = |token: &&ClauseToken<'_>| token.is("database") || token.is("schema");
    let verb = |words: &[&str]| verb.is_some_and(|verb| words.iter().any(|word| verb.is(word)));
    let (mut one, mut other) = (from, from);
    while one < before.len() {
        let (now, rest) = (before[one], &before[one..]);
        let definer = now.is("definer") && verb(&["create", "alter"]);
        let database = verb(&["alter"]) && last(&before[..one]).first().is_some_and(is_database);
        let definer = definer.then(|| definer_length(rest)).flatten();
        let database = database.then(|| name_length(rest)).flatten();
        for length in definer.into_iter().chain(database).filter(|_| may_lose) {
            if same(&[&before[..one], &before[one + length..]].concat(), after, one, maps, false) {
                return true;
            }
        }
        match after.get(other) {
            Some(found) if found.equals(&now) => {}
            Some(found) if now.announced && is_mapped(&now, found, maps) => {}
            Some(found)
                if verb(&["set"]) && now.kind == ClauseTokenKind::Quoted && lost_a_mode(now.text, found.text) => {}
            _ => return false,
        }
        (one, other) = (one + 1, other + 1);
    }
    other == after.len()
}

/// The place behind the token at `at` or after it, if it is what is wanted; comments may stand before it, brackets not.
fn behind(tokens: &[ClauseToken<'_>], at: usize, wanted: &dyn Fn(&ClauseToken<'_>) -> bool) -> Option<usize> {
    let next = (at..tokens.len()).find(|&at| tokens[at].kind != ClauseTokenKind::Comment)?;
    wanted(&tokens[next]).then_some(next + 1)
}

/// Behind more tokens of this kind, without anything between them.
fn joined(tokens: &[ClauseToken<'_>], at: usize, wanted: &dyn Fn(&ClauseToken<'_>) -> bool) -> usize {
    let goes_on = |pair: &&[ClauseToken<'_>]| wanted(&pair[1]) && adjoin(pair[0], pair[1]);
    at + tokens[at - 1..].windows(2).take_while(goes_on).count()
}

/// Behind a name; a doubled quote cuts it in two.
fn behind_name(tokens: &[ClauseToken<'_>], at: usize) -> Option<usize> {
    let end = behind(tokens, at, &|token| token.is_name())?;
    Some(joined(tokens, end, &|token| token.kind == ClauseTokenKind::Quoted))
}

/// Tokens of `DEFINER = user@host` at the start, if it stands there.
fn definer_length(tokens: &[ClauseToken<'_>]) -> Option<usize> {
    let end = behind_name(tokens, behind(tokens, 1, &|token| token.is_symbol(b"="))?)?;
    if let Some(opened) = behind(tokens, end, &|token| token.is_symbol(b"(")) {
        return behind(tokens, opened, &|token| token.is_symbol(b")"));
    }
    let Some(at) = behind(tokens, end, &|token| token.is_symbol(b"@")) else { return Some(end) };
    let host = behind(tokens, at, &|token| token.is_name())?;
    let quoted = tokens[host - 1].kind == ClauseTokenKind::Quoted;
    let in_name = |token: &ClauseToken<'_>| token.kind == ClauseTokenKind::Word || token.is_symbol(b".");
    Some(joined(tokens, host, &|token| if quoted { token.kind == ClauseTokenKind::Quoted } else { in_name(token) }))
}

/// Whether nothing stands between the two.
fn adjoin(one: ClauseToken<'_>, other: ClauseToken<'_>) -> bool {
    one.text.as_ptr_range().end == other.text.as_ptr()
}

/// Tokens of `name` or `name.name` at the start.
fn name_length(tokens: &[ClauseToken<'_>]) -> Option<usize> {
    let mut end = behind_name(tokens, 0)?;
    while let Some(dot) = behind(tokens, end, &|token| token.is_symbol(b".")) {
        let Some(part) = behind_name(tokens, dot) else { break };
        end = part;
    }
    Some(end)
}

/// Whether these tokens, the last one first, announce a collation: `COLLATE`, `COLLATE =`, `collation_connection =`.
fn names_collation(last: &[&ClauseToken<'_>]) -> bool {
    let equals = last.first().is_some_and(|token| token.is_symbol(b"="));
    let last = if equals { &last[1..] } else { last };
    let before = |at: usize, symbol: &[u8]| last.get(at).is_some_and(|token| token.is_symbol(symbol));
    // `@collate` is the user's, `t.collate` a column; `@@collation_connection` is the server's.
    last.first().is_some_and(|token| {
        let clause = token.is("collate") && !before(1, b"@") && !before(1, b".");
        clause || equals && token.is("collation_connection") && (!before(1, b"@") || before(2, b"@"))
    })
}

fn is_mapped(one: &ClauseToken<'_>, other: &ClauseToken<'_>, maps: &[(&str, &str)]) -> bool {
    let alike = one.is_name() && one.kind == other.kind && one.text.first() == other.text.first()
        || one.kind == ClauseTokenKind::Word;
    let says = |token: &ClauseToken<'_>, name: &str| token.says().eq_ignore_ascii_case(name.as_bytes());
    alike && maps.iter().any(|(from, to)| says(one, from) && says(other, to))
}

/// Whether a list of modes is the same without `NO_AUTO_CREATE_USER`.
fn lost_a_mode(before: &[u8], after: &[u8]) -> bool {
    let inner = |quoted: &[u8]| quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_vec();
    let (before, after) = (inner(before), inner(after));
    let kept =
        before.split(|&b| b == b',').filter(|mode| !mode.trim_ascii().eq_ignore_ascii_case(b"NO_AUTO_CREATE_USER"));
    kept.collect::<Vec<_>>().join(&b","[..]) == after
}
