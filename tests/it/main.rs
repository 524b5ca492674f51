//! The tests that need a whole dbhaul, real servers or scripted clients: one binary, so that servers are shared.

mod clients;
mod secrets;
mod servers;
mod support;
mod tunnels;
