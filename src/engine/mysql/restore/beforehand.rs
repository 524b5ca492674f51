//! What would end a restore half-way, and is known before the first drop. No server of the family can take a drop back, so
//! the list is to be complete: `docs/decisions/known-before-the-first-drop.md` says where each line of it is looked at.

use std::collections::BTreeSet;

use super::shares;
use super::suitability::without_database;
use super::wide_tables::PAGE_SIZE;
use crate::engine::mysql::hints;
use crate::engine::mysql::probe::probe_keys::{self, LOWER_CASE, join_truncated};
use crate::engine::mysql::session::server_settings::{self, STRICT_MODE, SessionUse};
use crate::engine::mysql::sql::content::{fact, names};
use crate::engine::{Clean, Content, Flavour, RestoreOptions, Server};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

const FILE_PER_TABLE: &str = "innodb_file_per_table";
/// KiB: larger pages are never compressed.
const MAX_COMPRESSED_PAGE: u64 = 16;

/// A line of the list: refuses, or says nothing.
type Rule = fn(&Server, &Content, &RestoreOptions) -> Option<Error>;

const RULES: [Rule; 12] = [
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
    tablespaces,
    uncompressed,
];

/// Refuses what can't end well.
pub(crate) fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
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
pub(crate) fn is_wanted(options: &RestoreOptions, name: &str) -> bool {
    options.tables.is_empty() || options.tables.iter().any(|table| without_database(table) == name)
}

/// Whether the server or the database refuses every write.
fn writes(server: &Server, _: &Content, _: &RestoreOptions) -> Option<Error> {
    if server.target.exists && server.properties.read_only == Some(true) {
        let hint = Hint::naming("read-only-0", format!("ALTER DATABASE `{}` READ ONLY = 0", server.database));
        return Some(refused("the target's database is read-only").hint(hint));
    }
    let shut = probe_keys::on(server, "innodb_read_only") || probe_keys::number(server, "innodb_force_recovery") > 0;
    shut.then(|| {
        refused("the target's InnoDB takes no writes (innodb_read_only, innodb_force_recovery)")
            .hint(Hint::new("restart-without-settings", "restart the server without these settings"))
    })
}

/// Sessions of our own are opened behind the drops: one for each job, and one that leads them.
fn sessions(server: &Server, _: &Content, options: &RestoreOptions) -> Option<Error> {
    let wanted = u64::from(options.jobs) + 1;
    // The session that asked is over by then.
    let left = server.connections_left.map(|left| left + 1).filter(|left| shares(options) && *left < wanted)?;
    let (jobs, fewer) = (options.jobs, left.saturating_sub(1).max(1));
    Some(refused(format!("{jobs} jobs need {wanted} connections, {left} are left")).hint(Hint::naming(
        "fewer-jobs-or-more-connections",
        format!("--jobs {fewer} or fewer, or raise max_connections and the user's MAX_USER_CONNECTIONS"),
    )))
}

/// Foreign keys of other databases, as `other.child.fk`, a tab, and the table that each points at.
fn others(server: &Server) -> impl Iterator<Item = (&str, &str)> {
    probe_keys::list(server, probe_keys::OTHERS_KEYS).into_iter().filter_map(|line| line.split_once('\t'))
}

/// Foreign keys of other databases that would point at nothing afterwards.
fn drops_of_others(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    let comes = |table: &str| content.tables.iter().any(|t| t.name.eq_ignore_ascii_case(table));
    let lost = others(server).filter(|(_, table)| empties(server, options) && !comes(table));
    let lost: Vec<String> = lost.map(|(key, table)| format!("{key} points at {table}")).collect();
    (!lost.is_empty()).then(|| {
        let error = refused("foreign keys of other databases point at tables that are dropped and do not come again");
        let error = lost.iter().fold(error, Error::why);
        error.hint(Hint::new("drop-foreign-keys-first", "drop these keys first (ALTER TABLE ... DROP FOREIGN KEY ...), or restore beside the tables: --into-non-empty"))
    })
}

