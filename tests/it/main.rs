//! The tests that need a whole dbhaul, real servers or scripted clients: one binary, so that servers are shared.
#![allow(clippy::doc_markdown, reason = "PostgreSQL, MySQL and MariaDB are names, not code")]

mod servers;
mod support;
