//! What goes wrong, and what is left then: by the kind of fault.

mod injection;
