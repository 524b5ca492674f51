//! Events: which of a dump would run, what a server does to one whose time has passed, and how one comes disabled.

use std::borrow::Cow;
use std::ops::Range;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::connection::{Connection, Limits};
use crate::engine::mysql::probe::probe_keys::{join_truncated, on};
use crate::engine::mysql::session;
use crate::engine::mysql::sql::content::{fact, names};
use crate::engine::mysql::sql::lexer::{Syntax, Token};
use crate::engine::mysql::sql::statement::{self, StatementInfo};
use crate::engine::{Content, RestoreOptions, Server};
use crate::error::Result;

/// What a `CREATE EVENT` says of when it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// At one point in time, and not again.
    pub(crate) once: bool,
    /// It has an end.
    pub(crate) ends: bool,
    /// It runs: said so, or not said otherwise.
    pub(crate) enabled: bool,
    /// Where `ENABLE` stands, or could.
    status: Range<usize>,
}

/// Reads it: `ON SCHEDULE ... [ON COMPLETION ...] [ENABLE | DISABLE ...] [COMMENT ...] DO ...`.
pub(crate) fn schedule(subject: &StatementInfo, head: &[u8], syntax: &Syntax) -> Option<Schedule> {
    let mut pieces = statement::pieces(head, syntax).skip_while(|piece| piece.at < subject.name_at.end);
    pieces.find(|piece| piece.is("schedule"))?;
    let once = pieces.next()?.is("at");
    let schedule = |enabled, ends, status| Some(Schedule { once, ends, enabled, status });
    let (mut depth, mut ends) = (0_u32, false);
    for piece in pieces {
        match piece.token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if piece.is("ends") => ends = true,
            _ if piece.is("enable") => return schedule(true, ends, piece.at..piece.end()),
            _ if piece.is("disable") => return schedule(false, ends, piece.at..piece.at),
            _ if piece.is("comment") || piece.is("do") => return schedule(true, ends, piece.at..piece.at),
            _ => {}
        }
    }
    None
}

/// The statement with `DISABLE` in it; as it is where it has that already.
pub(crate) fn disabled<'h>(subject: &StatementInfo, head: &'h [u8], syntax: &Syntax) -> Cow<'h, [u8]> {
    match schedule(subject, head, syntax).filter(|schedule| schedule.enabled) {
        Some(Schedule { status, .. }) => {
            let word = if status.is_empty() { &b"DISABLE "[..] } else { b"DISABLE" };
            Cow::Owned([&head[..status.start], word, &head[status.end..]].concat())
        }
        None => Cow::Borrowed(head),
    }
}

/// What becomes of the dump's enabled events, for people.
pub(crate) fn notes(server: &Server, content: &Content, options: &RestoreOptions) -> Vec<String> {
    let once = names(content, fact::ONE_TIME_EVENTS);
    let mut enabled = names(content, fact::ENABLED_EVENTS);
    if !come(options) {
        enabled.clear();
    }
    if options.disable_events {
        let what = || {
            format!(
                "events come disabled (--events enabled brings each as it is in the source): {}",
                join_truncated(&enabled)
            )
        };
        return (!enabled.is_empty()).then(what).into_iter().collect();
    }
    enabled.retain(|name| !once.contains(name));
    if enabled.is_empty() || !on(server, "event_scheduler") {
        return Vec::new();
    }
    let (are, they) = if enabled.len() == 1 {
        ("event", "is enabled and the scheduler is on: it runs")
    } else {
        ("events", "are enabled and the scheduler is on: they run")
    };
    vec![format!(
        "{} {are} ({}) {they} now (--events disabled brings them disabled)",
        enabled.len(),
        join_truncated(&enabled)
    )]
}

/// Whether events come with these options.
fn come(options: &RestoreOptions) -> bool {
    !options.data_only && options.tables.is_empty()
}

/// What a server did to one-time events whose time has passed: it drops or disables them when they are made.
pub(crate) async fn passed(
    connection: &Connection,
    content: &Content,
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<Vec<String>> {
    let once = names(content, fact::ONE_TIME_EVENTS);
    if once.is_empty() || !come(options) {
        return Ok(Vec::new());
    }
    let query = "SELECT EVENT_NAME, STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()";
    let work = async |conn: &mut Conn| conn.query(query).await;
    let there: Vec<(String, String)> = session::ask(connection, Some(&connection.database), limits, work).await?;
    let enabled = names(content, fact::ENABLED_EVENTS);
    let state = |name: &str| there.iter().find(|(found, _)| found.to_lowercase() == name.to_lowercase());
    let notes = once.into_iter().filter_map(|name| match state(name) {
        None => Some(format!(
            "event {name} is not there: its one time has passed, and the server drops such an event at once (1588)"
        )),
        Some((_, status)) if status != "ENABLED" && enabled.contains(&name) && !options.disable_events => {
            Some(format!("event {name} came disabled: its one time has passed (1544)"))
        }
        Some(_) => None,
    });
    Ok(notes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(text: &str) -> (Option<(bool, bool)>, String) {
        let (head, syntax) = (text.as_bytes(), Syntax::new());
        let subject = statement::subject(head, &syntax);
        let said = schedule(&subject, head, &syntax).map(|schedule| (schedule.once, schedule.enabled));
        (said, String::from_utf8_lossy(&disabled(&subject, head, &syntax)).into_owned())
    }

    #[test]
    fn an_event_comes_disabled_whatever_its_statement_looks_like() {
        for (text, said, after) in [
            (
                "/*!50106 CREATE*/ /*!50117 DEFINER=`r`@`l`*/ /*!50106 EVENT `enable` ON SCHEDULE EVERY 1 SECOND STARTS '2026-01-01 00:00:00' ON COMPLETION NOT PRESERVE ENABLE DO DELETE FROM q */",
                (false, true),
                "/*!50106 CREATE*/ /*!50117 DEFINER=`r`@`l`*/ /*!50106 EVENT `enable` ON SCHEDULE EVERY 1 SECOND STARTS '2026-01-01 00:00:00' ON COMPLETION NOT PRESERVE DISABLE DO DELETE FROM q */",
            ),
            (
                "CREATE EVENT IF NOT EXISTS e ON SCHEDULE AT CURRENT_TIMESTAMP + INTERVAL 1 HOUR COMMENT 'do ENABLE' DO BEGIN DO 1; END",
                (true, true),
                "CREATE EVENT IF NOT EXISTS e ON SCHEDULE AT CURRENT_TIMESTAMP + INTERVAL 1 HOUR DISABLE COMMENT 'do ENABLE' DO BEGIN DO 1; END",
            ),
            (
                "CREATE EVENT e ON SCHEDULE EVERY (1 + 1) DAY DO SET @x = 1",
                (false, true),
                "CREATE EVENT e ON SCHEDULE EVERY (1 + 1) DAY DISABLE DO SET @x = 1",
            ),
        ] {
            assert_eq!(both(text), (Some(said), after.to_owned()), "{text}");
        }
        for same in [
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE ON SLAVE COMMENT 'x' DO SELECT 1",
            "CREATE EVENT e ON SCHEDULE AT '2026-01-01' DISABLE DO ENABLE",
        ] {
            let (said, after) = both(same);
            assert_eq!((said.map(|(_, enabled)| enabled), after.as_str()), (Some(false), same));
        }
    }
}
