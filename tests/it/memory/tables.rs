//! Dumps of 10,000 tables: what must be held of each fits.

use std::fs;

use super::{
    Table,
    build::{custom_block, custom_entry, custom_header},
    clients, code, within,
};
use crate::support::{Flavour, assert_section, dbhaul, names, shared};

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

fn plain() -> Vec<u8> {
    let mut dump = "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.18\n\n".to_owned();
    for n in 0..TABLES {
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

fn commands(troubles: &mut Vec<String>, name: &str, flavour: Flavour, options: &[&str], content: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("dump"), content).expect("write");
    clients(folder.path(), &format!("exec cat {}/dump", folder.path().display()));
    let (source, target) = (shared(flavour).database("source"), shared(flavour).database("target"));
    let out = folder.path().join("out");
    fs::create_dir(&out).expect("a folder");
    let mut cells = vec![name.to_owned()];
    let mut run = |what: &str, args: &[&str], uris: &[String]| {
        let command = dbhaul().args(args).args(uris).client_dirs([folder.path()]);
        let output = within(troubles, &format!("{name}: {what}"), command);
        if output.code != Some(0) {
            troubles.push(format!("{name}: {what}:\n{}", output.stderr));
        }
        cells.push(code(&output));
    };
    let into = format!("{}/", out.display());
    run("dump", &[&["dump", "-o", &into][..], options].concat(), &[source.uri()]);
    let archive = out.join(names(&out).pop().unwrap_or_default());
    let archive = archive.to_str().expect("UTF-8");
    run("verify", &["verify", archive], &[]);
    run("inspect", &["inspect", archive], &[]);
    run("restore", &["restore", archive], &[target.uri()]);
    run("restore --table", &["restore", "--table", "table_7", archive], &[target.uri()]);
    // A copy is always made in the custom format.
    if options.is_empty() {
        run("copy", &["copy"], &[source.uri(), target.uri()]);
    } else {
        cells.push("-".to_owned());
    }
    cells
}

#[test]
fn ten_thousand_tables_fit_into_the_memory() {
    let mut troubles = Vec::new();
    let heads = ["10,000 tables", "dump", "verify", "inspect", "restore", "restore --table", "copy"];
    let mut table = Table::new(&heads);
    for (name, flavour, options, content) in [
        ("PostgreSQL, custom format", Flavour::Postgres15, &[][..], custom()),
        ("PostgreSQL, plain format", Flavour::Postgres15, &["--format", "plain"], plain()),
        ("MariaDB, SQL", Flavour::Mariadb, &[], mysql()),
    ] {
        table.row(&commands(&mut troubles, name, flavour, options, &content));
    }
    assert!(troubles.is_empty(), "{}\n{}", troubles.join("\n"), table.0);
    assert_section("docs/reliability.md", "memory-tables", &table.0);
}