/// The same where the tables come again, for people.
pub(crate) fn warning(server: &Server, options: &RestoreOptions) -> Option<String> {
    let keys: Vec<&str> = others(server).filter(|_| empties(server, options)).map(|(key, _)| key).collect();
    let text = || {
        format!(
            "nobody checks whether rows of other databases still fit, whose foreign keys point at what is dropped: {}",
            join_truncated(&keys)
        )
    };
    (!keys.is_empty()).then(text)
}

/// Routines are dropped by another right than tables. Who lacks EVENT sees no event.
fn drop_rights(server: &Server, _: &Content, options: &RestoreOptions) -> Option<Error> {
    if !empties(server, options) || options.clean == Some(Clean::Database) || !server.settings.contains_key("grants") {
        return None;
    }
    let routines = probe_keys::list(server, probe_keys::UNDROPPABLE);
    (!routines.is_empty()).then(|| {
        refused("the user may not drop all that the target holds")
            .why(format!("routines need ALTER ROUTINE: {}", join_truncated(&routines)))
            .hint(hints::grant_all(server))
    })
}

/// Who keeps definers needs a right for those that are others.
fn definers(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    let rights = ["super", "set_any_definer", "set_user_id", "set user"];
    let may = rights.iter().any(|right| probe_keys::granted(server, right)) || !server.settings.contains_key("grants");
    if !options.keep_definers || may {
        return None;
    }
    let plain = |account: &str| account.replace(['`', '\'', '"'], "").to_lowercase();
    let own = plain(&server.user);
    let mut others = coming(content, options, fact::DEFINER_NAMES);
    others.retain(|definer| !plain(definer).starts_with("current_user") && plain(definer) != own);
    (!others.is_empty()).then(|| {
        refused(format!("the user may not set other definers: {}", join_truncated(&others))).hint(Hint::new(
            "definers-left-or-allowed",
            "restore without --keep-definers, or as a user with SET_ANY_DEFINER (MariaDB: SET USER, before 10.5 SUPER)",
        ))
    })
}

/// MySQL wants a right for foreign keys, even while it does not check them.
fn references(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    let keyed = coming(content, options, fact::FOREIGN_KEYS);
    let known = server.settings.contains_key("grants");
    if server.flavour != Flavour::MYSQL || !known || probe_keys::granted(server, "references") || keyed.is_empty() {
        return None;
    }
    Some(
        refused(format!("foreign keys need REFERENCES, which the user lacks: {}", join_truncated(&keyed)))
            .hint(Hint::naming("grant-references", format!("GRANT REFERENCES ON `{}`.* TO the user", server.database))),
    )
}

/// A dump drops what it brings as what it brings: a table does not take a view's place.
fn another_kind(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    if empties(server, options) || !server.target.exists || options.data_only {
        return None;
    }
    let views = probe_keys::list(server, probe_keys::VIEWS);
    let comes =
        content.tables.iter().filter(|t| t.structure.is_some() && is_wanted(options, &t.name)).map(|t| t.name.as_str());
    let clash: Vec<&str> = comes.filter(|name| views.contains(name)).collect();
    (!clash.is_empty()).then(|| {
        refused(format!("tables of the dump are views in the target: {}", join_truncated(&clash)))
            .hint(Hint::new("clean-schema-or-drop-views", "--clean schema drops everything first; or drop these views"))
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
        refused(format!(
            "the target takes names for one that differ in capital letters alone: {}",
            join_truncated(&twice)
        ))
        .hint(Hint::new(
            "target-that-keeps-case",
            "restore into a server with lower_case_table_names = 0, or some of the tables with --table",
        ))
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
            join_truncated(&zeros)
        ))
        .hint(Hint::new(
            "no-auto-value-on-zero",
            "put SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; before the dump's first line, as mysqldump does",
        ))
    })
}

/// MariaDB may take such tables and no rows for them.
fn compressed_tables(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    let tables = coming(content, options, fact::COMPRESSED);
    (probe_keys::on(server, "innodb_read_only_compressed") && !tables.is_empty()).then(|| {
        refused(format!("the target takes no rows for compressed tables: {}", join_truncated(&tables))).hint(Hint::new(
            "innodb-read-only-compressed-off",
            "SET GLOBAL innodb_read_only_compressed = OFF on the target",
        ))
    })
}

