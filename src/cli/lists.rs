//! Lists in environment variables, which hold one name or pattern a line. On the command line each stands by itself,
//! whatever is in it: a name may hold a line's end.

use std::collections::BTreeSet;

use clap::ArgMatches;
use clap::parser::ValueSource;

/// The options whose values come from their variables.
pub struct Variables(BTreeSet<String>);

impl Variables {
    /// Those of the command that was given.
    pub fn of(matches: &ArgMatches) -> Self {
        let Some((_, given)) = matches.subcommand() else { return Self(BTreeSet::new()) };
        let of_variable = |id: &&clap::Id| given.value_source(id.as_str()) == Some(ValueSource::EnvVariable);
        Self(given.ids().filter(of_variable).map(ToString::to_string).collect())
    }

    /// Cuts patterns apart, in which a name with a line's end stands in double quotes.
    pub fn split_patterns(&self, option: &str, values: &mut Vec<String>) {
        self.split(option, values, true);
    }

    /// Cuts literal names apart.
    pub fn split_names(&self, option: &str, values: &mut Vec<String>) {
        self.split(option, values, false);
    }

    fn split(&self, option: &str, values: &mut Vec<String>, knows_quotes: bool) {
        if self.0.contains(option) {
            let lines = |value: &String| lines(value, knows_quotes);
            *values = values.iter().flat_map(lines).collect();
        }
    }
}

/// The lines of a text that hold something.
fn lines(text: &str, knows_quotes: bool) -> Vec<String> {
    let mut is_quoted = false;
    let ends = |c: char| {
        is_quoted ^= knows_quotes && c == '"';
        c == '\n' && !is_quoted
    };
    text.split(ends).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_holds_one_a_line_and_a_pattern_may_quote_lines_ends() {
        assert_eq!(lines("a\n\"b\nc\".d\ne\n", true), ["a", "\"b\nc\".d", "e"]);
        assert_eq!(lines("a\n\"b\nc", false), ["a", "\"b", "c"]);
    }
}
