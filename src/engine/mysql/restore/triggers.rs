//! Triggers of the target that rows would fire. No server of the family has a switch for them.

use std::collections::BTreeSet;

use super::coming;
use crate::engine::mysql::probe::probe_keys::{self, join_truncated};
use crate::engine::mysql::sql::content::{fact, names};
use crate::engine::{Clean, Content, RestoreOptions, Server, triggers_run};
use crate::error::{Error, Kind, Result};
use crate::hint::{self, Hint};

/// Refuses rows that would fire a trigger of the target. What can't be seen is a warning.
pub(crate) fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<Option<String>> {
    let ambiguous = names(content, fact::MADE_TWICE);
    if !ambiguous.is_empty() && !options.data_only && !options.triggers {
        let what = format!("the dump makes twice, and not alike: {}", join_truncated(&ambiguous));
        return Err(Error::new(Kind::Refused, what)
            .hint(Hint::new("take-one-out", "take the one out of the file that is not meant")));
    }
    let dropped = matches!(options.clean, Some(Clean::Schema | Clean::Database));
    if options.schema_only || dropped || server.target.object_count == 0 {
        return Ok(None);
    }
    let folds = server.settings.get("lower_case_table_names").is_some_and(|value| value != "0");
    let fold = |name: &str| if folds { name.to_lowercase() } else { name.to_owned() };
    let filled: BTreeSet<String> = filled(content, options).iter().map(|name| fold(name)).collect();
    let fired = server.target.triggers.iter().filter(|trigger| filled.contains(&fold(&trigger.table)));
    let fired: Vec<String> = fired.map(|trigger| format!("{} on {}", trigger.name, trigger.table)).collect();
    let fired: Vec<&str> = fired.iter().map(String::as_str).collect();
    if options.triggers {
        return Ok((!fired.is_empty()).then(|| triggers_run(&join_truncated(&fired))));
    }
    if !fired.is_empty() {
        let what = format!(
            "rows would fire triggers of the target, which {} can't switch off: {}",
            server.flavour,
            join_truncated(&fired)
        );
        return Err(Error::new(Kind::Refused, what)
            .hint(Hint::new(
                "triggers-behind-the-rows",
                "restore the whole dump with --clean schema, which makes triggers behind the rows",
            ))
            .hint(Hint::new(
                "drop-triggers-meanwhile",
                "or drop them for that time: SHOW CREATE TRIGGER says how each is made again",
            ))
            .hint(hint::TRIGGERS_ON));
    }
    let unseen = server.settings.contains_key("grants") && !probe_keys::granted(server, "trigger");
    let warning = "whether tables of the target have triggers, which would run for the rows, can't be seen without the \
                   privilege TRIGGER";
    Ok((unseen && !filled.is_empty()).then(|| warning.to_owned()))
}

/// The tables that rows come into and that the restore does not make.
fn filled(content: &Content, options: &RestoreOptions) -> Vec<String> {
    let kept = names(content, fact::KEPT_TABLES);
    let kept = |name: &String| options.data_only || kept.contains(&name.as_str());
    let with_rows = coming(content, options).into_iter().filter(|table| table.rows != Some(0));
    with_rows.filter(|table| table.structure.is_none() || kept(&table.name)).map(|table| table.name).collect()
}
