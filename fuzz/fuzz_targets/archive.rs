//! Somebody's archive as a stream: tar or bare dump, compressed or not. A member may claim any size.
#![no_main]

use std::io::{Cursor, Read};

use dbhaul::archive::Reader;
use libfuzzer_sys::fuzz_target;

/// What is read of one input: a small gzip may hold gigabytes.
const ENOUGH: u64 = 4 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::from_stream(Cursor::new(bytes.to_vec()), "fuzz") else { return };
    let mut left = ENOUGH;
    while let Ok(Some(member)) = reader.next_member() {
        let mut member = member.take(left);
        let Ok(read) = std::io::copy(&mut member.by_ref(), &mut std::io::sink()) else { return };
        left -= read;
        if left == 0 {
            return;
        }
    }
});