/// MySQL makes no table in a tablespace that it does not have. MariaDB does not look at the word.
fn tablespaces(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    let there = probe_keys::list(server, probe_keys::TABLESPACES);
    if there.is_empty() || options.data_only {
        return None;
    }
    let named = names(content, fact::TABLESPACES).into_iter().filter_map(|line| line.split_once('\t'));
    let lacks = |name: &str| name != "innodb_file_per_table" && !there.contains(&name);
    let lacking: Vec<_> = named.filter(|(table, name)| is_wanted(options, table) && lacks(name)).collect();
    let (_, first) = lacking.first()?;
    let tables: Vec<String> = lacking.iter().map(|(table, name)| format!("{table} in {name}")).collect();
    let hint = Hint::naming(
        "create-tablespace",
        format!("CREATE TABLESPACE `{first}` ADD DATAFILE '{first}.ibd' on the target"),
    );
    Some(
        refused(format!("tables of the dump are in tablespaces that the target lacks: {}", join_truncated(&tables)))
            .hint(hint),
    )
}

/// Why the server gives this table no compressed pages, if it is one.
fn why_uncompressed(server: &Server, table: &str, content: &Content) -> Option<String> {
    let page = probe_keys::number(server, PAGE_SIZE) / 1024;
    let sizes = names(content, fact::BLOCK_SIZES).into_iter().filter_map(|line| line.split_once('\t'));
    let size = sizes.filter(|(name, _)| *name == table).find_map(|(_, size)| size.parse::<u64>().ok());
    match size {
        _ if page == 0 => None,
        _ if page > MAX_COMPRESSED_PAGE => Some(format!("{table} (its pages have {page} KiB)")),
        Some(size) if size > page => Some(format!("{table} (its pages have {page} KiB, KEY_BLOCK_SIZE={size})")),
        _ if server.settings.get(FILE_PER_TABLE).is_some_and(|value| value == "OFF") => {
            Some(format!("{table} ({FILE_PER_TABLE} is off)"))
        }
        _ => None,
    }
}

/// Compressed tables that come and for which the server has no compressed pages.
fn left_uncompressed(server: &Server, content: &Content, options: &RestoreOptions) -> Vec<String> {
    let tables = if options.data_only { Vec::new() } else { names(content, fact::COMPRESSED) };
    let wanted = tables.into_iter().filter(|table| is_wanted(options, table));
    wanted.filter_map(|table| why_uncompressed(server, table, content)).collect()
}

/// In its strict mode the server refuses such tables.
fn uncompressed(server: &Server, content: &Content, options: &RestoreOptions) -> Option<Error> {
    let (_, mends) = server_settings::stays(server, STRICT_MODE, SessionUse::Load)?;
    let tables = left_uncompressed(server, content, options);
    (!tables.is_empty()).then(|| {
        refused(format!(
            "the target compresses no such tables, and {STRICT_MODE} refuses them: {}",
            join_truncated(&tables)
        ))
        .hint(hints::mends_or_admin(&mends))
    })
}

/// Without it the server makes them, and does not compress.
pub(crate) fn uncompressed_warning(server: &Server, content: &Content, options: &RestoreOptions) -> Option<String> {
    let tables = left_uncompressed(server, content, options);
    (!tables.is_empty()).then(|| format!("the target does not compress these tables: {}", join_truncated(&tables)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::mysql::sql::content::Reader;
    use crate::engine::mysql::test_fixtures::server;
    use crate::engine::{Inspector, Version};

    fn refusal(dump: &str, set: &[(&str, &str)]) -> Option<String> {
        let mut reader = Box::new(Reader::new());
        reader.see(format!("{dump};\n-- Dump completed\n").as_bytes());
        let content = reader.finish().expect("complete");
        let mut server = server(Flavour::MARIADB, Version::new(10, 11, 19));
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
