//! A look at the whole set-up: clients, server, disk, and what a dump would do. It changes nothing, but for
//! leftovers that it is told to remove.

use std::path::Path;

use super::connect::{ConnectedServer, connect};
use super::{Context, clients, leftovers};
use crate::connection::{Connection, Limits};
use crate::dialect::Dialect;
use crate::engine::{
    self, DumpJob, DumpOptions, DumpPlan, DumpSnapshot, Finding, Found, Purpose, Role, Server, Severity,
};
use crate::error::Result;
use crate::pipeline::restore::rehearsal;
use crate::pipeline::verify::verify_restore;

/// Clients of one engine.
#[derive(Debug)]
pub struct Installed {
    /// Which engine.
    pub dialect: Dialect,
    /// What was found.
    pub found: Found,
}

/// A database as a dump would find it.
#[derive(Debug)]
pub struct Examined {
    /// The server.
    pub server: Server,
    /// The commands that a dump would run, redacted; or why it would run none.
    pub commands: Result<Vec<String>>,
    /// Databases of `verify --restore-into`, or of a `--clean` that tries definitions: of one that runs or was killed.
    pub databases: Vec<String>,
    /// Databases of a restore with `--clean database` that was killed, and what is to be said of each.
    pub replacements: Vec<(String, String)>,
}

/// Every client on this machine, of these engines.
pub async fn installed(context: &Context, dialects: &[Dialect]) -> Result<Vec<Installed>> {
    let mut all = Vec::new();
    for &dialect in dialects {
        let found = clients::find(context, engine::of(dialect), &[Role::Dump, Role::Restore, Role::Shell]).await?;
        all.push(Installed { dialect, found });
    }
    Ok(all)
}

/// Reaches a database and plans a dump of it.
pub async fn examine(context: &Context, connection: &Connection, found: &Found) -> Result<Examined> {
    let mut connected = connect(context, connection, Purpose::Dump).await?;
    let plan = would_run(&context.limits, &connected, found);
    let warnings = plan.iter().flat_map(|plan| &plan.warnings);
    let told = warnings.map(|what| Finding::new(Severity::Warning, what, None));
    connected.server.findings.extend(told.collect::<Vec<_>>());
    // Who may not list them has none.
    let mut databases = Vec::new();
    for prefix in [verify_restore::PREFIX, rehearsal::PREFIX] {
        databases.extend(
            connected.engine.databases(&connected.connection, prefix, &context.limits).await.unwrap_or_default(),
        );
    }
    let replacements = connected.engine.replacements_left(&connected.connection, &context.limits).await;
    let commands = plan.map(|plan| plan.source.lines());
    if let Some(tunnel) = connected.tunnel {
        tunnel.close().await;
    }
    let replacements = replacements.unwrap_or_default();
    Ok(Examined { server: connected.server, commands, databases, replacements })
}

fn would_run(limits: &Limits, connected: &ConnectedServer, found: &Found) -> Result<DumpPlan> {
    let ConnectedServer { engine, connection, server, .. } = connected;
    let client = clients::choose_dump(*engine, server, found)?;
    let (options, snapshot) = (&DumpOptions::default(), &DumpSnapshot::Alone(None));
    engine.plan_dump(&DumpJob { connection, server, client: client.as_ref(), options, limits, snapshot })
}

/// Looks for what killed runs left in this folder and in TMPDIR.
pub fn tidy(context: &Context) {
    leftovers::clean_up(context, &[Path::new("."), &context.temp_dir]);
}
