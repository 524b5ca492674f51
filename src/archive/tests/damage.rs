//! Every byte carries information, and verify misses none.

use super::*;

fn small(compression: Compression, can_patch: bool) -> Vec<u8> {
    archive(compression, can_patch, &sql(700)[..])
}

fn refused(bytes: &[u8], what: &str) -> ArchiveError {
    let object = stored(bytes);
    match verify(&object, &mut |_, _| {}) {
        Ok(_) => panic!("{what} went unnoticed"),
        Err(ArchiveError::Read(error)) => panic!("{what} taken for a failing disk: {error}"),
        Err(error) => error,
    }
}

#[test]
fn truncation_at_every_offset() {
    for compression in CONTAINERS {
        for can_patch in [true, false] {
            let whole = small(compression, can_patch);
            for len in 0..whole.len() {
                let error = refused(&whole[..len], &format!("{compression} cut to {len}"));
                // Short of a tar header it is anything; after that the cut is called by its name.
                if len > 1024 {
                    assert!(matches!(error, ArchiveError::Truncated { .. }), "{compression} cut to {len}: {error:?}");
                }
            }
        }
    }
}

#[test]
fn a_flipped_bit_at_every_offset() {
    for compression in CONTAINERS {
        for can_patch in [true, false] {
            let whole = small(compression, can_patch);
            for at in 0..whole.len() {
                // All bits where deflate's padding bits could hide one, one of eight elsewhere, for time.
                let all = matches!(compression, Compression::Gzip(_)) && can_patch;
                for bit in (0..8).filter(|bit| all || at % 8 == *bit) {
                    let mut bytes = whole.clone();
                    bytes[at] ^= 1 << bit;
                    refused(&bytes, &format!("{compression}, bit {bit} of byte {at} of {}", whole.len()));
                }
            }
        }
    }
}

#[test]
fn bytes_added_at_the_end() {
    for compression in CONTAINERS {
        for extra in [&b"\0"[..], b"\n", &[0; 1024], b"dbhaul\x1a\x01"] {
            let mut bytes = small(compression, true);
            bytes.extend_from_slice(extra);
            refused(&bytes, &format!("{compression} with {} bytes more", extra.len()));
        }
        let twice = [small(compression, true), small(compression, true)].concat();
        refused(&twice, &format!("{compression} twice"));
    }
}

#[test]
fn the_error_says_where() {
    let mut bytes = archive(Compression::default(), true, &sql(2_000_000)[..]);
    let at = bytes.len() / 2;
    bytes[at] ^= 0x10;
    let ArchiveError::Corrupt { offset: Some(offset), .. } = refused(&bytes, "a flip") else { panic!("no offset") };
    assert!(offset.abs_diff(at as u64) < 300_000, "{offset} for {at}");
}

#[test]
fn an_unfinished_archive_is_none() {
    // What a killed writer leaves: the placeholder must not read as an empty archive.
    let whole = small(Compression::None, true);
    let mut cut = whole[..1024].to_vec();
    cut[148..156].copy_from_slice(b"777777\0 ");
    refused(&cut, "a placeholder");
}

#[test]
fn a_manifest_that_disagrees() {
    let wrong: [fn(&mut Manifest); 4] = [
        |manifest| manifest.members[0].sha256 = "0".repeat(64),
        |manifest| manifest.members[0].size += 1,
        |manifest| manifest.members.clear(),
        |manifest| manifest.members.push(manifest.members[0].clone()),
    ];
    for wrong in wrong {
        let writer = Writer::new(Memory { can_patch: true, ..Memory::default() }, options(Compression::default()))
            .expect("a writer");
        let members = writer.stream("dump.sql", &mut &sql(100)[..], &mut |_| {}).expect("a dump");
        let mut manifest = manifest(members);
        wrong(&mut manifest);
        writer.bytes(MANIFEST, &manifest.to_json()).expect("a manifest");
        let bytes = writer.seal().expect("an archive").into_sink().bytes;
        assert!(matches!(refused(&bytes, "a wrong manifest"), ArchiveError::Corrupt { .. }));
        let object = stored(&bytes);
        let read = dump_stream(&object)
            .and_then(|(_, mut stream)| io::copy(&mut stream, &mut io::sink()).map_err(ArchiveError::from_read));
        let doubled_or_wrong = read.is_err();
        assert!(doubled_or_wrong || manifest.members.len() == 2, "the dump stream went by a wrong manifest");
    }
}

#[test]
fn an_index_that_is_whole_but_wrong() {
    use crate::archive::format::crc::Crc;
    use crate::archive::format::index::Gather;

    let bytes = small(Compression::None, true);
    let index = Index::read(stored(&bytes).as_ref()).expect("our own").expect("our own");
    let tar = &bytes[..usize::try_from(index.at).expect("small")];
    let wrong: [fn(&mut Gather, &mut Vec<u8>, &mut u64); 7] = [
        |_, tar, _| tar.extend_from_slice(b"something behind the end"),
        |_, _, tar_len| *tar_len += 512,
        |gather, _, _| gather.members[0].offset += 512,
        |gather, _, _| gather.members[0].size += 1,
        |gather, _, _| gather.members[0].crc32 ^= 1,
        |gather, _, _| drop(gather.members.remove(0)),
        |gather, _, _| gather.members[1].at += 512,
    ];
    let made = |wrong: Option<fn(&mut Gather, &mut Vec<u8>, &mut u64)>| {
        let (mut gather, mut file, mut tar_len) = (Gather::new(), tar.to_vec(), tar.len() as u64);
        gather.members.clone_from(&index.members);
        if let Some(wrong) = wrong {
            wrong(&mut gather, &mut file, &mut tar_len);
        }
        gather.piece(0, 0, Crc::of(&file));
        let (index, trailer) = gather.finish(file.len() as u64, tar_len).expect("an index");
        [file, index, trailer].concat()
    };
    verify(&stored(&made(None)), &mut |_, _| {}).expect("right, made in the same way");
    for (n, wrong) in wrong.into_iter().enumerate() {
        refused(&made(Some(wrong)), &format!("wrong index {n}"));
    }
}

#[test]
fn members_without_a_manifest_or_behind_it() {
    for names in [&["dump.sql"][..], &[MANIFEST, "dump.sql"], &["a/manifest.json"]] {
        let writer = Writer::new(Memory { can_patch: true, ..Memory::default() }, options(Compression::default()))
            .expect("a writer");
        for name in names {
            writer.bytes(name, &manifest(Vec::new()).to_json()).expect("a member");
        }
        let bytes = writer.seal().expect("an archive").into_sink().bytes;
        refused(&bytes, &format!("{names:?}"));
    }
}
