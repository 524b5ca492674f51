//! The tests that need a whole dbhaul, real servers or scripted clients: one binary, so that servers are shared.

mod by_hand;
mod foreign;
mod restore_options;
mod roundtrip;
mod servers;
mod support;
