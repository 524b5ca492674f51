//! The `dbhaul` program.
fn main() {}
