//! Tunnels that behave and tunnels that don't; the programs are scripts, put on a `PATH` of the test's own.

use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::connection::{LoginRules, Tls, TlsMode};
use crate::dialect::Dialect;

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { timeout(Duration::from_secs(60), future).await.expect("no end in sight") })
}

fn target(host: Host) -> Connection {
    let tls = Tls { mode: TlsMode::Prefer, explicit: false, ca: None, cert: None, key: None };
    Connection {
        dialect: Dialect::POSTGRES,
        scheme: "postgres".into(),
        host,
        route: None,
        user: "app".into(),
        password: Some(crate::secret::Secret::new("geheimnis77")),
        database: "shop".into(),
        tls,
        login: LoginRules::default(),
        notes: Vec::new(),
    }
}

fn tcp(name: &str) -> Connection {
    target(Host::Tcp { name: name.into(), port: 5432 })
}

/// A folder with one program in it. `sh` reads the script, so that no other test's fork can keep it busy.
fn program(name: &str, script: &str) -> (TempDir, ChildEnv) {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, body) = (folder.path().join(name), folder.path().join("body"));
    std::fs::write(&body, script).expect("written");
    std::os::unix::fs::symlink("/bin/sh", &file).expect("linked");
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    (folder, ChildEnv::for_tunnels([("PATH".into(), path.into())]))
}

/// Opens a tunnel command that runs this script.
async fn open_script(script: &str, limits: &Limits) -> Result<(Tunnel, Route)> {
    let spec = TunnelSpec::Command(["sh", "-c", script].map(str::to_owned).into());
    let env = ChildEnv::for_tunnels([("PATH".into(), "/usr/bin:/bin".into())]);
    open(&spec, &tcp("db.example"), limits, &env, &quiet()).await
}

fn quiet() -> Observer {
    Arc::new(|_| {})
}

#[test]
fn an_open_tunnel_is_a_route_and_a_socket_has_none() {
    run(async {
        let spec = TunnelSpec::parse_open("").expect("a spec");
        let env = ChildEnv::default();
        let (tunnel, route) = open(&spec, &tcp("db"), &Limits::default(), &env, &quiet()).await.expect("open");
        assert_eq!(route, Route { host: "127.0.0.1".into(), port: 10000 });
        assert!(tunnel.died().is_none());
        let socket = target(Host::Socket { path: "/run/postgresql".into(), port: 5432 });
        let error = open(&spec, &socket, &Limits::default(), &env, &quiet()).await.expect_err("a socket");
        assert_eq!(error.kind, Kind::Usage);
        assert!(!error.to_string().contains("geheimnis77"));
    });
}

/// The command line without a shell's quotes.
fn words(invocation: &Invocation) -> String {
    shell_words::split(&invocation.to_string()).expect("quoted").join(" ")
}

#[test]
fn the_ssh_command_line() {
    let place = SshAddress { user: Some("me"), host: "bastion", port: Some(2222) };
    let whole = words(&ssh("/usr/bin/ssh".into(), &place, Duration::from_secs(10), 40001, "db.internal", 5432));
    assert_eq!(
        whole,
        "/usr/bin/ssh -N -T -S none -o BatchMode=yes -o ExitOnForwardFailure=yes -o ServerAliveInterval=15 \
         -o PermitLocalCommand=no -o ConnectTimeout=10 -L 127.0.0.1:40001:db.internal:5432 -l me -p 2222 -- bastion"
    );
    let place = SshAddress { user: None, host: "bastion", port: None };
    let short = words(&ssh("/usr/bin/ssh".into(), &place, Duration::from_millis(1), 40001, "::1", 3306));
    assert!(
        short.contains("ConnectTimeout=1 ") && short.ends_with("-L 127.0.0.1:40001:[::1]:3306 -- bastion"),
        "{short}"
    );
}

#[test]
fn a_command_s_address_is_what_it_prints_even_if_that_is_not_what_was_expected() {
    run(async {
        // It goes on talking: a full pipe would stop the tunnel.
        let script = "echo Building tunnel to db.example:30000; echo 127.0.0.1:10001; yes 127.0.0.1:6 | head -c 500000; \
                      echo drained >&2; exec sleep 1000";
        let (tunnel, route) = open_script(script, &Limits::default()).await.expect("open");
        assert_eq!(route, Route { host: "127.0.0.1".into(), port: 10001 });
        assert!(tunnel.died().is_none());
        tunnel.close().await;
    });
}

#[test]
fn the_death_of_a_tunnel_is_noticed_and_explained() {
    run(async {
        let script = "echo 127.0.0.1:10001; sleep 0.1; echo 'bye, geheimnis77' >&2; exit 7";
        let (tunnel, _) = open_script(script, &Limits::default()).await.expect("open");
        let error = tunnel.ended().await;
        assert_eq!(error.to_string(), "the tunnel has ended\n  sh ended with exit code 7\n  bye, ****");
        assert_eq!(error.kind, Kind::Connect);
        assert_eq!(tunnel.died().expect("dead").to_string(), error.to_string());
        let error = open_script("echo oops >&2", &Limits::default()).await.expect_err("no address");
        assert_eq!(error.to_string(), "the tunnel has ended\n  sh ended by itself\n  oops");
    });
}

#[test]
fn a_command_that_prints_no_address_has_the_connect_time_out() {
    run(async {
        let limits = Limits { connect: Duration::from_millis(300), ..Limits::default() };
        let error = open_script("echo soon; exec sleep 1000", &limits).await.expect_err("no address");
        assert_eq!(error.to_string(), "sh printed no address within 0.3 s");
    });
}

#[test]
fn ssh_s_refusal_comes_with_a_hint() {
    // The program that is found as ssh is sh, which knows no -N: another refusal, but the same way to here.
    let (_folder, env) = program("ssh", "");
    run(async {
        let spec = TunnelSpec::parse_ssh("me@bastion").expect("a spec");
        let (tunnel, route) = open(&spec, &tcp("db"), &Limits::default(), &env, &quiet()).await.expect("started");
        assert_eq!(route.host, "127.0.0.1");
        assert!(tunnel.ended().await.to_string().starts_with("the tunnel has ended\n  ssh ended with exit code 2\n"));
    });
    let refused = Error::new(Kind::Connect, "x").why("me@bastion: Permission denied (publickey).");
    assert!(with_hint(refused).hints[0].text().contains("ssh-add"));
    let unknown = Error::new(Kind::Connect, "x").why("Host key verification failed.");
    assert!(with_hint(unknown).hints[0].text().contains("by hand"));
}

#[test]
fn programs_are_found_on_path_or_the_package_is_named() {
    let (folder, env) = program("teleport", "");
    assert_eq!(find("teleport", &env).expect("found"), folder.path().join("teleport"));
    let data = folder.path().join("body");
    assert_eq!(data.metadata().expect("metadata").permissions().mode() & 0o111, 0);
    assert!(find("body", &env).is_err(), "not executable");
    let nowhere = ChildEnv::for_tunnels([("PATH".into(), "/nonexistent".into())]);
    assert!(find("ssh", &nowhere).expect_err("not found").hints[0].text().contains("openssh-client"));
}
