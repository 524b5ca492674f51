//! The way to a database that is not reached directly.
//!
//! [`open`] starts what the tunnel needs and tells the [`Route`]: where packets go from now on. The connection keeps
//! its host, which stays the TLS identity. A route is no promise: a tunnel accepts before it has dialled the database,
//! so readiness is the caller's handshake, tried again until it succeeds or [`Tunnel::died`]. While the tunnel is in
//! use, [`Tunnel::ended`] is to be waited for beside the work, so that the failure is named after its cause.
//!
//! A tunnel has a stop of its own: when we are asked to end, the clients end first, over a way that still stands.

mod spec;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use spec::TunnelSpec;

use crate::connection::{Connection, Host, Limits, Route};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Observer};
use crate::hint::Hint;
use crate::invocation::Invocation;
use crate::process::{ChildEnv, ChildStdout, Running, Signal, SpawnOptions, Stop, spawn};
use crate::secret::Redactor;

/// An open tunnel. Dropping it kills what we started for it.
#[derive(Debug)]
pub struct Tunnel {
    /// None for a tunnel that somebody else holds.
    child: Option<Supervised>,
}

#[derive(Debug)]
struct Supervised {
    task: JoinHandle<()>,
    death: watch::Receiver<Option<Error>>,
    stop: Stop,
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Opens a tunnel to a database. `env` is [`ChildEnv::for_tunnels`]; ssh and commands are looked up on its `PATH`.
///
/// Stops are the caller's business: drop the future.
pub async fn open(
    spec: &TunnelSpec,
    target: &Connection,
    limits: &Limits,
    env: &ChildEnv,
    observer: &Observer,
) -> Result<(Tunnel, Route)> {
    let Host::Tcp { name, port } = &target.host else {
        return Err(Error::new(Kind::Usage, format!("a socket can't be reached through a tunnel: {target}"))
            .hint(Hint::new("leave-tunnel-out", "leave the tunnel out, or give the database's host and port")));
    };
    let stop = Stop::default();
    let mut options = SpawnOptions::new(env.clone(), limits, stop.clone());
    // A tunnel is silent for as long as nobody connects, and lives as long as the work it is for.
    (options.idle, options.deadline, options.redactor) = (None, None, target.redactor());
    match spec {
        TunnelSpec::Open(route) => Ok((Tunnel { child: None }, route.clone())),
        TunnelSpec::Ssh { user, host, port: ssh_port } => {
            let near = free_port()?;
            let place = SshAddress { user: user.as_deref(), host, port: *ssh_port };
            let invocation = ssh(find("ssh", env)?, &place, limits.connect, near, name, *port);
            let running = start(&invocation, &options, observer)?;
            let route = Route { host: "127.0.0.1".into(), port: near };
            Ok((Tunnel { child: Some(supervise(running, stop)) }, route))
        }
        TunnelSpec::Command(words) => {
            let (program, args) = words.split_first().ok_or_else(|| no_program(""))?;
            let invocation = Invocation::new(find(program, env)?).args(args);
            let secrets: Vec<_> = words.iter().flat_map(|word| crate::uri::secrets(word)).collect();
            options.redactor.merge(&Redactor::new(&secrets));
            let mut running = start(&invocation, &options, observer)?;
            let address = running.take_stdout().map(first_address);
            let mut child = supervise(running, stop);
            let route = announced(&mut child, address, limits.connect, program).await?;
            Ok((Tunnel { child: Some(child) }, route))
        }
    }
}

impl Tunnel {
    /// What ended the tunnel, if it has ended.
    #[must_use]
    pub fn died(&self) -> Option<Error> {
        self.child.as_ref().and_then(|child| child.death.borrow().clone())
    }

    /// Waits until the tunnel ends, which it should not while somebody waits.
    pub async fn ended(&self) -> Error {
        match &self.child {
            Some(child) => child.clone_death().await,
            None => std::future::pending().await,
        }
    }

    /// Ends the tunnel in order.
    pub async fn close(mut self) {
        if let Some(mut child) = self.child.take() {
            child.stop.request(Signal::TERM);
            let _ = (&mut child.task).await;
        }
    }
}

impl Supervised {
    async fn clone_death(&self) -> Error {
        let mut death = self.death.clone();
        match death.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or_else(ended_early),
            Err(_) => ended_early(),
        }
    }
}

fn ended_early() -> Error {
    Error::new(Kind::Connect, "the tunnel has ended")
}

struct SshAddress<'a> {
    user: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
}

