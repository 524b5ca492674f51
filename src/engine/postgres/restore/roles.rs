//! The roles that a restore names. They belong to the server: no dump of a database holds them.

use std::collections::{BTreeMap, BTreeSet};

use super::prepare::own_or_maintenance;
use crate::connection::{Connection, Limits};
use crate::engine::postgres::format::content::ROLES_OF_ENTRIES;
use crate::engine::postgres::format::definition;
use crate::engine::postgres::session::{identifier, literal};
use crate::engine::{Content, Dependency, Entry, Format, RestoreOptions};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// The kind of such a dependency.
const ROLE: &str = "role";

/// Whether it is a role.
pub fn is_role(dependency: &Dependency) -> bool {
    dependency.kind == ROLE
}

/// Those that the target's server lacks. `chosen`: the numbers of the entries that come, where not all do.
pub async fn lacking(
    connection: &Connection,
    content: &Content,
    options: &RestoreOptions,
    chosen: Option<&BTreeSet<i64>>,
    limits: &Limits,
) -> Result<Vec<Dependency>> {
    let needed = needed(content, options, chosen);
    if needed.is_empty() {
        return Ok(Vec::new());
    }
    let names = needed.keys().map(|role| literal(role)).collect::<Vec<_>>().join(", ");
    let session = own_or_maintenance(connection, limits).await?;
    let there = session.column(&format!("SELECT rolname FROM pg_catalog.pg_roles WHERE rolname IN ({names})")).await?;
    let missing = needed.into_iter().filter(|(role, _)| !there.iter().any(|known| known == role));
    let role = |(role, by): (&str, BTreeSet<&str>)| Dependency {
        kind: ROLE.to_owned(),
        schema: None,
        name: role.to_owned(),
        needed_by: by.into_iter().map(str::to_owned).collect(),
    };
    Ok(missing.map(role).collect())
}

/// The roles that a restore names, and what for; of a chosen part only those that what is chosen names.
fn needed<'c>(
    content: &'c Content,
    options: &RestoreOptions,
    chosen: Option<&BTreeSet<i64>>,
) -> BTreeMap<&'c str, BTreeSet<&'static str>> {
    let mut needed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut add = |role: &'c str, by| {
        // Those that the server itself brings can't be made.
        if !role.is_empty() && !role.starts_with("pg_") {
            needed.entry(role).or_default().insert(by);
        }
    };
    let fact = |fact: &str| content.facts.get(fact).into_iter().flat_map(|roles| roles.split('\0'));
    let is_chosen = |id: i64| chosen.is_none_or(|chosen| chosen.contains(&id));
    let of_entries = fact(ROLES_OF_ENTRIES).filter_map(|line| line.split_once('\t'));
    let of_entries = of_entries.filter_map(|(id, role)| Some((id.parse().ok()?, role)));
    if content.format == Format::PG_PLAIN {
        // What stands before the first section comes with each part.
        let coming = of_entries.filter(|(id, _)| *id == 0 || is_chosen(*id));
        coming.for_each(|(_, role)| add(role, "an owner, a grant or a policy"));
        return needed;
    }
    let comes = |entry: &&Entry| is_chosen(entry.id);
    let policies: BTreeSet<i64> =
        content.entries.iter().filter(|entry| entry.kind == "POLICY").map(|entry| entry.id).collect();
    for (id, role) in of_entries.filter(|(id, _)| is_chosen(*id)) {
        match policies.contains(&id) {
            true => add(role, "a policy"),
            false if options.keep_privileges => add(role, "a grant"),
            false => {}
        }
    }
    if options.keep_owner {
        let owned = content.entries.iter().filter(comes).filter(|entry| definition::has_owner(entry));
        owned.filter_map(|entry| entry.owner.as_deref()).for_each(|role| add(role, "an owner"));
    }
    needed
}

/// For roles that a server does not have.
pub fn create_first<'a>(roles: impl Iterator<Item = &'a str>) -> Hint {
    let statements: Vec<String> = roles.map(|role| format!("CREATE ROLE {};", identifier(role))).collect();
    Hint::naming("create-roles-first", format!("make them there first: {}", statements.join(" ")))
}

/// Refuses to begin without them.
pub fn check(lacking: &[Dependency], content: &Content) -> Result<()> {
    let roles: Vec<&Dependency> = lacking.iter().filter(|dependency| is_role(dependency)).collect();
    if roles.is_empty() {
        return Ok(());
    }
    let error = Error::new(Kind::Refused, "the dump names roles that the target's server does not have");
    let for_what = |role: &Dependency| role.needed_by.iter().cloned().collect::<Vec<_>>().join(", ");
    let said = roles.iter().map(|role| format!("role {}, of {}", role.name, for_what(role)));
    let create = create_first(roles.iter().map(|role| role.name.as_str()));
    let without = match content.format {
        Format::PG_PLAIN => {
            Some(Hint::new("or-dump-without-owners", "or dump again with --no-owner and --no-privileges"))
        }
        _ if roles.iter().all(|role| !role.needed_by.contains("a policy")) => {
            Some(Hint::new("or-restore-without-owners", "or restore without --keep-owner and --keep-privileges"))
        }
        _ => None,
    };
    Err(said.fold(error, Error::why).hint(create).hints(without))
}
