//! Archives that claim what is not there, or hold what no dump holds.

use std::{fs::File, io::Write as _, path::Path};

use tar::EntryType;

use super::{
    Table,
    build::{self, EMPTY, END, Ours, gzip, header, member},
    code,
    tables::plain,
    why, within,
};
use crate::support::{assert_section, checksum, dbhaul, error_lines, postgres15, several};

const GIB: u64 = 1 << 30;

type Make = fn(&mut File);

fn put(file: &mut File, parts: &[&[u8]]) {
    for part in parts {
        file.write_all(part).expect("write");
    }
}

/// A manifest of ours, this in the place of its tables.
fn manifest(more: &str) -> Vec<u8> {
    format!("{{\"format_version\":1,\"tool\":\"t\",\"engine\":\"postgresql\",\"members\":[],{more}}}").into_bytes()
}

fn ours(file: &mut File, change: impl FnOnce(&mut Ours)) {
    let mut ours = Ours::with(manifest("\"tables\":[]"));
    change(&mut ours);
    ours.write(file);
}

const INPUTS: &[(&str, Make)] = &[
    ("a tar header that claims 2^60 bytes", |file| {
        put(file, &[&header("dump.sql", EntryType::Regular, 1 << 60), EMPTY]);
    }),
    ("a tar header that claims less than nothing", |file| {
        put(file, &[&build::header_with("dump.sql", [0xff; 12]), EMPTY]);
    }),
    ("a tar header that claims 2^88 bytes", |file| {
        put(file, &[&build::header_with("dump.sql", [0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), EMPTY]);
    }),
    ("a PAX size of 2^60 bytes", |file| {
        let size = (1_u64 << 60).to_string();
        put(file, &[&build::pax("size", &size), &member("dump.sql", EntryType::Regular, EMPTY), &END]);
    }),
    ("a PAX size of -1", |file| {
        put(file, &[&build::pax("size", "-1"), &member("dump.sql", EntryType::Regular, EMPTY), &END]);
    }),
    ("a PAX header of 1 GiB", |file| {
        put(file, &[&header("pax", EntryType::XHeader, GIB)]);
        file.set_len(GIB + 512).expect("a hole");
    }),
    ("a GNU long name of 1 GiB", |file| {
        put(file, &[&header("././@LongLink", EntryType::GNULongName, GIB)]);
        file.set_len(GIB + 512).expect("a hole");
    }),
    ("a gzip of 200 names of 1 MiB", |file| {
        let name = vec![b'n'; 1 << 20];
        let long = member("././@LongLink", EntryType::GNULongName, &name);
        let tar = gzip(|out| {
            for _ in 0..200 {
                out.write_all(&long).expect("write");
                out.write_all(&member("n", EntryType::Regular, b"")).expect("write");
            }
            out.write_all(&END).expect("write");
        });
        put(file, &[&tar]);
    }),
    ("a gzip of 300,000 members", |file| {
        let one = member("n", EntryType::Regular, b"");
        let tar = gzip(|out| {
            for _ in 0..300_000 {
                out.write_all(&one).expect("write");
            }
            out.write_all(&END).expect("write");
        });
        put(file, &[&tar]);
    }),
    ("a sparse member of 2^60 bytes", |file| {
        put(file, &[&header("dump.sql", EntryType::GNUSparse, 1 << 60), EMPTY]);
    }),
    ("a gzip bomb: 1 GiB of nothing", |file| put(file, &[&gzip(|out| build::fill(out, 0, 1 << 30))])),
    ("a gzip bomb: a whole dump with a row of 1 GiB", |file| {
        let dump = gzip(|out| {
            out.write_all(b"-- PostgreSQL database dump\n\nCREATE TABLE public.t (\n    v text\n);\n").expect("write");
            out.write_all(b"COPY public.t (v) FROM stdin;\n").expect("write");
            build::fill(out, b'x', 1 << 30);
            out.write_all(b"\n\\.\n\n-- PostgreSQL database dump complete\n").expect("write");
        });
        put(file, &[&dump]);
    }),
    ("a gzip in a gzip", |file| {
        let inside = gzip(|out| out.write_all(EMPTY).expect("write"));
        put(file, &[&gzip(|out| out.write_all(&inside).expect("write"))]);
    }),
    ("1,000,000 empty gzip members before a whole dump", |file| {
        let empty = gzip(|_| ()).repeat(1_000_000);
        put(file, &[&empty, &gzip(|out| out.write_all(EMPTY).expect("write"))]);
    }),
    ("a zstd frame with a window of 2 GiB", |file| put(file, &[&build::zstd_frame(31, EMPTY)])),
    ("a table of contents that claims 2^31 entries", |file| {
        put(file, &[&build::custom_header(i32::MAX.cast_unsigned())]);
    }),
    ("a table of contents with 300,000 entries", |file| {
        put(file, &[&build::custom_header(300_000)]);
        for id in 1..=300_000 {
            put(file, &[&build::custom_entry(id, "TABLE", "t", "CREATE TABLE public.t (v integer);\n", "", &[])]);
        }
    }),
    ("the SQL of 100,000 tables", |file| put(file, &[&plain(100_000)])),
    ("a table of contents with a name of 2 GiB", |file| {
        let start = [build::int(1), build::int(0), build::text("0"), build::text("0")].concat();
        put(file, &[&build::custom_header(1), &start, &build::int(i32::MAX.cast_unsigned())]);
    }),
    ("a block of rows that claims 2 GiB", |file| {
        let entry = build::custom_entry(1, "TABLE DATA", "t", "", "COPY public.t (v) FROM stdin;\n", &[]);
        put(
            file,
            &[&build::custom_header(1), &entry, &[1], &build::int(1), &build::int(i32::MAX.cast_unsigned()), b"1\n"],
        );
    }),
    ("a manifest of 1 GiB", |file| ours(file, |ours| ours.manifest_size = GIB)),
    ("a manifest of 30 MiB with 2,600,000 tables", |file| {
        let tables = "{\"name\":\"\"},".repeat(2_600_000);
        Ours::with(manifest(&format!("\"tables\":[{tables}{{\"name\":\"\"}}]"))).write(file);
    }),
    ("a manifest with 5,000,000 numbers among its options", |file| {
        Ours::with(manifest(&format!("\"options\":{{\"a\":[{}0]}}", "0,".repeat(5_000_000)))).write(file);
    }),
    ("a manifest nested 100,000 deep", |file| {
        let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
        Ours::with(manifest(&format!("\"options\":{{\"a\":{open}{close}}}"))).write(file);
    }),
    ("an index that claims 2^60 bytes", |file| ours(file, |ours| ours.index_len = Some(1 << 60))),
    ("an index that claims a tar of 2^60 bytes", |file| ours(file, |ours| ours.tar_len = Some(1 << 60))),
    ("an index whose dump has 2^60 bytes", |file| ours(file, |ours| ours.dump_size = 1 << 60)),
    ("an index of 500,000 spans", |file| {
        let spans: String = (0..500_000).map(|n| format!(",[{n},{n},0]")).collect();
        ours(file, |ours| spans[1..].clone_into(&mut ours.spans));
    }),
    ("an index of 12 MiB with 200,000 members", |file| {
        let more = ",{\"path\":\"r/n\",\"at\":0,\"offset\":0,\"size\":0,\"crc32\":0}".repeat(200_000);
        ours(file, |ours| ours.more = more);
    }),
];

const COMMANDS: [&[&str]; 4] = [&["verify"], &["inspect"], &["restore"], &["restore", "--table", "t"]];

/// The outcome of every command, and what verify says.
fn row(what: &str, path: &Path) -> (Vec<String>, Vec<String>) {
    let mut troubles = Vec::new();
    let target = postgres15().database("memory");
    let mut cells = vec![what.to_owned()];
    let mut says = String::new();
    for words in COMMANDS {
        // One that is whole is restored elsewhere: what the vendor's client takes for a row of a gigabyte is its own.
        if words[0] == "restore" && says.is_empty() {
            cells.push("-".to_owned());
            continue;
        }
        let mut command = dbhaul().arg(words[0]).arg(path).args(&words[1..]);
        if words[0] == "restore" {
            command = command.arg(target.uri()).client_dirs([postgres15().client_dir()]);
        }
        let output = within(&mut troubles, &format!("{what}: {words:?}"), command);
        if output.code != Some(0) {
            let errors = error_lines(&output.stderr);
            if errors != 1 || words[0] == "restore" && !checksum(&target).is_empty() {
                troubles.push(format!("{what}: {words:?}: {errors} errors, or a touched target:\n{}", output.stderr));
            }
        }
        if words == ["verify"] {
            says = why(&output);
        }
        cells.push(code(&output));
    }
    cells.push(says);
    (cells, troubles)
}

#[test]
fn hostile_archives_take_no_memory_and_are_refused_before_the_target_is_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows = several(INPUTS, |(what, make)| {
        let path = folder.path().join(what.replace('/', "_"));
        make(&mut File::create(&path).expect("a file"));
        let row = row(what, &path);
        std::fs::remove_file(path).expect("remove");
        row
    });
    let mut table = Table::new(&["archive", "verify", "inspect", "restore", "restore --table", "what verify says"]);
    let mut troubles = Vec::new();
    for (cells, more) in rows {
        table.row(&cells);
        troubles.extend(more);
    }
    assert!(troubles.is_empty(), "{}\n{}", troubles.join("\n"), table.0);
    assert_section("docs/reliability.md", "memory", &table.0);
}
