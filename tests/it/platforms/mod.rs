//! Containers, and what is handed out for platforms.

mod container;
mod manifests;
