//! What people and scripts read: the JSON of every command, and archives without dbhaul.

pub mod by_hand;
mod json;
