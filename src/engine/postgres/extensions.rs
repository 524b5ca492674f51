//! Whether the extensions of a dump are on the target, or can be, and where.

use std::collections::{BTreeMap, BTreeSet};

use super::content;
use super::session::identifier;
use super::suitability::refused;
use super::target::{EXTENSION_SCHEMAS, lines};
use crate::engine::{Clean, Content, RestoreOptions, Server};
use crate::error::Result;

/// Whether they are there, or can be made.
pub fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    // Of a database that does not exist yet, nothing is known.
    if !server.target.exists || options.data_only || !(options.tables.is_empty() && options.schemas.is_empty()) {
        return Ok(());
    }
    let available = lines(server, "extensions.available");
    // Those that are installed stay, unless the database goes.
    let installed = lines(server, "extensions.installed");
    let stays = |name: &str| options.clean != Some(Clean::Database) && installed.contains(&name);
    let taken = |name: &String| server.target.extensions.contains(name) || options.exclude_extensions.contains(name);
    let missing = content.extensions.iter().find(|name| !taken(name) && !stays(name));
    match missing {
        None => Ok(()),
        Some(name) if available.contains(&name.as_str()) => {
            let error = refused(format!("extension \"{name}\" can only be created by a superuser there"));
            Err(if installed.contains(&name.as_str()) {
                error.hint("--clean schema empties the database and keeps its extensions")
            } else {
                error
                    .hint(format!("have one say, in that database: CREATE EXTENSION \"{name}\""))
                    .hint(format!("or do without, if nothing needs it: --exclude-extension {name}"))
            })
        }
        Some(name) => Err(refused(format!("extension \"{name}\" is not available on the target")).hint(format!(
            "install its package on the server; or do without, if nothing needs it: --exclude-extension {name}"
        ))),
    }
}

/// What the dump finds in one schema must not be in another.
pub fn check_schemas(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    if options.data_only || !(options.tables.is_empty() && options.schemas.is_empty()) {
        return Ok(());
    }
    let wanted = content.facts.get(content::EXTENSION_SCHEMAS).map(String::as_str).unwrap_or_default();
    let wanted: BTreeMap<&str, &str> = wanted.lines().filter_map(|line| line.split_once('\t')).collect();
    for line in lines(server, EXTENSION_SCHEMAS) {
        let [name, movable, there] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else { continue };
        let Some(schema) = wanted.get(name).filter(|schema| {
            **schema != there && is_needed(content, name) && !options.exclude_extensions.iter().any(|e| e == name)
        }) else {
            continue;
        };
        let error = refused(format!("extension {name} is in schema {there} there, the dump needs it in {schema}"));
        let (name, quoted) = (identifier(name), identifier(schema));
        return Err(if movable == "t" {
            let is_new = !lines(server, "schemas").contains(schema);
            let create = if is_new { format!("CREATE SCHEMA {quoted}; ") } else { String::new() };
            error.hint(format!("have it moved: {create}ALTER EXTENSION {name} SET SCHEMA {quoted}"))
        } else {
            error.hint(
                "it can't be moved: --clean database makes a new database, and the extension where the dump has it",
            )
        });
    }
    Ok(())
}

/// Whether something of the dump's is made with this extension. Of a script, that is not known.
fn is_needed(content: &Content, extension: &str) -> bool {
    let its = content.entries.iter().filter(|e| e.kind == "EXTENSION" && e.tag == extension).map(|e| e.id);
    let its: BTreeSet<i64> = its.collect();
    content.entries.iter().any(|e| e.kind != "COMMENT" && e.needs.iter().any(|id| its.contains(id)))
}
