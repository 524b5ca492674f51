//! The tests that need a whole dbhaul, real servers or scripted clients: one binary, so that servers are shared.

mod bad_input;
mod damaged;
mod failures;
mod json;
mod servers;
mod signals;
mod support;
mod targets;
