//! How dbhaul finds a server and its client: URIs, logins, tunnels, versions; what is refused before anything starts.

mod bad_input;
pub mod clients;
mod identity;
mod tunnels;
mod unsupported_servers;
