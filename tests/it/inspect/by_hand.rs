//! Archives without dbhaul: tar and the vendor's own tool bring them back, and every tar program reads them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    roundtrip::{assert_same, dumped, loaded, with_clients_of},
    support::{Database, Family, Server, mariadb, mysql, postgres15, postgres18},
};

/// A dump to stdout, in a file: the dump stands in numbered parts.
fn streamed(database: &Database<'_>, folder: &TempDir, args: &[&str]) -> PathBuf {
    let path = folder.path().join("stream.tar.gz");
    let dbhaul = with_clients_of(database.server()).args(["dump", "-o", "-", &database.uri()]).args(args);
    dbhaul.output_file(File::create(&path).expect("a file")).run().expect_code(0);
    path
}

/// Runs `script` under bash with `$X` as the archive; it must say nothing on stderr.
pub fn shell(script: &str, archive: &Path, folder: &Path) -> Vec<u8> {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script]).env("X", archive).env("LC_ALL", "C.UTF-8").current_dir(folder);
    let output = bash.output().expect("run bash");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{script}: {}: {errors}", output.status);
    output.stdout
}

/// The vendor's tool, fed with the dump's bytes.
fn feed(mut tool: Command, dump: File) {
    let output = tool.stdin(dump).stdout(Stdio::null()).output().expect("run the tool");
    assert!(output.status.success(), "{tool:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The tool that the README names for this dump, on that database.
pub fn tool(target: &Database<'_>, plain: bool) -> Command {
    let mut tool = match (target.server().flavour().family(), plain) {
        (Family::Postgres, false) => {
            let mut tool = target.client("pg_restore");
            tool.args(["--no-owner", "--no-privileges", "--exit-on-error", "-d", target.name()]);
            return tool;
        }
        (Family::Postgres, true) => {
            let mut tool = target.client("psql");
            tool.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]);
            return tool;
        }
        (family, _) => target.client(family.shell()),
    };
    tool.arg("--comments").arg(target.name());
    tool
}

/// Both layouts, both ways: unpacked to the disk, and piped through `tar xzOf --wildcards`.
fn by_hand(server: &Server, args: &[&str]) {
    let source = loaded(server, "objects");
    let folder = tempfile::tempdir().expect("a folder");
    let plain = args.contains(&"plain");
    let (whole, _) = dumped(&source, &folder, args);
    let same = |dump: File| {
        let target = server.database("back");
        feed(tool(&target, plain), dump);
        if server.flavour().is_postgres() {
            assert_same(&source, &target);
        } else {
            // The definers are kept.
            assert_eq!(crate::support::checksum(&target), crate::support::checksum(&source));
            assert_eq!(
                crate::support::schema(&target),
                crate::support::schema(&source).replace(source.name(), target.name())
            );
        }
    };
    shell("tar xzf \"$X\"", &whole, folder.path());
    let stem = whole.file_name().expect("a name").to_str().expect("UTF-8").trim_end_matches(".tar.gz").to_owned();
    let dump = folder.path().join(&stem).join(match (server.flavour().is_postgres(), plain) {
        (true, false) => "dump.pgsql",
        _ => "dump.sql",
    });
    same(File::open(dump).expect("the dump"));

    let parts = streamed(&source, &folder, args);
    for archive in [&whole, &parts] {
        let piped = folder.path().join("piped");
        shell("tar xzOf \"$X\" --wildcards '*/dump.*' > piped", archive, folder.path());
        same(File::open(piped).expect("the dump"));
    }
}

#[test]
fn pg_restore_15_takes_the_archive_by_hand() {
    by_hand(postgres15(), &[]);
}

#[test]
fn pg_restore_18_takes_the_archive_by_hand() {
    by_hand(postgres18(), &[]);
}

#[test]
fn psql_takes_the_archive_of_a_plain_dump_by_hand() {
    by_hand(postgres18(), &["--format", "plain", "--keep-comments"]);
}

#[test]
fn mysql_takes_the_archive_by_hand() {
    by_hand(mysql(), &[]);
}

#[test]
fn mariadb_takes_the_archive_by_hand() {
    by_hand(mariadb(), &[]);
}

