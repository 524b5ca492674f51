//! `require_auth`, kept by our own sessions: how the server wants us to prove who we are is read before the driver answers
//! it, on the bare connection and within TLS. A way that the URI does not allow ends the login, and no password was sent.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Login;
use crate::connection::{Connection, Host, RequireAuth};

/// What the server's first message may hold before it asks, in bytes: notices are short.
const MAX_BEFORE: usize = 64 << 10;

/// Either way to a server.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// Connects and logs in by a way that the rule allows.
pub async fn login(
    config: &Config,
    connector: rustls::ClientConfig,
    connection: &Connection,
    rule: &RequireAuth,
) -> io::Result<Result<Login, Error>> {
    let socket: Box<dyn Socket> = match (connection.address(), &connection.host) {
        (None, Host::Socket { path, port }) => {
            let path: PathBuf = path.join(format!(".s.PGSQL.{port}"));
            Box::new(UnixStream::connect(path).await?)
        }
        (address, _) => {
            let stream = TcpStream::connect(address.unwrap_or_default()).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
    };
    // The server answers a request for TLS with one byte that is no message.
    let asks = config.get_ssl_mode() != SslMode::Disable && config.get_ssl_negotiation() == SslNegotiation::Postgres;
    let socket = Watched::new(socket, rule, asks);
    let mut connector = MakeRustlsConnect::new(connector);
    let Ok(inner) = MakeTlsConnect::<Box<dyn Socket>>::make_tls_connect(&mut connector, connection.identity());
    let connecting = config.connect_raw(socket, WatchedTls { inner, rule: rule.clone() });
    Ok(connecting.await.map(|(client, driver)| Login::new(client, driver)))
}

/// A connection whose first messages are looked at.
struct Watched<S> {
    stream: S,
    watch: Option<Watch>,
}

struct Watch {
    rule: RequireAuth,
    seen: Vec<u8>,
    /// One byte comes before the first message.
    answer: bool,
}

impl<S> Watched<S> {
    fn new(stream: S, rule: &RequireAuth, answer: bool) -> Self {
        Self { stream, watch: Some(Watch { rule: rule.clone(), seen: Vec::new(), answer }) }
    }
}

impl Watch {
    /// Looks at new bytes. True when the server has asked, in an allowed way.
    fn see(&mut self, bytes: &[u8]) -> io::Result<bool> {
        self.seen.extend_from_slice(bytes);
        if self.answer && !self.seen.is_empty() {
            self.seen.remove(0);
            self.answer = false;
        }
        while let Some(&[kind, a, b, c, d]) = self.seen.first_chunk::<5>() {
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            if kind == b'R' {
                let Some(&[w, x, y, z]) = self.seen.get(5..9).and_then(<[u8]>::first_chunk) else { return Ok(false) };
                return self.judge(u32::from_be_bytes([w, x, y, z])).map(|()| true);
            }
            if kind == b'E' || self.seen.len() <= length {
                break;
            }
            self.seen.drain(..=length);
        }
        if self.seen.len() > MAX_BEFORE {
            return Err(io::Error::other("the server does not say how it wants us to log in"));
        }
        Ok(false)
    }

    /// `AuthenticationOk` as the first word, and the requests of the protocol.
    fn judge(&self, request: u32) -> io::Result<()> {
        let method = match request {
            0 => "none",
            3 => "password",
            5 => "md5",
            7 | 8 => "gss",
            9 => "sspi",
            10 => "scram-sha-256",
            _ => "another way",
        };
        if self.rule.allows(method) {
            return Ok(());
        }
        let what = format!("require_auth={} does not allow {method}, which the server asks for", self.rule);
        Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(task, buffer);
        if let (Poll::Ready(Ok(())), Some(watch)) = (&polled, &mut self.watch) {
            match watch.see(&buffer.filled()[before..]) {
                Ok(true) => self.watch = None,
                Ok(false) => {}
                Err(refused) => return Poll::Ready(Err(refused)),
            }
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Watched<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

/// TLS, within which the messages are looked at.
struct WatchedTls<C> {
    inner: C,
    rule: RequireAuth,
}

impl<S, C> TlsConnect<Watched<S>> for WatchedTls<C>
where
    C: TlsConnect<S>,
    C::Future: Send + 'static,
    C::Stream: 'static,
    C::Error: 'static,
{
    type Stream = Watched<C::Stream>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: Watched<S>) -> Self::Future {
        let (connecting, rule) = (self.inner.connect(stream.stream), self.rule);
        Box::pin(async move { Ok(Watched::new(connecting.await?, &rule, false)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(rule: &str, answer: bool, bytes: &[u8]) -> Result<bool, String> {
        let mut watch = Watch { rule: rule.parse().expect(rule), seen: Vec::new(), answer };
        let mut asked = false;
        for byte in bytes {
            asked |= watch.see(&[*byte]).map_err(|e| e.to_string())?;
        }
        Ok(asked)
    }

    #[test]
    fn the_servers_request_is_found_whatever_comes_before_and_however_it_is_cut() {
        const SCRAM: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
        const CLEAR: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
        const NOTICE: &[u8] = b"N\0\0\0\x09hello";
        assert_eq!(seen("scram-sha-256", false, SCRAM), Ok(true));
        assert_eq!(seen("scram-sha-256", true, &[b"N", SCRAM].concat()), Ok(true));
        assert_eq!(seen("!password,!md5", false, &[NOTICE, SCRAM].concat()), Ok(true));
        for (rule, bytes) in [
            ("scram-sha-256", CLEAR.to_vec()),
            ("scram-sha-256", [NOTICE, CLEAR].concat()),
            ("!password", CLEAR.to_vec()),
            ("password", SCRAM.to_vec()),
            ("scram-sha-256,md5", b"R\0\0\0\x08\0\0\0\0".to_vec()),
        ] {
            let refused = seen(rule, false, &bytes).expect_err(rule);
            assert!(refused.contains(&format!("require_auth={rule} does not allow")), "{refused}");
        }
        assert_eq!(seen("none", false, b"R\0\0\0\x08\0\0\0\0"), Ok(true));
        assert_eq!(seen("none", false, b"E\0\0\0\x05x"), Ok(false));
    }
}
