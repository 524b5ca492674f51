//! The `dbhaul` program: the library's command line.

use dbhaul::engine::registry::Registry;

fn main() -> std::process::ExitCode {
    dbhaul::run(Registry::default(), std::env::args_os())
}
