//! `dbhaul doctor`.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::connect::ConnectArgs;
use crate::dialect;
use crate::engine::{Finding, Found, Role, Server, Severity};
use crate::env_settings;
use crate::error::Result;
use crate::hint::Hint;
use crate::pipeline::doctor::{Installed, examine, installed, tidy};
use crate::report::{Report, units};
use crate::store;

/// Looks at clients, server, rights and disk, and says what is missing and how to get it
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// The database; without it, the variables that `dump` reads; without those, only the clients
    uri: Option<String>,
    #[command(flatten)]
    reach: ConnectArgs,
}

/// Runs it.
pub async fn run(args: DoctorArgs, report: &Report) -> Result<()> {
    let lookup = |name: &str| std::env::var(name).ok();
    let named = args.uri.is_some() || env_settings::named_by_variable(&lookup);
    let connection = if named { Some(ConnectArgs::connection(args.uri.as_deref(), report)?.connection) } else { None };
    let context = args.reach.context(report)?;
    let dialects = connection.as_ref().map_or(dialect::all().to_vec(), |c| vec![c.dialect]);
    let clients = installed(&context, &dialects).await?;
    for installed in &clients {
        show_clients(report, installed);
    }
    tidy(&context);
    let free = store::free(Path::new("."))?;
    report.fact("disk", format!("{} free in this folder", units::size(free)));
    let Some(connection) = connection else {
        report.note("no database was named: only the clients were looked at");
        let (fitting, rejected) = (clients_json(&clients), rejected_json(&clients));
        let fields =
            json!({ "clients": fitting, "rejected": rejected, "free_disk": free, "warnings": report.warnings() });
        return report.result("", fields);
    };
    let found = clients.first().map(|installed| &installed.found).cloned().unwrap_or_default();
    let examined = examine(&context, &connection, &found).await?;
    show_server(report, &examined.server, free);
    for name in &examined.databases {
        report.warning(format!(
            "database {name} is of a verify or a restore that runs, or was killed: if none runs, drop it"
        ));
    }
    for (_, told) in &examined.replacements {
        report.warning(told);
    }
    let commands = examined.commands?;
    report.fact("dump", "would run:");
    report.result(
        &commands.join("\n"),
        json!({
            "clients": clients_json(&clients),
            "rejected": rejected_json(&clients),
            "free_disk": free,
            "server": server_json(&examined.server),
            "trial_databases": examined.databases,
            "replacement_databases": examined.replacements.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "commands": commands,
            "warnings": report.warnings(),
        }),
    )
}

fn show_clients(report: &Report, installed: &Installed) {
    let Found { clients, rejected } = &installed.found;
    for client in clients {
        let role = match client.role {
            Role::Dump => "dumps",
            Role::Restore => "restores",
            Role::Shell => "runs SQL",
            Role::Server => "serves",
        };
        report.fact("client", format!("{client}, {role}"));
    }
    for rejected in rejected {
        report.fact("not a client", format!("{}: {}", rejected.path.display(), rejected.why));
    }
    if clients.is_empty() {
        report.warning(format!("no client for {} was found", installed.dialect.name()));
    }
}

fn show_server(report: &Report, server: &Server, free: u64) {
    let encrypted = if server.encrypted { "encrypted" } else { "not encrypted" };
    report.fact("session", format!("{encrypted}, {} / {}", server.encoding, server.collation));
    if let Some(left) = server.connections_left {
        report.fact("connections", format!("{} left", units::count(left)));
    }
    for Finding { severity, what, hint, .. } in &server.findings {
        let label = match severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Missing => "missing",
            Severity::Fatal => "problem",
        };
        report.fact(label, what);
        if let Some(hint) = hint {
            report.fact("", format!("hint: {hint}"));
        }
    }
    if store::may_not_fit(server.size, free) {
        report.warning("the archive may not fit on this disk: --output - sends it elsewhere");
    }
}

fn clients_json(all: &[Installed]) -> Value {
    let clients = all.iter().flat_map(|installed| &installed.found.clients).map(|client| {
        json!({
            "path": client.path.display().to_string(),
            "role": match client.role {
                Role::Dump => "dump",
                Role::Restore => "restore",
                Role::Shell => "shell",
                Role::Server => "server",
            },
            "flavour": client.flavour.to_string(),
            "version": client.version.to_string(),
        })
    });
    clients.collect()
}

fn rejected_json(all: &[Installed]) -> Value {
    let rejected = all.iter().flat_map(|installed| &installed.found.rejected);
    rejected.map(|one| json!({ "path": one.path.display().to_string(), "why": one.why })).collect()
}

fn server_json(server: &Server) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "severity": format!("{:?}", finding.severity).to_lowercase(),
            "what": finding.what,
            "hint": finding.hint.as_ref().map(Hint::text),
        })
    };
    json!({
        "flavour": server.flavour.to_string(),
        "version": server.version.to_string(),
        "version_text": server.version_text,
        "products": server.products.iter().map(|product| product.name).collect::<Vec<_>>(),
        "database": server.database,
        "user": server.user,
        "standing": server.standing,
        "bytes": server.size,
        "tables": server.tables.len(),
        "encoding": server.encoding,
        "collation": server.collation,
        "replica": server.replica,
        "read_only": server.read_only,
        "pooler": server.pooler,
        "connections_left": server.connections_left,
        "encrypted": server.encrypted,
        "findings": server.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}
