//! What editors, Windows, terminals and PowerShell make of a dump.

use super::{Source, command_of, vendor};
use crate::support::{mariadb, mysql, postgres15, postgres18};

fn through_a_terminal(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|&byte| if byte == b'\n' { vec![b'\r', b'\n'] } else { vec![byte] }).collect()
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect()
}

/// In a file, compressed, and in a tar.gz beside something else.
fn wrapped(source: &Source<'_>, name: &str, content: impl AsRef<[u8]>) -> [String; 3] {
    source.write(name, content);
    source.bash(&format!("gzip -kf {name}; echo nothing > README; tar czf {name}.tar.gz README {name}"));
    [name.to_owned(), format!("{name}.gz"), format!("{name}.tar.gz")]
}

/// Case 19.
#[test]
fn a_byte_order_mark_is_nothing() {
    for server in [postgres15(), postgres18(), mysql(), mariadb()] {
        let source = Source::of(server);
        for file in wrapped(&source, "bom.sql", format!("\u{feff}{}", source.dump)) {
            source.comes_back_in_every_way(&file, &[]);
        }
    }
    // The sandbox line is dropped all the same, and the source is known.
    let source = Source::of(mariadb());
    source.write("bom.sql", format!("\u{feff}{}", source.dump));
    let target = mysql().database("target");
    let with_mysqls = crate::roundtrip::with_clients_of(mysql());
    let restore =
        with_mysqls.args(["restore", "--json"]).arg(source.path("bom.sql")).arg(target.uri()).run().expect_code(0);
    let json = restore.json();
    assert!(json["adaptations"].to_string().contains("sandbox"), "{json}");
    assert!(json["warnings"].to_string().contains("MariaDB"), "{json}");
    assert_eq!(target.sql("SELECT count(*) FROM t"), "3");
}

/// Case 30.
#[test]
fn a_text_through_a_terminal_is_what_it_was() {
    for server in [postgres15(), postgres18(), mysql(), mariadb()] {
        let source = Source::of(server);
        for file in wrapped(&source, "crlf.sql", through_a_terminal(source.dump.as_bytes())) {
            source.comes_back(&file, &[]);
        }
        source.write("both.sql", format!("\u{feff}{}", source.dump.replace('\n', "\r\n")));
        source.comes_back_in_every_way("both.sql", &[]);
    }
}

#[test]
fn a_text_of_which_a_part_went_through_a_terminal_is_refused() {
    for server in [postgres15(), mysql()] {
        let source = Source::of(server);
        let middle = source.dump.len() / 2;
        let (first, last) = (&source.dump[..middle], &source.dump[middle..]);
        let refused = ["is not as its dump program wrote it", "line ends", "without -t", "sed 's/\\r$//'"];
        for file in wrapped(&source, "first.sql", first.replace('\n', "\r\n") + last) {
            source.refused(&file, 8, &refused, &[]);
        }
        source.write("last.sql", first.to_owned() + &last.replace('\n', "\r\n"));
        source.refused("last.sql", 8, &refused, &[]);
        for file in ["first.sql", "first.sql.gz", "first.sql.tar.gz", "last.sql"] {
            // As the hint says.
            let refused = source.verify(file, &[]);
            refused.follows("no-terminal-between");
            refused.follows("take-carriage-returns-out");
            source.bash(&command_of(&refused.stderr));
            source.comes_back("fixed.sql", &[]);
        }
        source.write("again.sql", &source.dump);
        source.verify("again.sql", &[]).expect_code(0);
    }
}

/// What a body holds is its own business.
#[test]
fn carriage_returns_in_a_dump_whose_lines_end_in_line_feeds_stay() {
    let source = Source::of(postgres15());
    source.database.sql("CREATE FUNCTION g() RETURNS text LANGUAGE sql AS E'SELECT 1;\\r\\n SELECT ''x\\r\\n''::text'");
    source.write("d.sql", super::plain(&source.database));
    source.comes_back("d.sql", &[]);
    source.write("crlf.sql", through_a_terminal(super::plain(&source.database).as_bytes()));
    source.comes_back("crlf.sql", &[]);
}

#[test]
fn a_binary_file_through_a_terminal_says_so() {
    for server in [postgres15(), mysql()] {
        let source = Source::of(server);
        source.database.sql("CREATE TABLE more AS SELECT * FROM t");
        source.write("d.sql", &source.dump);
        // Random bytes do not compress: line feeds are in it for sure.
        source.bash("head -c 3000 /dev/urandom | base64 -w0 | sed 's/^/-- /' > noise; echo >> noise; cat noise d.sql > n.sql; gzip -k n.sql; zstd -qk n.sql; tar czf a.tar.gz n.sql; zip -q a.zip n.sql");
        if server.flavour().is_postgres() {
            source.write("c.dump", vendor(&source.database, "pg_dump", &["-Fc"]));
            source.bash("sed 's/$/\\r/' c.dump > tty.dump");
            source.refused("tty.dump", 8, &["through a terminal", "docker exec -t", "without -t"], &[]);
            source.verify("tty.dump", &[]).follows("make-again-without-t");
            source.verify("c.dump", &[]).expect_code(0);
        }
        for file in ["n.sql.gz", "n.sql.zst", "a.tar.gz", "a.zip"] {
            source.write("tty", through_a_terminal(&super::read(&source.path(file))));
            source.refused("tty", 8, &["through a terminal", "docker exec -t", "without -t"], &[]);
        }
    }
}

#[test]
fn utf16_is_read_where_it_is_ascii() {
    for server in [postgres15(), postgres18(), mysql(), mariadb()] {
        let source = Source::of(server);
        for big in [false, true] {
            // PowerShell ends its lines like Windows.
            for file in wrapped(&source, "wide.sql", utf16(&source.dump.replace('\n', "\r\n"), big)) {
                source.comes_back(&file, &[]);
            }
        }
    }
}

#[test]
fn utf16_with_other_characters_is_taken_when_that_is_said_and_they_are_counted() {
    for server in [postgres15(), mysql()] {
        let source = Source::of(server);
        source.database.sql("UPDATE t SET v = 'é😀€' WHERE id = 2");
        for file in wrapped(&source, "wide.sql", utf16(&super::plain(&source.database), false)) {
            let refused = ["UTF-16", "'é'", "PowerShell", "--accept-unproven takes it"];
            source.refused(&file, 8, &refused, &[]);
            source.comes_back(&file, &["--accept-unproven"]);
            let verify = source.verify(&file, &["--accept-unproven"]).expect_code(0);
            assert!(verify.stderr.contains("3 characters of"), "{}", verify.stderr);
        }
    }
    let source = Source::of(mysql());
    source.write("letter.txt", utf16("Dear all,", false));
    source.refused("letter.txt", 8, &["text in UTF-16", "not SQL"], &[]);
}

/// To a server all of it is one line, and a remark that never ends: nothing would be restored.
#[test]
fn a_text_whose_lines_end_in_carriage_returns_alone_is_refused() {
    for server in [postgres15(), mysql()] {
        let source = Source::of(server);
        for file in wrapped(&source, "returns.sql", source.dump.replace('\n', "\r")) {
            for words in [&[][..], &["--accept-unproven"]] {
                source.refused(&file, 8, &["is not as its dump program wrote it", "carriage returns alone"], words);
            }
            let refused = source.verify(&file, &[]);
            refused.follows("returns-to-line-feeds");
            source.bash(&command_of(&refused.stderr));
            source.comes_back("fixed.sql", &[]);
        }
    }
}
