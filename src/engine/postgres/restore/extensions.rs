//! Whether the extensions of a dump are on the target, or can be, and where.

use std::collections::{BTreeMap, BTreeSet};

use super::restore_filter::select;
use super::suitability::refused;
use super::target::{EXTENSION_SCHEMAS, lines};
use crate::engine::postgres::format::content;
use crate::engine::postgres::session::identifier;
use crate::engine::{Clean, Content, Format, RestoreOptions, Server};
use crate::error::Result;
use crate::hint::Hint;

/// Whether they are there, or can be made.
pub fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    // Of a database that does not exist yet, nothing is known.
    if !server.target.exists || options.data_only {
        return Ok(());
    }
    let brought = brought(content, options)?;
    let available = lines(server, "extensions.available");
    // Those that are installed stay, unless the database goes.
    let installed = lines(server, "extensions.installed");
    let stays = |name: &str| options.clean != Some(Clean::Database) && installed.contains(&name);
    let taken = |name: &String| server.target.extensions.contains(name) || options.exclude_extensions.contains(name);
    let missing = brought.iter().find(|name| !taken(name) && !stays(name));
    match missing {
        None => Ok(()),
        Some(name) if available.contains(&name.as_str()) => {
            let error = refused(format!("extension \"{name}\" can only be created by a superuser there"));
            Err(if installed.contains(&name.as_str()) {
                error.hint(Hint::new(
                    "clean-schema-keeps-extensions",
                    "--clean schema empties the database and keeps its extensions",
                ))
            } else {
                error
                    .hint(Hint::naming(
                        "superuser-creates-extension",
                        format!("have one say, in that database: CREATE EXTENSION \"{name}\""),
                    ))
                    .hint(Hint::naming(
                        "or-exclude-extension",
                        format!("or do without, if nothing needs it: --exclude-extension {name}"),
                    ))
            })
        }
        Some(name) => Err(refused(format!("extension \"{name}\" is not available on the target")).hint(Hint::naming(
            "install-extension-or-exclude",
            format!(
                "install its package on the server; or do without, if nothing needs it: --exclude-extension {name}"
            ),
        ))),
    }
}

/// Those that the restore makes: of a part only those that it brings as what it needs.
fn brought(content: &Content, options: &RestoreOptions) -> Result<Vec<String>> {
    if options.tables.is_empty() && options.schemas.is_empty() {
        return Ok(content.extensions.clone());
    }
    let chosen = select(&content.entries, options)?.chosen;
    let comes = content.entries.iter().filter(|e| e.kind == "EXTENSION" && chosen.contains(&e.id));
    Ok(comes.map(|e| e.tag.clone()).collect())
}

/// What the dump finds in one schema must not be in another. Of a script it is not known what needs an extension: that is
/// a warning.
pub fn check_schemas(server: &Server, content: &Content, options: &RestoreOptions) -> Result<Vec<String>> {
    if options.data_only || !(options.tables.is_empty() && options.schemas.is_empty()) {
        return Ok(Vec::new());
    }
    let wanted = content.facts.get(content::EXTENSION_SCHEMAS).map(String::as_str).unwrap_or_default();
    let wanted: BTreeMap<&str, &str> = wanted.lines().filter_map(|line| line.split_once('\t')).collect();
    let mut warnings = Vec::new();
    for line in lines(server, EXTENSION_SCHEMAS) {
        let [name, movable, there] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else { continue };
        let is_excluded = options.exclude_extensions.iter().any(|extension| extension == name);
        let Some(schema) = wanted.get(name).filter(|schema| **schema != there && !is_excluded) else { continue };
        let way = way_on(server, name, movable == "t", schema);
        if is_needed(content, name) {
            let what = format!("extension {name} is in schema {there} there, the dump needs it in {schema}");
            return Err(refused(what).hint(way));
        }
        if content.format == Format::PG_PLAIN {
            warnings.push(format!(
                "extension {name} is in schema {there} there, and in {schema} in the dump: if something needs it there, {way}"
            ));
        }
    }
    Ok(warnings)
}

/// How an extension comes into the schema that the dump finds it in.
fn way_on(server: &Server, name: &str, movable: bool, schema: &str) -> Hint {
    if !movable {
        return Hint::new(
            "clean-database-moves-extension",
            "it can't be moved: --clean database makes a new database, and the extension where the dump has it",
        );
    }
    let (name, quoted) = (identifier(name), identifier(schema));
    let is_new = !lines(server, "schemas").contains(&schema);
    let create = if is_new { format!("CREATE SCHEMA {quoted}; ") } else { String::new() };
    Hint::naming("have-extension-moved", format!("have it moved: {create}ALTER EXTENSION {name} SET SCHEMA {quoted}"))
}

/// Whether something of the dump's is made with this extension. Of a script, that is not known.
fn is_needed(content: &Content, extension: &str) -> bool {
    let its = content.entries.iter().filter(|e| e.kind == "EXTENSION" && e.tag == extension).map(|e| e.id);
    let its: BTreeSet<i64> = its.collect();
    content.entries.iter().any(|e| e.kind != "COMMENT" && e.needs.iter().any(|id| its.contains(id)))
}
