//! A defect of dbhaul's own: what is said of a panic. It never shows what was being worked on, which may hold a secret.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// Panics of all threads are told by us from now on.
pub fn listen() {
    panic::set_hook(Box::new(|info| {
        let _ = writeln!(io::stderr(), "{}", describe_panic(info));
    }));
}

/// The work's result; a panic in it is an error like others.
pub fn caught<T, E: From<Error>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::new(Kind::Unexpected, "dbhaul ended at a defect of its own")
            .why("the line above says where")
            .hint(Hint::new(
                "what-a-report-needs",
                "a report needs that line, `dbhaul --version`, and the command without its secrets",
            ))
            .into())
    })
}

/// `defect         src/archive/read/reader.rs:12:9: index out of bounds`, and the way there with `RUST_BACKTRACE=1`.
fn describe_panic(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "at an unknown place".to_owned(), ToString::to_string);
    let words = literal(info.payload()).map_or(String::new(), |words| format!(": {words}"));
    let way = Backtrace::capture();
    let way = if way.status() == BacktraceStatus::Captured { format!("\n{way}") } else { String::new() };
    format!("{:<14} {place}{words}{way}", "defect")
}

/// The panic's words where they stand in the source: others were made of what was being worked on.
fn literal(payload: &dyn Any) -> Option<&'static str> {
    payload.downcast_ref::<&'static str>().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_says_what_to_report_and_shows_no_value() {
        let secret = "hunter2";
        let error = caught(|| -> Result<()> { panic!("{secret}") }).expect_err("a panic");
        assert_eq!(error.kind, Kind::Unexpected);
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
        let payload = |work: fn()| panic::catch_unwind(work).expect_err("a panic");
        assert_eq!(literal(&*payload(|| panic!("a literal"))), Some("a literal"));
        assert_eq!(literal(&*payload(|| panic!("{}", "hunter2".to_owned()))), None);
    }
}
