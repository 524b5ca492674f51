//! SQL from pg_dump: statements, COPY blocks, the trailer.
#![no_main]

use dbhaul::engine::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| dbhaul_fuzz::inspect(Format::PG_PLAIN, bytes));
