//! From a URI to a probed server: the tunnel, the retries, and the check that it is the database that was meant.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Context;
use super::watch::{stopped, until_stopped};
use crate::connection::{Connection, Limits};
use crate::engine::{self, Engine, Purpose, Scene, Server, SupportLevel};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::pipeline::restore::lines::Lines;
use crate::report::units;
use crate::tunnel::{self, Tunnel};

/// A server that answered, and the way to it, which stays open as long as this lives.
pub struct ConnectedServer {
    /// The engine that speaks its dialect.
    pub engine: &'static dyn Engine,
    /// The connection, with the tunnel's route.
    pub connection: Connection,
    /// Where the target is, while `connection` leads to a database that will [take its place](crate::pipeline::restore::replace).
    pub replaced: Option<Connection>,
    /// What it said of itself.
    pub server: Server,
    /// What is done there, for whoever explains a failure.
    pub scene: Scene,
    /// The tunnel.
    pub tunnel: Option<Tunnel>,
    /// Who held the lock that a session of ours waited for, when the server was last asked.
    pub lock_holders: RefCell<Vec<String>>,
    /// The last lines of the script that a client reads, where it tells lines.
    pub script: RefCell<Option<Arc<Mutex<Lines>>>>,
}

impl ConnectedServer {
    /// The connection that was asked for.
    pub fn named(&self) -> &Connection {
        self.replaced.as_ref().unwrap_or(&self.connection)
    }

