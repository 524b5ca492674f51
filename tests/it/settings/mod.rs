//! Settings of servers, databases and roles: they change nothing of what is read, written and compared.

mod pooled;
mod postgres;
