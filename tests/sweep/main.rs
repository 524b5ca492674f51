//! Everything one by one: what `cargo test` tries in batches. `scripts/sweep.sh` runs it; it takes hours.

#![expect(clippy::format_collect, clippy::similar_names, reason = "tests are for reading")]

#[path = "../it/support/mod.rs"]
mod support;
