//! The `dbhaul` program again: Cargo gives tests the path of a program of their own package only.

use dbhaul::engine::registry::Registry;

fn main() -> std::process::ExitCode {
    dbhaul::run(Registry::default(), std::env::args_os())
}
