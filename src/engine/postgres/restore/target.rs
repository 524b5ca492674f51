//! What a restore's target holds and can take.

use super::object_classes::{self, Object};
use super::{default_privileges, dependents, replace, triggers};
use crate::engine::postgres::probe::on_extensions;
use crate::engine::postgres::session::Session;
use crate::engine::{Server, Target};
use crate::error::Result;

/// As many objects are named.
const NAMED: usize = 40;

/// The setting that names what the user may not drop in the target's schemas, a line for each.
pub const NOT_OURS: &str = "objects.not_ours";

/// The setting that names what stays, a line for each: outside of schemas, and not the user's to drop. A target that
/// holds nothing else is empty: whoever keeps the server made it.
pub const STAYING: &str = "objects.staying";

/// The settings that name subscriptions with a slot, and count locks: those that drops take, those that there are.
pub const SLOTS: &str = "subscriptions.slots";
pub const LOCKS: &str = "locks.drops";
pub const LOCK_TABLE: &str = "locks.most";

/// The setting that names what users added to tables of extensions, and what would drop it.
pub const ON_EXTENSIONS: &str = "objects.on_extensions";

/// The setting that says what keeps the database from being dropped, and after a colon what ends that.
pub const HELD: &str = "database.held";

/// The setting that says where each extension is installed: `citext`, a tab, `t` where it can be moved, a tab, the schema.
pub const EXTENSION_SCHEMAS: &str = "extensions.schemas";

/// The setting that names the target's identity columns: schema, table and column, tabs between.
pub const IDENTITIES: &str = "columns.identity";

const IDENTITY_COLUMNS: &str = "SELECT pg_catalog.format(E'%s\\t%s\\t%s', n.nspname, c.relname, a.attname) \
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE a.attidentity <> '' AND NOT a.attisdropped ORDER BY 1";

const EXTENSIONS: &str = "SELECT pg_catalog.format(E'%s\\t%s\\t%s', e.extname, e.extrelocatable, n.nspname) FROM pg_catalog.pg_extension e \
     JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1";

/// Fills the server's `target`, and the settings that planning reads: `extensions.installed`, `schemas` (a name per
/// line), `settings.known`, `schemas.kept` (those that hold extensions, which `--clean schema` keeps), `schema.public.owned`.
pub async fn read(session: &Session, server: &mut Server) -> Result<()> {
    let (staying, objects): (Vec<Object>, Vec<Object>) =
        object_classes::list(session).await?.into_iter().partition(|object| object.outside && !object.may_drop);
    let names = |objects: &mut dyn Iterator<Item = &Object>| objects.map(|o| o.name.clone()).collect::<Vec<_>>();
    server.settings.insert(NOT_OURS.into(), names(&mut objects.iter().filter(|o| !o.may_drop)).join("\n"));
    server.settings.insert(STAYING.into(), names(&mut staying.iter()).join("\n"));
    server.target = Target {
        exists: true,
        object_count: objects.len() as u64,
        objects: names(&mut objects.iter().take(NAMED)),
        extensions: session.column(&creatable(server)).await?,
        collations: session.column(COLLATIONS).await?,
        lacks: lacks(session, server).await?,
        ..Target::default()
    };
    triggers::read(session, server).await?;
    let lists = [
        ("extensions.installed", "SELECT extname FROM pg_catalog.pg_extension ORDER BY 1"),
        ("extensions.available", "SELECT name FROM pg_catalog.pg_available_extensions ORDER BY 1"),
        ("settings.known", "SELECT name FROM pg_catalog.pg_settings ORDER BY 1"),
        ("schemas", "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1"),
        ("schemas.kept", &object_classes::kept_schemas()),
        (SLOTS, object_classes::SLOTS),
        (LOCKS, object_classes::LOCKS),
        (LOCK_TABLE, object_classes::LOCK_TABLE),
        (EXTENSION_SCHEMAS, EXTENSIONS),
        (IDENTITIES, IDENTITY_COLUMNS),
        (HELD, replace::HELD_QUERY),
        (ON_EXTENSIONS, on_extensions::QUERY),
        (dependents::DEPENDENTS, &dependents::query(server.version)),
        (default_privileges::GIVEN, default_privileges::QUERY),
        (
            "schema.public.owned",
            "SELECT pg_catalog.pg_has_role(nspowner, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = 'public'",
        ),
    ];
    for (name, query) in lists {
        server.settings.insert(name.to_owned(), session.column(query).await?.join("\n"));
    }
    server.settings.insert(replace::LEFT.into(), replace::leftover_databases(session).await?.join("\n"));
    Ok(())
}

/// Collations of `pg_catalog` that work with this database's encoding.
const COLLATIONS: &str = "SELECT collname FROM pg_catalog.pg_collation \
     WHERE collnamespace = 'pg_catalog'::pg_catalog.regnamespace AND collencoding IN (-1, \
     (SELECT encoding FROM pg_catalog.pg_database WHERE datname = current_database())) ORDER BY 1";

/// Extensions that this user may create.
fn creatable(server: &Server) -> String {
    let trusted = if server.version.major >= 13 {
        "v.trusted AND has_database_privilege(current_database(), 'CREATE')"
    } else {
        "false"
    };
    format!(
        "SELECT DISTINCT v.name FROM pg_catalog.pg_available_extension_versions v WHERE NOT v.superuser OR {trusted} \
         OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) ORDER BY 1"
    )
}

async fn lacks(session: &Session, server: &Server) -> Result<Vec<String>> {
    let mut lacks = Vec::new();
    let rights = "SELECT has_database_privilege(current_database(), 'CREATE'), \
         (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_catalog.pg_namespace WHERE nspname = 'public')";
    let row = session.rows(rights).await?.into_iter().next().unwrap_or_default();
    let denied = |at: usize| row.get(at).is_some_and(|v| v.as_deref() == Some("f"));
    if denied(0) {
        lacks.push(format!("{} may not create schemas in database \"{}\"", server.user, server.database));
    }
    if denied(1) {
        lacks.push(format!("{} may not create objects in schema \"public\"", server.user));
    }
    Ok(lacks)
}

/// A setting that is a list.
pub fn lines<'s>(server: &'s Server, setting: &str) -> Vec<&'s str> {
    server.settings.get(setting).map(|text| text.lines().collect()).unwrap_or_default()
}
