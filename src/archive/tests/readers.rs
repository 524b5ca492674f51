//! Other programs read our archives: silently, with exit status 0, and to the same bytes.

use std::io::Read;
use std::path::Path;
use std::process::Command;

use tempfile::NamedTempFile;

use super::*;
use crate::archive::write::encode::BLOCK;
use crate::archive::write::part_writer::PART;

const PYTHON: &str = "
import sys, tarfile
with tarfile.open(sys.argv[1], sys.argv[2]) as archive:
    archive.extractall(sys.argv[3], **({'filter': 'data'} if hasattr(tarfile, 'data_filter') else {}))
";

/// Runs a program in an empty folder, and compares what it leaves there.
fn extracts(archive: &Path, expected: &[(String, Vec<u8>)], program: &str, args: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = archive.to_str().expect("UTF-8");
    let args: Vec<&str> = args.iter().map(|arg| if *arg == "{}" { path } else { arg }).collect();
    let output = Command::new(program).args(&args).current_dir(folder.path()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{program} {args:?}: {}, {said}", output.status);
    for (path, content) in expected {
        let found =
            std::fs::read(folder.path().join(path)).unwrap_or_else(|error| panic!("{program}: {path}: {error}"));
        assert!(found == *content, "{program} {args:?}: {path} has other bytes");
    }
}

fn expected(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut reader = Reader::from_stream(io::Cursor::new(bytes.to_vec()), "-").expect("our own");
    let mut found = Vec::new();
    while let Some(mut entry) = reader.next_member().expect("our own") {
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("our own");
        found.push((entry.path().to_owned(), content));
    }
    found
}

fn with_name(bytes: &[u8], ending: &str) -> NamedTempFile {
    let file = tempfile::Builder::new().suffix(ending).tempfile().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("space");
    file
}

#[test]
fn gzip() {
    let long_root = "r".repeat(200);
    let part = usize::try_from(PART).expect("small");
    for root in [ROOT, &long_root] {
        for (can_patch, len) in [(true, 3 * BLOCK + 100), (true, 0), (false, part + 100), (false, 0)] {
            let options = Options { root: root.to_owned(), ..options(Compression::default()) };
            let bytes = named(options, "dump.sql", can_patch, &sql(len.max(14))[..len]);
            let file = with_name(&bytes, ".tar.gz");
            let expected = expected(&bytes);
            let all = |program: &str, args: &[&str]| extracts(file.path(), &expected, program, args);
            all("tar", &["xzf", "{}"]);
            all("sh", &["-c", "cat \"$1\" | tar xz", "sh", "{}"]);
            all("sh", &["-c", "gzip -dc \"$1\" | tar x", "sh", "{}"]);
            all("bsdtar", &["xf", "{}"]);
            all("sh", &["-c", "cat \"$1\" | bsdtar xf -", "sh", "{}"]);
            all("busybox", &["tar", "xzf", "{}"]);
            all("sh", &["-c", "cat \"$1\" | busybox tar xz", "sh", "{}"]);
            all("python3", &["-c", PYTHON, "{}", "r:gz", "."]);
            all("python3", &["-c", PYTHON, "{}", "r|gz", "."]);
            extracts(file.path(), &[], "gzip", &["-t", "{}"]);
        }
    }
}

#[test]
fn zstd_and_plain() {
    for can_patch in [true, false] {
        let bytes = archive(Compression::Zstd(Level::Adaptive), can_patch, &sql(3 * BLOCK)[..]);
        let file = with_name(&bytes, ".tar.zst");
        extracts(file.path(), &expected(&bytes), "tar", &["xf", "{}", "--zstd"]);
        extracts(file.path(), &expected(&bytes), "bsdtar", &["xf", "{}"]);
        extracts(file.path(), &[], "zstd", &["-qt", "{}"]);
        let bytes = archive(Compression::None, can_patch, &sql(3 * BLOCK)[..]);
        let file = with_name(&bytes, ".tar");
        extracts(file.path(), &expected(&bytes), "tar", &["xf", "{}"]);
        extracts(file.path(), &expected(&bytes), "sh", &["-c", "cat \"$1\" | tar x", "sh", "{}"]);
        extracts(file.path(), &expected(&bytes), "bsdtar", &["xf", "{}"]);
        extracts(file.path(), &expected(&bytes), "busybox", &["tar", "xf", "{}"]);
        extracts(file.path(), &expected(&bytes), "python3", &["-c", PYTHON, "{}", "r:", "."]);
        extracts(file.path(), &expected(&bytes), "python3", &["-c", PYTHON, "{}", "r|", "."]);
    }
}

#[test]
fn by_hand_both_layouts_come_out_as_one_stream() {
    let dump = sql(usize::try_from(PART).expect("small") + 5);
    for can_patch in [true, false] {
        let bytes = archive(Compression::default(), can_patch, &dump[..]);
        let file = with_name(&bytes, ".tar.gz");
        let output =
            Command::new("tar").arg("xzOf").arg(file.path()).args(["--wildcards", "*/dump.*"]).output().expect("tar");
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(output.stdout == dump);
    }
}
