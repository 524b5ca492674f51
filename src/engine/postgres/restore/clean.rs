//! Whether `--clean schema` can do what it is asked for: drop what the target holds, in the restore's own transaction.

use std::collections::BTreeSet;

use super::suitability::{join_truncated, refused};
use super::target::{IDENTITIES, LOCK_TABLE, LOCKS, NOT_OURS, ON_EXTENSIONS, SLOTS, STAYING, lines};
use super::use_list::TocExclusions;
use crate::engine::postgres::format::plain;
use crate::engine::postgres::session::identifier;
use crate::engine::{Clean, Content, Format, RestoreOptions, Server};
use crate::error::Result;
use crate::hint::Hint;

/// Whether all that stands in the restore's way can be dropped in its transaction.
pub fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    let others = lines(server, NOT_OURS);
    if !others.is_empty() {
        let what =
            format!("{} may not drop all that the target holds: {}", server.user, join_truncated(others.into_iter()));
        return Err(refused(what).hint(Hint::new(
            "superuser-or-owners-member",
            "restore as a superuser, or as a member of the roles that own it",
        )));
    }
    let staying = staying(server, content, options);
    if !staying.is_empty() {
        let names = staying.iter().map(String::as_str);
        let what = format!(
            "the dump brings what is there already, and not {}'s to drop: {}",
            server.user,
            join_truncated(names)
        );
        return Err(refused(what).hint(Hint::new("superuser-drops-it", "have a superuser drop it, or restore as one")));
    }
    if let Some(subscription) = lines(server, SLOTS).first() {
        let name = identifier(subscription);
        return Err(refused(format!("subscription {name} has a replication slot, and no transaction can drop it"))
            .hint(Hint::naming(
                "end-subscription",
                format!(
                    "end it first: ALTER SUBSCRIPTION {name} DISABLE; DROP SUBSCRIPTION {name}; where its source can't be \
                     reached, ALTER SUBSCRIPTION {name} SET (slot_name = NONE) before the DROP"
                ),
            )));
    }
    if let Some(added) = lines(server, ON_EXTENSIONS).first() {
        let what =
            format!("--clean schema would drop {added}, and no dump brings it back: its table is an extension's");
        return Err(
            refused(what).hint(Hint::new("drop-it-yourself", "drop it yourself, and make it again behind the restore"))
        );
    }
    if plain::transactions(content).is_none() {
        return Err(refused("the dump holds transactions of its own: what is dropped first could not come back").hint(
            Hint::new(
                "clean-database-fills-a-new-one",
                "--clean database fills a new database, and drops the old one when all is there",
            ),
        ));
    }
    locks(server, content)
}

/// What must come before the drops of `--clean objects`: they take the default from a column that has one in the archive, which
/// the server refuses where that column is an identity by now.
pub fn identities_off(server: &Server, content: &Content, options: &RestoreOptions) -> String {
    if options.clean != Some(Clean::Objects) || content.format == Format::PG_PLAIN {
        return String::new();
    }
    let defaults: BTreeSet<(&str, &str)> = content
        .entries
        .iter()
        .filter(|entry| entry.kind == "DEFAULT")
        .map(|entry| (entry.schema.as_deref().unwrap_or_default(), entry.tag.as_str()))
        .collect();
    let columns = lines(server, IDENTITIES).into_iter().filter_map(|line| {
        let [schema, table, column] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else { return None };
        let (tag, table) = (format!("{table} {column}"), format!("{}.{}", identifier(schema), identifier(table)));
        let stays = !defaults.contains(&(schema, tag.as_str()));
        (!stays).then(|| format!("ALTER TABLE {table} ALTER COLUMN {} DROP IDENTITY IF EXISTS;\n", identifier(column)))
    });
    columns.collect()
}

/// What stays in the target and comes with the dump, too.
fn staying(server: &Server, content: &Content, options: &RestoreOptions) -> Vec<String> {
    let leaving = TocExclusions { server, options };
    let comes = content.entries.iter().filter(|entry| !leaving.leaves_out(entry, false));
    let names: BTreeSet<String> = comes
        .map(|entry| {
            let (kind, tag) =
                (entry.kind.strip_prefix("PROCEDURAL ").unwrap_or(&entry.kind).to_lowercase(), &entry.tag);
            let tag = tag.strip_prefix(&entry.kind).map_or(tag.as_str(), str::trim_start);
            format!("{kind} {tag}")
        })
        .collect();
    lines(server, STAYING).into_iter().filter(|name| names.contains(*name)).map(str::to_owned).collect()
}

/// Each object takes a lock until the transaction has ended, whether it is dropped or made; a table has two more for what
/// it keeps out of line.
fn locks(server: &Server, content: &Content) -> Result<()> {
    let number = |name: &str| server.settings.get(name).and_then(|text| text.parse::<u64>().ok());
    let made = content.entries.iter().map(|entry| match entry.kind.as_str() {
        "TABLE" | "MATERIALIZED VIEW" => 3,
        "INDEX" | "CONSTRAINT" | "SEQUENCE" | "VIEW" | "FOREIGN TABLE" => 1,
        _ => 0,
    });
    let Some((dropped, room)) = number(LOCKS).zip(number(LOCK_TABLE)) else { return Ok(()) };
    let needed = dropped + made.sum::<u64>();
    if server.target.object_count == 0 || needed <= room {
        return Ok(());
    }
    let what = format!(
        "to drop and restore in one transaction takes about {needed} locks, and the server has room for {room}"
    );
    Err(refused(what)
        .hint(Hint::new(
            "raise-max-locks-of-target",
            "raise max_locks_per_transaction on the target, which takes a restart",
        ))
        .hint(Hint::new(
            "or-clean-database",
            "or --clean database, which fills a new one and drops the old one when all is there",
        )))
}
