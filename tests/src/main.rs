//! The `dbhaul` program again: Cargo gives tests the path of a program of their own package only.

fn main() -> std::process::ExitCode {
    dbhaul::cli::main(std::env::args_os())
}
