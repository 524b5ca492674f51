//! The tests that need a whole dbhaul, real servers or scripted clients: one binary, so that servers are shared.

mod clients;
mod huge;
mod secrets;
mod servers;
mod supervision;
mod support;
mod tunnels;
