//! PostgreSQL's custom format: header, table of contents, data blocks.
#![no_main]

use dbhaul::engine::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| dbhaul_fuzz::inspect(Format::PG_CUSTOM, bytes));
