//! MySQL and MariaDB.
mod content;
mod head;
mod lexer;
mod rewrite;
mod splitter;
