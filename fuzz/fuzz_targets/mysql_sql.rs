//! SQL from mysqldump and mariadb-dump: statements, INSERTs, conditional comments, the trailer.
#![no_main]

use dbhaul::engine::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| dbhaul_fuzz::inspect(Format::MYSQL_SQL, bytes));
