//! Dumps of 10,000 tables: what must be held of each fits.

use std::fs;

use super::{
    CUSTOM, PLAIN, SQL, Table,
    build::{custom_block, custom_entry, custom_header},
    clients, every_command, heads, within,
};
use crate::support::{assert_section, dbhaul, names, postgres15};

const TABLES: u32 = 10_000;

/// What `pg_dump` writes of tables with a primary key: three entries for each, and a block of rows.
fn custom() -> Vec<u8> {
    let mut dump = custom_header(3 * TABLES);
    for n in 0..TABLES {
        let definition = format!("CREATE TABLE public.table_{n} (\n    id integer NOT NULL,\n    v text\n);\n");
        dump.extend(custom_entry(3 * n + 1, "TABLE", &format!("table_{n}"), &definition, "", &[]));
    }
    for n in 0..TABLES {
        let (tag, copy) = (format!("table_{n}"), format!("COPY public.table_{n} (id, v) FROM stdin;\n"));
        dump.extend(custom_entry(3 * n + 2, "TABLE DATA", &tag, "", &copy, &[3 * n + 1]));
    }
    for n in 0..TABLES {
        let definition =
            format!("ALTER TABLE ONLY public.table_{n}\n    ADD CONSTRAINT table_{n}_pkey PRIMARY KEY (id);\n");
        let tag = format!("table_{n} table_{n}_pkey");
        dump.extend(custom_entry(3 * n + 3, "CONSTRAINT", &tag, &definition, "", &[3 * n + 1]));
    }
    for n in 0..TABLES {
        dump.extend(custom_block(3 * n + 2, b"1\tone\n\\.\n\n\n"));
    }
    dump
}

pub fn plain(tables: u32) -> Vec<u8> {
    let mut dump = "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.18\n\n".to_owned();
    for n in 0..tables {
        dump += &format!(
            "--\n-- Name: table_{n}; Type: TABLE; Schema: public; Owner: app\n--\n\n\
             CREATE TABLE public.table_{n} (\n    id integer NOT NULL\n);\n\n\n\
             --\n-- Data for Name: table_{n}; Type: TABLE DATA; Schema: public; Owner: app\n--\n\n\
             COPY public.table_{n} (id) FROM stdin;\n1\n\\.\n\n\n"
        );
    }
    (dump + "--\n-- PostgreSQL database dump complete\n--\n\n").into_bytes()
}

fn mysql() -> Vec<u8> {
    let mut dump = "-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)\n".to_owned();
    for n in 0..TABLES {
        dump += &format!(
            "DROP TABLE IF EXISTS `table_{n}`;\nCREATE TABLE `table_{n}` (\n  `id` int NOT NULL,\n  PRIMARY KEY (`id`)\n);\n\
             LOCK TABLES `table_{n}` WRITE;\nINSERT INTO `table_{n}` VALUES (1);\nUNLOCK TABLES;\n"
        );
    }
    (dump + "-- Dump completed on 2026-01-01\n").into_bytes()
}

#[test]
fn ten_thousand_tables_fit_into_the_memory() {
    let mut troubles = Vec::new();
    let mut table = Table::new(&heads("10,000 tables"));
    for (form, content) in [(CUSTOM, custom()), (PLAIN, plain(TABLES)), (SQL, mysql())] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("dump"), content).expect("write");
        clients(folder.path(), &format!("exec cat {}/dump", folder.path().display()));
        table.row(&every_command(&mut troubles, form, folder.path(), &[], "table_7"));
    }
    assert!(troubles.is_empty(), "{}\n{}", troubles.join("\n"), table.0);
    assert_section("docs/reliability.md", "memory-tables", &table.0);
}

#[test]
fn a_dump_of_more_entries_than_are_read_is_refused_and_nothing_is_left() {
    let (folder, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    fs::write(folder.path().join("dump"), custom_header(300_000)).expect("write");
    clients(folder.path(), &format!("exec cat {}/dump", folder.path().display()));
    let source = postgres15().database("source");
    let into = format!("{}/", out.path().display());
    let command = dbhaul().args(["dump", "-o", &into, &source.uri()]).client_dirs([folder.path()]);
    let mut troubles = Vec::new();
    let output = within(&mut troubles, "dump", command);
    assert!(troubles.is_empty(), "{troubles:?}");
    assert_eq!(output.code, Some(6), "{}", output.stderr);
    for words in ["the dump is too large to be checked", "more than 65,536 entries", "nothing was published"] {
        assert!(output.stderr.contains(words), "{words:?} is not said:\n{}", output.stderr);
    }
    assert_eq!(names(out.path()), [""; 0]);
}
