//! The tests that need a whole dbhaul, real servers or scripted clients: one binary, so that servers are shared.

#![expect(clippy::format_collect, clippy::format_push_string, clippy::similar_names, reason = "tests are for reading")]

mod bad_input;
mod by_hand;
mod clients;
mod container;
mod copy;
mod copy_jobs;
mod corruption;
mod crossing;
mod damaged;
mod database_properties;
mod definitions;
mod dump_jobs;
mod dump_rows;
mod encodings;
mod failure_modes;
mod failures;
mod faults;
mod few_rights;
mod floats;
mod foreign;
mod frozen;
mod hostile;
mod huge;
mod json;
mod look_alikes;
mod manifests;
mod matrix;
mod meanwhile;
mod memory;
mod numbers;
mod objects;
mod restore_jobs;
mod restore_options;
mod resume;
mod roundtrip;
mod secrets;
mod selection;
mod servers;
mod signals;
mod supervision;
mod support;
mod targets;
mod tunnels;
mod verify_restore;
