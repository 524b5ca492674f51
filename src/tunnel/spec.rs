//! How a tunnel is asked for on the command line, and the address that a tunnel command prints.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::connection::Route;
use crate::error::{Error, Kind, Result};

/// The way to a database that is not reached directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TunnelSpec {
    /// A tunnel that somebody else holds open.
    Open(Route),
    /// `ssh -N -L`, ours.
    Ssh {
        /// The login; without one, what the user's ssh configuration says.
        user: Option<String>,
        /// The host, or its alias in the user's ssh configuration.
        host: String,
        /// The port; without one, what the user's ssh configuration says.
        port: Option<u16>,
    },
    /// A command of the user's that prints where it listens: program and arguments, run without a shell.
    Command(Vec<String>),
}

impl TunnelSpec {
    /// The value of `--tunnel`: `[[HOST:]PORT]`, empty for 127.0.0.1:10000.
    pub fn parse_open(text: &str) -> Result<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (unbracket(host), port),
            None if text.is_empty() => (Some("127.0.0.1"), "10000"),
            None => (Some("127.0.0.1"), text),
        };
        match (host, parse_port(port)) {
            (Some(host), Some(port)) if is_host(host) => Ok(Self::Open(Route { host: host.to_owned(), port })),
            _ => Err(usage("--tunnel", "[[HOST:]PORT], such as 10000, localhost:10000 or [::1]:10000")),
        }
    }

    /// The value of `--ssh`: `[USER@]HOST[:PORT]`.
    pub fn parse_ssh(text: &str) -> Result<Self> {
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, text),
        };
        let (host, port) = match place.rsplit_once(':') {
            // A bare IPv6 address has colons, but no port.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (unbracket(host), Some(parse_port(port)))
            }
            _ => (place.strip_prefix('[').map_or(Some(place), |p| p.strip_suffix(']')), None),
        };
        match (user, host, port) {
            (Some(""), _, _) | (_, None, _) | (_, _, Some(None)) => {}
            (user, Some(host), port) if is_host(host) && user.is_none_or(is_host) => {
                return Ok(Self::Ssh { user: user.map(str::to_owned), host: host.to_owned(), port: port.flatten() });
            }
            _ => {}
        }
        Err(usage("--ssh", "[USER@]HOST[:PORT]"))
    }

    /// The value of `--tunnel-command`, split as a shell would, and run without one.
    pub fn parse_command(text: &str) -> Result<Self> {
        match shell_words::split(text) {
            Ok(words) if !words.is_empty() => Ok(Self::Command(words)),
            Ok(_) => Err(usage("--tunnel-command", "a program and its arguments")),
            Err(_) => Err(usage("--tunnel-command", "a program and its arguments, every quote closed")),
        }
    }
}

/// The value is for the caller to show, who knows what may be in it.
fn usage(option: &str, wanted: &str) -> Error {
    Error::new(Kind::Usage, format!("{option} takes {wanted}"))
}

fn unbracket(host: &str) -> Option<&str> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => Some(host).filter(|host| !host.contains(':')),
    }
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0 && text.bytes().all(|b| b.is_ascii_digit()))
}

/// Also keeps what looks like an option away from ssh.
fn is_host(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && !text.contains(|c: char| c.is_whitespace() || c == '/' || c == '@')
}

/// The first address in a line that a tunnel could listen on: an IP address or `localhost`, with a port. Other names
/// are passed over: what looks like one may be a log's file and line, or the database behind the tunnel.
pub(super) fn address_in(line: &str) -> Option<Route> {
    line.split(|c: char| c.is_whitespace() || "\"'`(),;<>=/@".contains(c)).find_map(|word| {
        let (host, port) = word.trim_end_matches(['.', ':']).rsplit_once(':')?;
        let (host, port) = (unbracket(host)?, parse_port(port)?);
        let host = match host {
            // Where everybody may come in, we come in by the front door.
            "0.0.0.0" | "localhost" => "127.0.0.1",
            "::" => "::1",
            ip if ip.parse::<Ipv4Addr>().is_ok() || ip.parse::<Ipv6Addr>().is_ok() => ip,
            _ => return None,
        };
        Some(Route { host: host.to_owned(), port })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(host: &str, port: u16) -> Route {
        Route { host: host.into(), port }
    }

    #[test]
    fn open_tunnels() {
        for (text, host, port) in [
            ("", "127.0.0.1", 10000),
            ("10001", "127.0.0.1", 10001),
            ("localhost:5", "localhost", 5),
            ("[::1]:10000", "::1", 10000),
            ("gateway.internal:10000", "gateway.internal", 10000),
        ] {
            assert_eq!(TunnelSpec::parse_open(text).expect(text), TunnelSpec::Open(route(host, port)));
        }
        for text in ["0", "65536", "x", ":10000", "host:", "::1:10000", "[x]:1", "+1", "postgres://u@h:1", "u@h:1"] {
            assert_eq!(TunnelSpec::parse_open(text).expect_err(text).kind, Kind::Usage, "{text}");
        }
    }

    #[test]
    fn ssh_places() {
        for (text, user, host, port) in [
            ("bastion", None, "bastion", None),
            ("me@bastion", Some("me"), "bastion", None),
            ("me@bastion:2222", Some("me"), "bastion", Some(2222)),
            ("[::1]:2222", None, "::1", Some(2222)),
            ("me@[::1]", Some("me"), "::1", None),
            ("::1", None, "::1", None),
        ] {
            let expected = TunnelSpec::Ssh { user: user.map(str::to_owned), host: host.into(), port };
            assert_eq!(TunnelSpec::parse_ssh(text).expect(text), expected, "{text}");
        }
        for text in ["", "@h", "me@", "h:0", "h:x", "-oProxyCommand=x", "me@-h", "-me@h", "a b"] {
            assert_eq!(TunnelSpec::parse_ssh(text).expect_err(text).kind, Kind::Usage, "{text}");
        }
    }

    #[test]
    fn commands_are_split_without_a_shell() {
        let spec = TunnelSpec::parse_command("scalingo --app 'my app' db-tunnel DATABASE_URL").expect("a command");
        let words = ["scalingo", "--app", "my app", "db-tunnel", "DATABASE_URL"].map(str::to_owned);
        assert_eq!(spec, TunnelSpec::Command(words.into()));
        for text in ["", "  ", "'open"] {
            assert_eq!(TunnelSpec::parse_command(text).expect_err(text).kind, Kind::Usage);
        }
    }

    #[test]
    fn the_address_that_a_tunnel_prints() {
        for (line, found) in [
            ("127.0.0.1:10001", Some(route("127.0.0.1", 10001))),
            ("Forwarding from 127.0.0.1:5432 -> 5432", Some(route("127.0.0.1", 5432))),
            ("Listening on tcp://[::1]:5432.", Some(route("::1", 5432))),
            ("ready at localhost:15432, press Ctrl-C", Some(route("127.0.0.1", 15432))),
            ("listening on 0.0.0.0:6000", Some(route("127.0.0.1", 6000))),
            ("2024/01/02 10:20:30 tunnel.go:42: dialing db-1.example.com:30000", None),
            ("10:30", None),
            ("127.0.0.1:99999", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(address_in(line), found, "{line}");
        }
    }
}
