//! The sixty rows of failures that users report, and the surprises: each made to happen, each seen to end well.

mod mysql;
