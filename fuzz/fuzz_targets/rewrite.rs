//! SQL on its way into `mysql`: definers, collations and what was not asked for are taken out, and nothing else.
//!
//! The first byte chooses: a script that the others choose in turn, or the others themselves with options of a restore.
#![no_main]

use dbhaul_fuzz::scripts::{COLLATIONS, script};
use dbhaul_fuzz::{filtered, model, mysql_filter, restore_options, shown};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&bits, bytes)) = bytes.split_first() else { return };
    if bits & 0x80 == 0 {
        check(bits, bytes);
        return;
    }
    let script = script(bytes);
    let after = check(0b10, script.before.as_bytes());
    assert!(after == script.after.as_bytes(), "before: {}\nafter: {}", script.before, shown(&after));
});

fn check(bits: u8, sql: &[u8]) -> Vec<u8> {
    let options = restore_options(bits);
    let (after, _) = filtered(|| mysql_filter(&options), sql);
    // The gate stops a command that the client may obey or not.
    if !model::obeys_all(sql) || !model::obeys_all(&after) {
        return after;
    }
    let [from, to] = COLLATIONS;
    if let Err(what) = model::check(sql, &after, &[(from, to)]) {
        panic!("{what}\nbefore: {:?}\nafter: {:?}", shown(sql), shown(&after));
    }
    after
}
