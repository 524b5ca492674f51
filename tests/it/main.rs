//! The tests that need a whole dbhaul, real servers or scripted clients: one binary, so that servers are shared.

mod by_hand;
mod roundtrip;
mod secrets;
mod servers;
mod support;
