//! Several streams written at once.

use std::io::{Cursor, Read};
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::archive::write::part_writer::{joined, out_of_order};

const STEM: &str = "part.pgsql";

/// An archive of these lanes, each written by a thread of its own, the first before all others.
fn lanes(compression: Compression, can_patch: bool, contents: &[Vec<u8>]) -> Vec<u8> {
    let writer = Writer::new(Memory { can_patch, ..Memory::default() }, options(compression)).expect("a writer");
    let lane = |number: usize| {
        let lane = PartStream { number, of: contents.len() - 1 };
        writer.lane(STEM, lane, &mut Cursor::new(&contents[number]), &mut |_| {}).expect("a lane");
    };
    lane(0);
    std::thread::scope(|scope| (1..contents.len()).for_each(|number| drop(scope.spawn(move || lane(number)))));
    writer.bytes(MANIFEST, &manifest(writer.members()).to_json()).expect("a manifest");
    writer.seal().expect("an archive").into_sink().bytes
}

#[test]
fn lanes_are_joined_in_the_order_of_their_names() {
    let contents = [sql(1000), noise(9 << 20), Vec::new(), sql(5 << 20), noise(8_000_001)];
    let whole = contents.concat();
    for compression in CONTAINERS {
        for can_patch in [true, false] {
            let object = stored(&lanes(compression, can_patch, &contents));
            let what = format!("{compression:?} {can_patch}");
            let seen = Mutex::new(vec![Vec::new(); contents.len()]);
            let verified = verify(&object, &mut |path, bytes| {
                assert!(is_lane(path), "{path}");
                seen.lock().expect("no panic")[lane_of(path)].extend_from_slice(bytes);
            });
            let mut places = inspect(&object).expect(&what).member_offsets();
            let mut copied = vec![0; whole.len()];
            let copying = verify(&object, &mut |path, bytes| {
                let place = places.get_mut(path).expect("a member of the dump");
                let from = usize::try_from(*place).expect("small");
                copied[from..from + bytes.len()].copy_from_slice(bytes);
                *place += bytes.len() as u64;
            });
            copying.expect(&what);
            assert!(copied == whole, "{what}: each part in its place");
            let members = verified.expect(&what).into_manifest().members;
            assert!(*seen.lock().expect("no panic") == contents, "{what}: each lane in its order");
            assert_eq!(members[0].path, format!("{ROOT}/{STEM}.00.000001"));
            // Noise fills more than one part of a lane.
            assert!(members.iter().any(|member| member.path.ends_with("/part.pgsql.01.000002")), "{what}");
            let mut read = Vec::new();
            dump_stream(&object).expect(&what).1.read_to_end(&mut read).expect(&what);
            assert!(read == whole, "{what}: {} bytes", read.len());
            let parts = [500..2000, (4 << 20)..(11 << 20), whole.len() as u64 - 7..whole.len() as u64];
            read.clear();
            dump_parts(&object, &parts).expect(&what).read_to_end(&mut read).expect(&what);
            let wanted = parts.iter().flat_map(|part| {
                let [from, to] = [part.start, part.end].map(|at| usize::try_from(at).expect("small"));
                &whole[from..to]
            });
            assert!(read.iter().eq(wanted), "{what}: {} bytes", read.len());
        }
    }
}

#[test]
fn a_lane_that_fails_ends_the_archive() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken off"))
        }
    }
    let writer = Writer::new(Memory::default(), options(Compression::None)).expect("a writer");
    let broken = writer.lane(STEM, PartStream { number: 1, of: 2 }, &mut Broken, &mut |_| {});
    assert!(matches!(broken, Err(ArchiveError::Source(_))));
    let other = writer.lane(STEM, PartStream { number: 2, of: 2 }, &mut &sql(10)[..], &mut |_| {});
    assert!(matches!(other, Err(ArchiveError::Abandoned)), "{other:?}");
    assert!(writer.seal().is_err());
}

#[test]
fn a_part_that_does_not_follow_is_noticed() {
    let path = |lane, number| format!("{ROOT}/{STEM}.{lane:02}.{number:06}");
    let first_wrong = |places: &[(u32, u32)]| {
        let paths: Vec<_> = places.iter().map(|(lane, number)| path(*lane, *number)).collect();
        out_of_order(paths.iter().map(String::as_str)).map(str::to_owned)
    };
    assert_eq!(first_wrong(&[(0, 1), (2, 1), (1, 1), (2, 2), (1, 2)]), None);
    assert_eq!(first_wrong(&[(0, 1), (1, 2), (1, 1)]), Some(path(1, 2)));
    assert_eq!(first_wrong(&[(0, 1), (1, 1), (1, 1)]), Some(path(1, 1)));
}

proptest! {
    #[test]
    fn any_order_of_parts_is_joined_as_a_shell_sorts_them(mut places in proptest::collection::btree_set((0..99_u32, 1..999_999_u32), 1..40)) {
        places.insert((0, 1));
        let mut paths: Vec<_> =
            places.iter().map(|(lane, number)| format!("{ROOT}/{STEM}.{lane:02}.{number:06}")).collect();
        let sorted = paths.clone();
        paths[1..].reverse();
        paths.push(format!("{ROOT}/{MANIFEST}"));
        let found: Vec<_> = joined(paths.iter().map(String::as_str)).into_iter().map(|at| paths[at].clone()).collect();
        prop_assert_eq!(found, sorted);
    }
}
