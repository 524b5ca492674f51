//! Archives of every layout, cut and altered in 250 places: `verify` finds it, `restore` refuses it.
//! docs/reliability.md shows what was found and which bytes say nothing.

mod archives;
mod calls;
mod checking;
mod everywhere;
mod meaning;
mod on_target;
