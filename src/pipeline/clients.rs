//! Which client programs are on this machine: looked for in PATH and in the folders where packages put them, or in
//! `--client-dir` alone, and asked for their version.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Context;
use crate::engine::{Client, ClientCatalog, Engine, Found, Rejected, Role, Server};
use crate::error::{Error, Kind, Result};
use crate::invocation::Invocation;
use crate::process::capture;
use crate::secret::Redactor;

/// The longest answer to `--version` that is read, in bytes.
const MAX_VERSION_BYTES: usize = 4096;

/// The client of these that dumps from a server; none where dbhaul reads it itself.
pub fn choose_dump(engine: &dyn Engine, server: &Server, found: &Found) -> Result<Option<Client>> {
    let choose = |catalog: &dyn ClientCatalog| {
        catalog.choose(Role::Dump, server, None, &found.clients, &found.rejected).cloned()
    };
    engine.clients().map(choose).transpose()
}

/// Every client of this engine for these roles.
pub async fn find(context: &Context, engine: &dyn Engine, roles: &[Role]) -> Result<Found> {
    let mut found = Found::default();
    let Some(catalog) = engine.clients() else { return Ok(found) };
    for &role in roles {
        let folders = folders(context, catalog, role)?;
        let mut seen = HashSet::new();
        for (folder, name) in folders.iter().flat_map(|f| catalog.programs(role).iter().map(move |n| (f, *n))) {
            let path = folder.join(name);
            let Ok(real) = path.canonicalize() else { continue };
            // Debian's /usr/bin/pg_dump is a script that picks one of the versioned folders, which are searched anyway.
            if real.ends_with("pg_wrapper") || !seen.insert(real) {
                continue;
            }
            match ask(context, catalog, role, &path).await {
                Ok(client) => found.clients.push(client),
                Err(why) => found.rejected.push(Rejected { path, why }),
            }
            if let Some(signal) = context.stop.requested() {
                return Err(super::watch::stopped(signal));
            }
            if context.deadline.is_some_and(|deadline| deadline.remaining().is_zero()) {
                let last =
                    found.rejected.last().map_or_else(String::new, |r| format!("{}: {}", r.path.display(), r.why));
                return Err(Error::new(Kind::TimedOut, "the time was over while clients were looked for").why(last));
            }
        }
    }
    Ok(found)
}

/// The folders to search, in order, each once.
fn folders(context: &Context, catalog: &dyn ClientCatalog, role: Role) -> Result<Vec<PathBuf>> {
    let (only, what) =
        if role == Role::Server { (&context.server_dir, "server") } else { (&context.client_dir, "client") };
    if let Some(folder) = only {
        let folder = folder.canonicalize().map_err(|e| {
            Error::new(Kind::Client, format!("the {what} folder {} can't be read", folder.display())).why(e)
        })?;
        return Ok(vec![folder]);
    }
    let mut folders: Vec<PathBuf> = std::env::split_paths(&context.search_path).filter(|p| p.is_absolute()).collect();
    folders.extend(catalog.folders().iter().flat_map(|pattern| expand(pattern)));
    if let Some(home) = context.tunnel_env.get("HOME") {
        folders.push(Path::new(home).join("bin"));
    }
    let mut seen = HashSet::new();
    folders.retain(|folder| folder.is_dir() && seen.insert(folder.clone()));
    Ok(folders)
}

/// A path whose parts may hold one `*` each, as the folders that match it.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|p| !p.is_empty()) {
        paths = match part.split_once('*') {
            None => paths.into_iter().map(|p| p.join(part)).collect(),
            Some((start, end)) => paths.iter().flat_map(|p| children(p, start, end)).collect(),
        };
    }
    paths
}

fn children(folder: &Path, start: &str, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let fits = |name: &str| name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end);
    let mut found: Vec<_> =
        entries.flatten().filter(|e| e.file_name().to_str().is_some_and(fits)).map(|e| e.path()).collect();
    found.sort();
    found
}

/// Runs `--version`; the error says in a few words why this is not a client.
async fn ask(
    context: &Context,
    catalog: &dyn ClientCatalog,
    role: Role,
    path: &Path,
) -> std::result::Result<Client, String> {
    let executable = path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if !executable {
        return Err("not executable".into());
    }
    let invocation = Invocation::new(path).arg("--version");
    let mut supervision = context.supervision(&Redactor::default());
    // It has nothing to wait for: one that is silent for so long hangs.
    supervision.idle = Some(context.limits.connect);
    let answer = capture(&invocation, &supervision, MAX_VERSION_BYTES).await.map_err(|failure| failure.to_string())?;
    let (flavour, version) = catalog.read_version(&answer.stdout).ok_or_else(|| {
        let said = answer.stdout.lines().next().unwrap_or_default();
        format!("not what its name says: --version answers \"{}\"", said.chars().take(80).collect::<String>())
    })?;
    Ok(Client { role, path: path.to_owned(), flavour, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_name_in_its_place() {
        let root = tempfile::tempdir().expect("a folder");
        for name in ["pg/13/bin", "pg/18/bin", "other/1/bin"] {
            std::fs::create_dir_all(root.path().join(name)).expect("a folder");
        }
        let pattern = format!("{}/p*/*/bin", root.path().display());
        let found: Vec<_> = expand(&pattern);
        assert_eq!(found, [root.path().join("pg/13/bin"), root.path().join("pg/18/bin")]);
    }
}
