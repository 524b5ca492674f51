//! The `dbhaul` program: the library's command line.

fn main() -> std::process::ExitCode {
    dbhaul::cli::main(std::env::args_os())
}
