//! Stretches of a dump.

use std::io::Read;
use std::ops::Range;

use super::*;

#[test]
fn stretches_are_the_dumps_own_bytes_in_every_container_and_layout() {
    let dump = noise(40 << 20);
    let parts = [0..10, 500..300_000, 300_000..300_001, 17_000_000..17_900_000, 41_000_000..dump.len()];
    let wanted: Vec<u8> = parts.iter().flat_map(|part| &dump[part.clone()]).copied().collect();
    let parts: Vec<Range<u64>> = parts.iter().map(|part| part.start as u64..part.end as u64).collect();
    for compression in CONTAINERS {
        for can_patch in [true, false] {
            let object = stored(&archive(compression, can_patch, &dump[..]));
            let mut read = Vec::new();
            dump_parts(&object, &parts).expect("ours").read_to_end(&mut read).expect("readable");
            assert!(read == wanted, "{compression:?} {can_patch}: {} bytes", read.len());
            read.clear();
            let whole = dump_stream(&object).expect("ours").1;
            stretches(whole, &parts).read_to_end(&mut read).expect("readable");
            assert!(read == wanted, "{compression:?} {can_patch}: {} bytes", read.len());
        }
    }
}

#[test]
fn what_lies_between_is_not_decoded() {
    let dump = noise(20 << 20);
    for compression in CONTAINERS {
        let mut bytes = archive(compression, true, &dump[..]);
        let middle = bytes.len() / 2;
        // Broken where nobody looks.
        bytes[middle..middle + 1000].fill(0);
        let object = stored(&bytes);
        let mut read = Vec::new();
        let parts = [0..1000, (19 << 20)..(19 << 20) + 1000];
        dump_parts(&object, &parts).expect("ours").read_to_end(&mut read).expect("readable");
        assert!(read[1000..] == dump[19 << 20..(19 << 20) + 1000], "{compression:?}");
    }
}