/// `ssh -N -L`. Batch mode asks for nothing; a forwarding that fails ends it; a connection of its own (`-S none`), for
/// a shared one would keep our forwarding after us.
fn ssh(program: PathBuf, place: &SshAddress, connect: Duration, near: u16, host: &str, port: u16) -> Invocation {
    let far = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let connect = format!("ConnectTimeout={}", connect.as_secs().max(1));
    let mut invocation = Invocation::new(program).args(["-N", "-T", "-S", "none"]);
    for option in
        ["BatchMode=yes", "ExitOnForwardFailure=yes", "ServerAliveInterval=15", "PermitLocalCommand=no", &connect]
    {
        invocation = invocation.args(["-o", option]);
    }
    invocation = invocation.args(["-L".to_owned(), format!("127.0.0.1:{near}:{far}")]);
    if let Some(user) = place.user {
        invocation = invocation.args(["-l", user]);
    }
    if let Some(port) = place.port {
        invocation = invocation.args(["-p".to_owned(), port.to_string()]);
    }
    invocation.args(["--", place.host])
}

/// A port that was free a moment ago. Should somebody take it first, ssh ends and says so.
fn free_port() -> Result<u16> {
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).map(|a| a.port());
    port.map_err(|error| Error::new(Kind::Connect, "there is no free port for the tunnel").why(error))
}

fn start(invocation: &Invocation, options: &SpawnOptions, observer: &Observer) -> Result<Running> {
    observer(Event::Command(invocation.to_string()));
    spawn(invocation, options).map_err(|failure| failure.into_error(Kind::Connect))
}

/// Waits for the child's end in a task, so that it is noticed at any time.
fn supervise(running: Running, stop: Stop) -> Supervised {
    let (tell, death) = watch::channel(None);
    let task = tokio::spawn(async move {
        let error = match running.wait().await {
            Ok(exited) => ended_early().why(format!("{} ended by itself", exited.program())).why(exited.stderr()),
            Err(failure) => {
                let mut error = failure.into_error(Kind::Connect);
                error.why.insert(0, std::mem::replace(&mut error.what, ended_early().what));
                error
            }
        };
        let _ = tell.send(Some(with_hint(error)));
    });
    Supervised { task, death, stop }
}

/// ssh's most frequent complaints, in its own English words.
fn with_hint(error: Error) -> Error {
    let said = |words: &str| error.why.iter().any(|line| line.contains(words));
    if said("Host key verification failed") {
        return error.hint(Hint::new("accept-hosts-key", "connect once by hand with ssh, and accept the host's key"));
    }
    if said("Permission denied (") {
        return error.hint(Hint::new(
            "load-key-into-agent",
            "load the key into the agent (ssh-add), or name it in ~/.ssh/config: dbhaul never asks",
        ));
    }
    error
}

/// Reads a tunnel command's stdout to its end and tells the first address in it.
fn first_address(output: ChildStdout) -> oneshot::Receiver<Route> {
    let (tell, address) = oneshot::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut tell = Some(tell);
        let mut line = Vec::new();
        // A line longer than any address is read in pieces: memory stays bounded.
        while matches!(reader.by_ref().take(4096).read_until(b'\n', &mut line), Ok(1..)) {
            if let Some(route) = spec::address_in(&String::from_utf8_lossy(&line)) {
                let _ = tell.take().map(|tell| tell.send(route));
            }
            line.clear();
        }
    });
    address
}

/// Waits for the address, but no longer than for a connection, and not for a command that has ended.
async fn announced(
    child: &mut Supervised,
    address: Option<oneshot::Receiver<Route>>,
    limit: Duration,
    program: &str,
) -> Result<Route> {
    let address = async {
        match address {
            // Its end without an address is told by the command's own end.
            Some(address) => match address.await {
                Ok(route) => route,
                Err(_) => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    };
    let first = async {
        tokio::select! {
            biased;
            error = child.clone_death() => Err(error),
            route = address => Ok(route),
        }
    };
    timeout(limit, first).await.unwrap_or_else(|_| {
        Err(Error::new(Kind::Connect, format!("{program} printed no address within {} s", limit.as_secs_f64())).hint(
            Hint::new(
                "what-a-tunnel-command-prints",
                "a tunnel command prints IP:PORT or localhost:PORT on stdout; --connect-timeout gives it more time",
            ),
        ))
    })
}

/// The program's absolute path, found as a shell would find it.
fn find(program: &str, env: &ChildEnv) -> Result<PathBuf> {
    if program.contains('/') {
        return std::path::absolute(program).map_err(|error| no_program(program).why(error));
    }
    let path = env.get("PATH").unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
    let runs = |file: &Path| file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    let mut places =
        std::env::split_paths(path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(program));
    places.find(|file| runs(file)).ok_or_else(|| no_program(program))
}

fn no_program(program: &str) -> Error {
    let hint = match program {
        "ssh" => Hint::new(
            "install-ssh",
            "apt install openssh-client, apk add openssh-client, or dnf install openssh-clients",
        ),
        _ => Hint::new("program-by-its-path", "name it by its path, or put its folder on PATH"),
    };
    Error::new(Kind::Usage, format!("there is no program {program:?} on PATH")).hint(hint)
}

#[cfg(test)]
mod tests;
