//! What goes wrong, and what is left then: by the kind of fault.

mod concurrent_changes;
mod corruption;
mod damaged;
mod dump;
mod failure_modes;
mod injection;
mod signals;
mod streams;
mod supervision;
