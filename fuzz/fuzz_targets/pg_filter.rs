//! SQL on its way into an old `psql`: four kinds of lines go, whole, and nothing else.
#![no_main]

use dbhaul_fuzz::{filtered, postgres_filter, shown};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (after, _) = filtered(postgres_filter, bytes);
    let mut left = after.split_inclusive(|&b| b == b'\n').peekable();
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        if left.next_if_eq(&line).is_some() {
            continue;
        }
        let may_go = [&b"SET transaction_timeout = 0;\n"[..], b"CREATE SCHEMA public;\n"].contains(&line)
            || line.starts_with(b"\\restrict ")
            || line.starts_with(b"\\unrestrict ");
        assert!(may_go, "a line went that has to stay: {:?}", shown(line));
    }
    assert_eq!(left.next(), None, "a line came from nowhere");
});
