//! The options that say how a database is reached; shared by every command that connects.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::connection::{Connection, Limits};
use crate::env_settings::{self, Named};
use crate::error::{Error, Kind, Result};
use crate::pipeline::Context;
use crate::process::{ChildEnv, Deadline, Stop, reap_orphans};
use crate::report::Report;
use crate::tunnel::TunnelSpec;

/// Reaching the database
#[derive(Args, Debug)]
#[command(next_help_heading = "Reaching the database")]
pub struct ConnectArgs {
    /// Goes through an open tunnel; without a value, 127.0.0.1:10000
    #[arg(long, value_name = "[HOST:]PORT", env = "DBHAUL_TUNNEL", value_parser = TunnelSpec::parse_open, group = "way")]
    tunnel: Option<TunnelSpec>,
    /// Opens `ssh -N -L` to this host, and ends it afterwards
    #[arg(long, value_name = "[USER@]HOST[:PORT]", env = "DBHAUL_SSH", value_parser = TunnelSpec::parse_ssh, group = "way")]
    ssh: Option<TunnelSpec>,
    /// Starts this command and takes HOST:PORT from the first such address that it prints
    #[arg(long, value_name = "CMD", env = "DBHAUL_TUNNEL_COMMAND", value_parser = TunnelSpec::parse_command, group = "way")]
    tunnel_command: Option<TunnelSpec>,
    /// Seconds for connecting and logging in
    #[arg(long, value_name = "S", env = "DBHAUL_CONNECT_TIMEOUT", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    connect_timeout: u64,
    /// Seconds without a byte before the work is given up
    #[arg(long, value_name = "S", env = "DBHAUL_IDLE_TIMEOUT", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    idle_timeout: u64,
    /// Seconds for the whole command
    #[arg(long, value_name = "S", env = "DBHAUL_TIMEOUT", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// How often connecting is tried again
    #[arg(long, value_name = "N", env = "DBHAUL_RETRIES", default_value_t = 3)]
    retries: u32,
    /// Seconds between asking a client to end and killing it
    #[arg(long, value_name = "S", env = "DBHAUL_GRACE_PERIOD", default_value_t = 5)]
    grace_period: u64,
    /// Takes the client programs from this folder only
    #[arg(long, value_name = "DIR", env = "DBHAUL_CLIENT_DIR")]
    client_dir: Option<PathBuf>,
    /// Tries with a server older than PostgreSQL 13, MySQL 5.7 or MariaDB 10.3, the oldest supported
    #[arg(long, env = "DBHAUL_FORCE_VERSION")]
    force_version: bool,
    /// Deletes what runs that were killed left in the output's folder and in TMPDIR, instead of naming it
    #[arg(long, env = "DBHAUL_REMOVE_LEFTOVERS", help_heading = None::<&str>)]
    remove_leftovers: bool,
}

impl ConnectArgs {
    /// The database that is meant. A URI taken from the environment is named on stderr, redacted.
    pub fn connection(argument: Option<&str>, report: &Report) -> Result<Named> {
        Self::labelled(None, argument, report)
    }

    /// One of two databases, by what it is for.
    pub fn side(label: &str, argument: &str, report: &Report) -> Result<Connection> {
        Ok(Self::labelled(Some(label), Some(argument), report)?.connection)
    }

    fn labelled(label: Option<&str>, argument: Option<&str>, report: &Report) -> Result<Named> {
        let named = env_settings::connection(argument, &|name| std::env::var(name).ok())?;
        report.fact(label.unwrap_or(&named.source), named.connection.to_string());
        for note in &named.connection.notes {
            report.note(note);
        }
        Ok(named)
    }

    /// Everything that the pipelines need of the process around them.
    pub fn context(&self, report: &Report) -> Result<Context> {
        let context = context(report, self.limits())?;
        Ok(Context {
            deadline: self.timeout.map(|s| Deadline::after(Duration::from_secs(s))),
            client_dir: self.client_dir.clone(),
            force_version: self.force_version,
            remove_leftovers: self.remove_leftovers,
            tunnel: self.tunnel.clone().or(self.ssh.clone()).or(self.tunnel_command.clone()),
            ..context
        })
    }

    fn limits(&self) -> Limits {
        Limits {
            connect: Duration::from_secs(self.connect_timeout),
            idle: Duration::from_secs(self.idle_timeout),
            total: self.timeout.map(Duration::from_secs),
            retries: self.retries,
            grace: Duration::from_secs(self.grace_period),
        }
    }
}

/// The process around us, with these limits.
fn context(report: &Report, limits: Limits) -> Result<Context> {
    let no_signals = |e| Error::new(Kind::Unexpected, "signals can't be handled").why(e);
    let stop = Stop::listen().map_err(no_signals)?;
    reap_orphans().map_err(no_signals)?;
    Ok(Context {
        observer: report.observer(),
        stop,
        limits,
        deadline: None,
        client_env: ChildEnv::for_clients(std::env::vars_os()),
        tunnel_env: ChildEnv::for_tunnels(std::env::vars_os()),
        search_path: std::env::var_os("PATH").unwrap_or_default(),
        client_dir: None,
        server_dir: None,
        accept_unproven: false,
        database: None,
        member: None,
        tunnel: None,
        force_version: false,
        temp_dir: std::env::temp_dir(),
        remove_leftovers: false,
    })
}

/// `--tunnel` alone, also right before a URI or another option, means 127.0.0.1:10000: clap would take the next
/// argument for its value.
pub fn spell_out_tunnel(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::new();
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        if arg == "--" {
            out.push(arg);
            break;
        }
        if arg == "--tunnel" {
            let value = args.next_if(|next| is_address(next));
            let value = value.unwrap_or_else(|| OsString::from("127.0.0.1:10000"));
            let mut joined = OsString::from("--tunnel=");
            joined.push(value);
            out.push(joined);
        } else {
            out.push(arg);
        }
    }
    out.extend(args);
    out
}

/// `PORT`, `HOST:PORT`, `[::1]:PORT`.
fn is_address(text: &OsStr) -> bool {
    let Some(text) = text.to_str() else { return false };
    let port = text.rsplit(':').next().unwrap_or(text);
    !text.contains('/') && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_tunnel_means_the_usual_port() {
        let spell = |args: &[&str]| -> Vec<String> {
            let args = args.iter().map(OsString::from);
            spell_out_tunnel(args).into_iter().map(|a| a.into_string().expect("UTF-8")).collect()
        };
        assert_eq!(spell(&["--tunnel", "postgres://u@h:5/d"]), ["--tunnel=127.0.0.1:10000", "postgres://u@h:5/d"]);
        assert_eq!(spell(&["--tunnel"]), ["--tunnel=127.0.0.1:10000"]);
        assert_eq!(spell(&["--tunnel", "-v"]), ["--tunnel=127.0.0.1:10000", "-v"]);
        assert_eq!(spell(&["--tunnel", "10001", "x"]), ["--tunnel=10001", "x"]);
        assert_eq!(spell(&["--tunnel", "[::1]:7"]), ["--tunnel=[::1]:7"]);
        assert_eq!(spell(&["--tunnel=5", "env:X"]), ["--tunnel=5", "env:X"]);
        assert_eq!(spell(&["--", "--tunnel"]), ["--", "--tunnel"]);
    }
}
