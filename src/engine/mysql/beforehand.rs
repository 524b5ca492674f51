//! What would end a restore half-way, and is known before the first drop. No server of the family can take a drop back, so
//! the list is to be complete: `docs/decisions/known-before-the-first-drop.md` says where each line of it is looked at.

use std::collections::BTreeSet;

use super::content::{fact, names};
use super::restore::shares;
use super::setting::{self, LOWER_CASE, some};
use super::suitability::bare;
use crate::engine::{Clean, Content, Flavour, RestoreOptions, Server};
use crate::error::{Error, Kind, Result};

/// A line of the list: refuses, or says nothing.
type Rule = fn(&Server, &Content, &RestoreOptions) -> Option<Error>;

const RULES: [Rule; 10] = [
    writes,
    sessions,
    drops_of_others,
    drop_rights,
    definers,
    references,
    another_kind,
    another_case,
    zero_dates,
    compressed_tables,
];

/// Refuses what can't end well.
pub(super) fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    RULES.iter().find_map(|rule| rule(server, content, options)).map_or(Ok(()), Err)
}

fn refused(what: impl Into<String>) -> Error {
    Error::new(Kind::Refused, what)
}

/// Whether everything in the target is dropped first.
fn empties(server: &Server, options: &RestoreOptions) -> bool {
    server.target.exists && matches!(options.clean, Some(Clean::Schema | Clean::Database))
}

/// What a list of the dump's names, if it comes at all.
fn coming<'c>(content: &'c Content, options: &RestoreOptions, list: &str) -> Vec<&'c str> {
    let part = options.data_only || !options.tables.is_empty();
    if part { Vec::new() } else { names(content, list) }
}

/// Whether this table or view is chosen, or nothing was.
fn is_wanted(options: &RestoreOptions, name: &str) -> bool {
    options.tables.is_empty() || options.tables.iter().any(|table| bare(table) == name)
}

/// Whether the server or the database refuses every write.
fn writes(server: &Server, _: &Content, _: &RestoreOptions) -> Option<Error> {
    if server.target.exists && server.properties.read_only == Some(true) {
        let hint = format!("ALTER DATABASE `{}` READ ONLY = 0", server.database);
        return Some(refused("the target's database is read-only").hint(hint));
    }
    let shut = setting::on(server, "innodb_read_only") || setting::number(server, "innodb_force_recovery") > 0;
    shut.then(|| {
        refused("the target's InnoDB takes no writes (innodb_read_only, innodb_force_recovery)")
            .hint("restart the server without these settings")
    })
}

/// Sessions of our own are opened behind the drops: one for each job, and one that leads them.
fn sessions(server: &Server, _: &Content, options: &RestoreOptions) -> Option<Error> {
    let wanted = u64::from(options.jobs) + 1;
    // The session that asked is over by then.
    let left = server.connections_left.map(|left| left + 1).filter(|left| shares(options) && *left < wanted)?;
    let (jobs, fewer) = (options.jobs, left.saturating_sub(1).max(1));
    Some(
        refused(format!("{jobs} jobs need {wanted} connections, {left} are left"))
            .hint(format!("--jobs {fewer} or fewer, or raise max_connections and the user's MAX_USER_CONNECTIONS")),
    )
}

/// Foreign keys of other databases, as `other.child.fk`, a tab, and the table that each points at.
fn others(server: &Server) -> impl Iterator<Item = (&str, &str)> {
    setting::list(server, setting::OTHERS_KEYS).into_iter().filter_map(|line| line.split_once('\t'))
}

/// Foreign keys of other databases that would point at nothing afterwards.
fn drops_of_others(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    let comes = |table: &str| content.tables.iter().any(|t| t.name.eq_ignore_ascii_case(table));
    let lost = others(server).filter(|(_, table)| empties(server, options) && !comes(table));
    let lost: Vec<String> = lost.map(|(key, table)| format!("{key} points at {table}")).collect();
    (!lost.is_empty()).then(|| {
        let error = refused("foreign keys of other databases point at tables that are dropped and do not come again");
        let error = lost.iter().fold(error, Error::why);
        error.hint("drop these keys first (ALTER TABLE ... DROP FOREIGN KEY ...), or restore beside the tables: --into-non-empty")
    })
}

/// The same where the tables come again, for people.
pub(super) fn warning(server: &Server, options: &RestoreOptions) -> Option<String> {
    let keys: Vec<&str> = others(server).filter(|_| empties(server, options)).map(|(key, _)| key).collect();
    let text = || {
        format!(
            "nobody checks whether rows of other databases still fit, whose foreign keys point at what is dropped: {}",
            some(&keys)
        )
    };
    (!keys.is_empty()).then(text)
}

/// Routines are dropped by another right than tables. Who lacks EVENT sees no event.
fn drop_rights(server: &Server, _: &Content, options: &RestoreOptions) -> Option<Error> {
    if !empties(server, options) || options.clean == Some(Clean::Database) || !server.settings.contains_key("grants") {
        return None;
    }
    let routines = setting::list(server, setting::UNDROPPABLE);
    (!routines.is_empty()).then(|| {
        refused("the user may not drop all that the target holds")
            .why(format!("routines need ALTER ROUTINE: {}", some(&routines)))
            .hint(format!("GRANT ALL ON `{}`.* TO the user", server.database))
    })
}