/// Lists and extracts with every program; the bytes must be those that the manifest tells of.
pub fn every_reader(archive: &Path, flags: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let wanted = {
        let manifest = crate::roundtrip::manifest(archive);
        let mut lines = String::new();
        for member in manifest["members"].as_array().expect("members") {
            let text = |field: &str| member[field].as_str().expect("a text").to_owned();
            lines += &format!("{}  {}\n", text("sha256"), text("path"));
        }
        lines
    };
    let names: Vec<&str> = wanted.lines().map(|line| &line[66..]).collect();
    let root = names[0].split('/').next().expect("a folder");
    let listing = format!("{}\n{root}/manifest.json\n", names.join("\n"));

    let python = |mode: &str| {
        format!(
            "python3 -c 'import os, sys, tarfile
with tarfile.open(os.environ[\"X\"], \"{mode}\") as archive:
    for member in archive:
        print(member.name)
        assert member.mode & 0o777 in (0o600, 0o644, 0o755, 0o700), oct(member.mode)
        if member.isfile():
            os.makedirs(os.path.dirname(member.name), exist_ok=True)
            with open(member.name, \"wb\") as out, archive.extractfile(member) as data:
                while block := data.read(1 << 20):
                    out.write(block)'"
        )
    };
    let stream = if flags == "z" { "gz" } else { "*" };
    let readers = [
        ("GNU tar", format!("tar t{flags}f \"$X\""), format!("tar x{flags}f \"$X\"")),
        ("GNU tar, which finds out", "tar tf \"$X\"".into(), "tar xf \"$X\"".into()),
        ("GNU tar, a stream", format!("cat \"$X\" | tar t{flags}"), format!("cat \"$X\" | tar x{flags}")),
        ("bsdtar", "bsdtar tf \"$X\"".into(), "bsdtar xf \"$X\"".into()),
        ("bsdtar, a stream", "cat \"$X\" | bsdtar tf -".into(), "cat \"$X\" | bsdtar xf -".into()),
        ("busybox", format!("busybox tar t{flags}f \"$X\""), format!("busybox tar x{flags}f \"$X\"")),
        (
            "busybox, a stream",
            format!("cat \"$X\" | busybox tar t{flags}"),
            format!("cat \"$X\" | busybox tar x{flags}"),
        ),
        ("Python", python("r:*"), "true".into()),
        ("Python, a stream", python(&format!("r|{stream}")), "true".into()),
    ];
    for (number, (name, list, extract)) in readers.iter().enumerate() {
        let place = folder.path().join(number.to_string());
        fs::create_dir(&place).expect("a folder");
        let listed = String::from_utf8(shell(list, archive, &place)).expect("names");
        // Some list the folder, too.
        let files: String = listed
            .lines()
            .filter(|line| line.trim_end_matches('/') != root)
            .fold(String::new(), |all, line| all + line + "\n");
        assert_eq!(files, listing, "{name}");
        shell(extract, archive, &place);
        let hashes = shell(&format!("sha256sum {}", names.join(" ")), archive, &place);
        assert_eq!(String::from_utf8(hashes).expect("sums"), wanted, "{name}");
        assert!(place.join(root).join("manifest.json").is_file(), "{name}");
    }
}

#[test]
fn every_tar_program_reads_a_whole_archive() {
    let source = loaded(postgres15(), "chinook");
    let folder = tempfile::tempdir().expect("a folder");
    every_reader(&dumped(&source, &folder, &[]).0, "z");
    every_reader(&dumped(&source, &folder, &["--compression", "none"]).0, "");
}

#[test]
fn every_tar_program_reads_a_big_row_and_numbered_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    every_reader(&dumped(&loaded(postgres15(), "big-row"), &folder, &[]).0, "z");
    let parts = streamed(&loaded(mariadb(), "big-row"), &folder, &["--compression", "gzip:1"]);
    every_reader(&parts, "z");
}

#[test]
fn gunzip_and_zstd_read_the_compression_alone() {
    let source = loaded(mysql(), "chinook");
    let folder = tempfile::tempdir().expect("a folder");
    let (gzip, _) = dumped(&source, &folder, &[]);
    shell(
        "gzip -t \"$X\" && gzip -dc \"$X\" | tar tf - > listed && python3 -c 'import gzip, os; gzip.open(os.environ[\"X\"]).read()'",
        &gzip,
        folder.path(),
    );
    let (zstd, _) = dumped(&source, &folder, &["--compression", "zstd"]);
    shell(
        "zstd -qt \"$X\" && zstd -qdc \"$X\" | tar tf - > listed && tar --zstd -tf \"$X\" > listed && bsdtar tf \"$X\" > listed",
        &zstd,
        folder.path(),
    );
}