    /// Ends when the tunnel does, which it should not while somebody works.
    pub async fn lost(&self) -> Error {
        match &self.tunnel {
            Some(tunnel) => tunnel.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the server works for us while no byte moves. A server that doesn't answer does not.
    pub async fn is_busy(&self, context: &Context) -> bool {
        let doing =
            self.engine.session_activity(&self.connection, &self.server, &context.limits).await.unwrap_or_default();
        self.lock_holders.replace(doing.holders);
        doing.busy
    }

    /// Whose lock the clients waited for when they were last looked at, for people.
    pub fn waited_for(&self) -> Vec<String> {
        let holders = self.lock_holders.take();
        holders.into_iter().map(|holder| format!("it waited for a lock of {holder}")).collect()
    }

    /// What the statement is about that begins at this line of a client's script.
    pub fn about(&self, line: u64) -> Option<String> {
        let script = self.script.borrow();
        let statement = script.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).statement(line)?;
        self.engine.named(&statement)
    }

    /// Gives a tunnel the moment in which its end is seen: a client that fails for it may well end first.
    pub async fn settle(&self) {
        if self.tunnel.is_some() {
            let _ = tokio::time::timeout(Duration::from_millis(500), self.lost()).await;
        }
    }
}

/// Opens the tunnel, if there is one, and probes until the server answers or the connect time-out ends.
pub async fn connect(context: &Context, connection: &Connection, purpose: Purpose) -> Result<ConnectedServer> {
    let deadline = Instant::now() + context.limits.connect;
    let engine = engine::of(connection.dialect);
    let mut connection = connection.clone();
    let mut tunnel = None;
    if let Some(spec) = &context.tunnel {
        let opening = tunnel::open(spec, &connection, &context.limits, &context.tunnel_env, &context.observer);
        let (open, route) = until_stopped(context, opening).await?;
        context.fact("tunnel", format!("{}:{} for {}", route.host, route.port, connection.identity()));
        connection.route = Some(route);
        tunnel = Some(open);
    }
    let server = probe(context, engine, &connection, purpose, tunnel.as_ref(), deadline).await?;
    same_database(&connection, &server)?;
    old_enough(context, engine, &server)?;
    for product in &server.products {
        if let SupportLevel::Warned(difference) = product.standing {
            context.warn(format!("the server is {}: {difference}", product.name));
        }
    }
    context.fact("server", describe(&server, purpose));
    Ok(ConnectedServer {
        engine,
        connection,
        replaced: None,
        server,
        scene: Scene::default(),
        tunnel,
        lock_holders: RefCell::default(),
        script: RefCell::default(),
    })
}

/// Tries, and tries again after failures that may pass: a tunnel that is not through yet, a server that is starting.
async fn probe(
    context: &Context,
    engine: &'static dyn Engine,
    connection: &Connection,
    purpose: Purpose,
    tunnel: Option<&Tunnel>,
    deadline: Instant,
) -> Result<Server> {
    let mut pause = Duration::from_millis(100);
    // A tunnel says that it is open before it is through: until then, failures cost no retry.
    let mut retries = if tunnel.is_some() { u32::MAX } else { context.limits.retries };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let limits = Limits { connect: left.max(Duration::from_millis(1)), ..context.limits };
        let error = match until_stopped(context, engine.probe(connection, purpose, &limits)).await {
            Ok(server) => return Ok(server),
            Err(error) => error,
        };
        if let Some(died) = tunnel.and_then(Tunnel::died) {
            return Err(died);
        }
        if !error.transient || retries == 0 || Instant::now() + pause >= deadline {
            return Err(error);
        }
        retries -= 1;
        tracing::debug!("not through yet ({}), again in {} ms", error.why.join(" "), pause.as_millis());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            signal = context.stop.wait() => return Err(stopped(signal)),
        }
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// A tunnel's port may belong to another tunnel: what answers must be what the URI names.
fn same_database(connection: &Connection, server: &Server) -> Result<()> {
    let user = server.login.split('@').next().unwrap_or_default();
    let asked = connection.user.split('@').next().unwrap_or_default();
    if server.database == connection.database && (user == asked || connection.route.is_none()) {
        return Ok(());
    }
    Err(Error::new(Kind::Refused, "another database answered than the one that was named")
        .why(format!("named: {} as {}", connection.database, asked))
        .why(format!("answered: {} as {}", server.database, user))
        .hint(Hint::new(
            "check-tunnels-port",
            "check the tunnel's port: a tunnel takes the next one when its own is busy",
        )))
}

/// Nothing is tested with servers older than the oldest supported: that is said, and left to the user.
fn old_enough(context: &Context, engine: &dyn Engine, server: &Server) -> Result<()> {
    let (flavour, version, oldest) = (server.flavour, server.version, engine.oldest(server.flavour));
    if version >= oldest {
        return Ok(());
    }
    let what = format!("{flavour} {version} is older than the oldest supported, {flavour} {oldest}");
    if context.force_version {
        context.warn(format!("{what}: what comes of it is untested"));
        return Ok(());
    }
    Err(Error::new(Kind::Refused, what).why("nothing was started, nothing was changed").hint(Hint::new(
        "force-version",
        "--force-version tries all the same; look at the result before you rely on it",
    )))
}

/// The user, and the one whose rights it has: `"blue", acting as "combined"`.
fn acting(server: &Server) -> String {
    let Server { login, user, .. } = server;
    let account = user.rsplit_once('@').map_or(user.as_str(), |(name, _)| name);
    if account == login || user == login { format!("\"{user}\"") } else { format!("\"{login}\", acting as \"{user}\"") }
}

/// `PostgreSQL 15.18, 1.2 GB in 48 tables, read by "app" (owner)`
fn describe(server: &Server, purpose: Purpose) -> String {
    let size = server.size.map_or(String::new(), |size| format!("{} in ", units::size(size)));
    let held = if purpose == Purpose::Restore && !server.target.exists {
        format!("no database \"{}\" yet", server.database)
    } else {
        format!("{size}{}", units::plural(server.tables.len() as u64, "table"))
    };
    let names: Vec<_> = server.products.iter().map(|product| product.name).collect();
    let products = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let kind = if server.replica { " (replica)" } else { "" };
    let pooler = server.pooler.as_ref().map_or(String::new(), |name| format!(" behind {name}"));
    format!(
        "{} {}{products}{kind}{pooler}, {held}, as {} ({})",
        server.flavour,
        server.version,
        acting(server),
        server.standing
    )
}