/// Who keeps definers needs a right for those that are others.
fn definers(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    let rights = ["super", "set_any_definer", "set_user_id", "set user"];
    let may = rights.iter().any(|right| setting::granted(server, right)) || !server.settings.contains_key("grants");
    if !options.keep_definers || may {
        return None;
    }
    let plain = |account: &str| account.replace(['`', '\'', '"'], "").to_lowercase();
    let own = plain(&server.user);
    let mut others = coming(content, options, fact::DEFINER_NAMES);
    others.retain(|definer| !plain(definer).starts_with("current_user") && plain(definer) != own);
    (!others.is_empty()).then(|| {
        refused(format!("the user may not set other definers: {}", some(&others))).hint(
            "restore without --keep-definers, or as a user with SET_ANY_DEFINER (MariaDB: SET USER, before 10.5 SUPER)",
        )
    })
}

/// MySQL wants a right for foreign keys, even while it does not check them.
fn references(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    let keyed = coming(content, options, fact::FOREIGN_KEYS);
    let known = server.settings.contains_key("grants");
    if server.flavour != Flavour::Mysql || !known || setting::granted(server, "references") || keyed.is_empty() {
        return None;
    }
    Some(
        refused(format!("foreign keys need REFERENCES, which the user lacks: {}", some(&keyed)))
            .hint(format!("GRANT REFERENCES ON `{}`.* TO the user", server.database)),
    )
}

/// A dump drops what it brings as what it brings: a table does not take a view's place.
fn another_kind(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    if empties(server, options) || !server.target.exists || options.data_only {
        return None;
    }
    let views = setting::list(server, setting::VIEWS);
    let comes =
        content.tables.iter().filter(|t| t.structure.is_some() && is_wanted(options, &t.name)).map(|t| t.name.as_str());
    let clash: Vec<&str> = comes.filter(|name| views.contains(name)).collect();
    (!clash.is_empty()).then(|| {
        refused(format!("tables of the dump are views in the target: {}", some(&clash)))
            .hint("--clean schema drops everything first; or drop these views")
    })
}

/// Names that are one where the server does not tell capital letters from small ones: the second table drops the first.
fn another_case(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    if server.settings.get(LOWER_CASE).is_none_or(|value| value == "0") || options.data_only {
        return None;
    }
    let mut seen = BTreeSet::new();
    let tables = content.tables.iter().map(|t| t.name.as_str()).chain(names(content, fact::VIEWS));
    let twice: Vec<&str> =
        tables.filter(|name| is_wanted(options, name) && !seen.insert(name.to_lowercase())).collect();
    (!twice.is_empty()).then(|| {
        refused(format!("the target takes names for one that differ in capital letters alone: {}", some(&twice)))
            .hint("restore into a server with lower_case_table_names = 0, or some of the tables with --table")
    })
}

/// Where the dump leaves the SQL mode to the server.
fn zero_dates(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    let mode = server.settings.get("sql_mode").map(|mode| mode.to_uppercase()).unwrap_or_default();
    let strict = mode.contains("STRICT_") && (mode.contains("NO_ZERO_DATE") || mode.contains("NO_ZERO_IN_DATE"));
    let zeros = coming(content, options, fact::ZERO_DEFAULTS);
    (strict && !zeros.is_empty()).then(|| {
        refused(format!(
            "the target's sql_mode refuses dates of zeros, which are defaults in the dump: {}",
            some(&zeros)
        ))
        .hint("put SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; before the dump's first line, as mysqldump does")
    })
}

/// MariaDB may take such tables and no rows for them.
fn compressed_tables(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    let tables = coming(content, options, fact::COMPRESSED);
    (setting::on(server, "innodb_read_only_compressed") && !tables.is_empty()).then(|| {
        refused(format!("the target takes no rows for compressed tables: {}", some(&tables)))
            .hint("SET GLOBAL innodb_read_only_compressed = OFF on the target")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::mysql::content::Reader;
    use crate::engine::mysql::testing::server;
    use crate::engine::{Inspector, Version};

    fn refusal(dump: &str, set: &[(&str, &str)]) -> Option<String> {
        let mut reader = Box::new(Reader::new());
        reader.see(format!("{dump};\n-- Dump completed\n").as_bytes());
        let content = reader.finish().expect("complete");
        let mut server = server(Flavour::Mariadb, Version::new(10, 11, 19));
        server.settings.extend(set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        check(&server, &content, &RestoreOptions::default()).err().map(|error| error.what)
    }

    #[test]
    fn what_a_setting_of_the_server_forbids_is_found() {
        let two = "CREATE TABLE `t` (`a` int, PRIMARY KEY (`a`));CREATE TABLE `T` (`a` int, PRIMARY KEY (`a`))";
        let small = "CREATE TABLE `t` (`a` int, PRIMARY KEY (`a`)) ENGINE=InnoDB ROW_FORMAT=COMPRESSED";
        let zeros = "CREATE TABLE `t` (`a` datetime DEFAULT '0000-00-00 00:00:00')";
        for (dump, setting, value, fine, word) in [
            (two, "lower_case_table_names", "1", "0", "capital letters alone: T"),
            (small, "innodb_read_only_compressed", "ON", "OFF", "compressed tables: t"),
            (zeros, "sql_mode", "STRICT_TRANS_TABLES,NO_ZERO_DATE", "STRICT_TRANS_TABLES", "dates of zeros"),
        ] {
            let what = refusal(dump, &[(setting, value)]).unwrap_or_default();
            assert!(what.contains(word), "{what}");
            assert_eq!(refusal(dump, &[(setting, fine)]), None);
        }
        let with_mode = format!("SET sql_mode='NO_AUTO_VALUE_ON_ZERO';{zeros}");
        assert_eq!(refusal(&with_mode, &[("sql_mode", "STRICT_TRANS_TABLES,NO_ZERO_DATE")]), None);
    }
}
