//! The tests that need a whole dbhaul, real servers or scripted clients: one binary, so that servers are shared.

#![expect(clippy::format_collect, clippy::format_push_string, clippy::similar_names, reason = "tests are for reading")]

mod connect;
mod copy;
mod dump;
mod faults;
mod foreign;
mod hints;
mod hostile;
mod house;
mod inspect;
mod matrix;
mod memory;
mod platforms;
mod restore;
mod roundtrip;
mod secrets;
mod servers;
mod settings;
mod shelf;
mod support;
mod verify;
