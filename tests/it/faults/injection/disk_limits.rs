//! Disks that are full, calls that fail, and archives that change between their check and their restore.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use super::{lent, stage::archive_of};
use crate::support::{
    Database, Dbhaul, Disk, Filesystem, Flavour, Gate, Image, Lock, Output, assert_section, checksum, dbhaul,
    eventually, names, sessions, several, shared,
};

/// Something that goes wrong, by what it is and the command that it happens to; the columns are the engines.
struct Row {
    fault: &'static str,
    command: &'static str,
    run: fn(Flavour) -> String,
}

const ENGINES: [Flavour; 2] = [Flavour::Postgres15, Flavour::Mysql];

const ROWS: [Row; 19] = [
    row("the disk is full at each of 20 offsets", "dump", full),
    row("files are limited (`ulimit -f`) at each of 20 offsets", "dump", limited),
    row("a quota ends in the middle", "dump", quota),
    row("no inode is left", "dump", no_inode),
    row("`--output -` is `/dev/full`", "dump", dev_full),
    row("fsync of the archive fails", "dump", |f| call_fails(f, &["fsync:error=EIO:when=1"], NOTHING)),
    row("fsync of its folder fails", "dump", folder_fsync_fails),
    row("its file system flushes no folders", "dump", |f| call_works(f, &["fsync:error=EINVAL:when=2"])),
    row("the rename fails: EIO", "dump", |f| call_fails(f, &["renameat2:error=EIO"], NOTHING)),
    row("the rename fails: EACCES", "dump", |f| call_fails(f, &["renameat2:error=EACCES"], NOTHING)),
    row("the rename fails: EXDEV", "dump", |f| call_fails(f, &["renameat2:error=EXDEV"], NOTHING)),
    row("the file system knows no `RENAME_NOREPLACE`", "dump", |f| call_works(f, &["renameat2:error=EINVAL"])),
    row("and no hard links", "dump", |f| call_works(f, &["renameat2:error=EINVAL", "linkat:error=EPERM"])),
    row("and then the rename fails", "dump", |f| {
        call_fails(f, &["renameat2:error=EINVAL", "linkat:error=EPERM", "renameat:error=EIO"], NOTHING)
    }),
    row("the file system has no locks", "dump", |f| call_works(f, &["flock:error=ENOLCK"])),
    row("the archive is deleted after its check", "restore", |f| archive_changes(f, |path| fs::remove_file(path))),
    row("it is cut after its check", "restore", |f| {
        archive_changes(f, |path| fs::File::options().write(true).open(path)?.set_len(5000))
    }),
    row("another one takes its place after its check", "restore", |f| {
        archive_changes(f, |path| {
            let other = path.with_file_name("other");
            fs::copy(path, &other)?;
            fs::rename(other, path)
        })
    }),
    row("the medium fails when it is read again", "restore", medium_fails),
];

const fn row(fault: &'static str, command: &'static str, run: fn(Flavour) -> String) -> Row {
    Row { fault, command, run }
}

#[test]
fn limits_calls_that_fail_and_archives_that_change() {
    let cells: Vec<_> = ROWS.iter().flat_map(|row| ENGINES.map(|flavour| (row, flavour))).collect();
    let outcomes = several(&cells, |(row, flavour)| (row.run)(*flavour));
    let mut text = String::from("| fault | command | PostgreSQL | MySQL |\n|---|---|---|---|\n");
    for (row, outcomes) in ROWS.iter().zip(outcomes.chunks(2)) {
        let _ = writeln!(text, "| {} | {} | {} | {} |", row.fault, row.command, outcomes[0], outcomes[1]);
    }
    assert_section("docs/reliability.md", "disk limits", &text);
}

const NOTHING: &str = "nothing was published";

fn dump(database: &Database<'_>, output: &Path) -> Dbhaul {
    let dump = dbhaul().args(["dump", &database.uri(), "-o"]).arg(output);
    dump.client_dirs([database.server().client_dir()])
}

/// The archive of a filled database, without compression: what stands where in it is to be seen.
fn plain_archive(flavour: Flavour) -> &'static [u8] {
    static MADE: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    MADE[usize::from(flavour.is_postgres())].get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = folder.path().join("archive.tar");
        dump(&lent::lend_filled(shared(flavour)), &archive).args(["--compression", "none"]).run().expect_code(0);
        fs::read(archive).expect("read")
    })
}

fn full(flavour: Flavour) -> String {
    let database = lent::lend_filled(shared(flavour));
    // The archive of the next dump may be shorter by the digits of its checksums.
    let pages = (plain_archive(flavour).len() - 64).div_ceil(4096);
    for offset in 0..20 {
        let disk = Disk::mount(&format!("size={}", ((pages - 1) * offset / 19).max(1) * 4096));
        let compression = ["--compression", "none"];
        let output = dump(&database, &disk.path().join("archive.tar")).args(compression).run();
        let output = output.refused(9, &["No space left on device", NOTHING, "hint: --output"]);
        assert!(offset > 5 || output.stderr.contains("the archive may not fit"), "{}", output.stderr);
        assert_eq!(names(disk.path()), [""; 0], "offset {offset}");
    }
    "9, nothing".into()
}

fn limited(flavour: Flavour) -> String {
    let database = lent::lend_filled(shared(flavour));
    let whole = plain_archive(flavour);
    let last = |text: &str| whole.windows(text.len()).rposition(|window| window == text.as_bytes()).expect("in it");
    let (manifest, index, end) = (last("/manifest.json\0"), last("{\"format_version\""), whole.len());
    let sealing =
        [manifest - 14, manifest, manifest + 500, manifest + 700, index - 100, index + 20, end - 60, end - 20];
    let offsets: Vec<_> = (1..13).map(|n| manifest * n / 13).chain(sealing).collect();
    assert_eq!(offsets.len(), 20);
    for offset in offsets {
        let folder = tempfile::tempdir().expect("a folder");
        let dump = dump(&database, &folder.path().join("archive.tar")).args(["--compression", "none"]);
        let output = dump.under(["prlimit".to_owned(), format!("--fsize={offset}")]).run();
        output.refused(9, &["File too large", NOTHING, "hint: raise the limit"]);
        assert_eq!(names(folder.path()), [""; 0], "offset {offset}");
    }
    "9, nothing".into()
}

fn quota(flavour: Flavour) -> String {
    let database = lent::lend_filled(shared(flavour));
    let disk = Image::mount(Filesystem::Btrfs { quota: 1 << 20 });
    let output = dump(&database, &disk.path().join("archive.tar")).args(["--compression", "none"]).run();
    output.refused(9, &["quota exceeded", NOTHING, "hint: --output"]);
    assert_eq!(names(disk.path()), [""; 0]);
    "9, nothing".into()
}

fn no_inode(flavour: Flavour) -> String {
    let disk = Disk::mount("nr_inodes=1");
    let output = dump(&lent::lend_filled(shared(flavour)), &disk.path().join("archive.tar.gz")).run();
    output.refused(9, &["can't write in the folder", "No space left on device", "hint:"]);
    assert_eq!(names(disk.path()), [""; 0]);
    "9, nothing".into()
}

fn dev_full(flavour: Flavour) -> String {
    let full = fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let output = dump(&lent::lend_filled(shared(flavour)), Path::new("-")).output_file(full).run();
    output.refused(9, &["No space left on device", NOTHING, "hint:"]);
    "9, nothing".into()
}

/// A dump of which these calls fail, and the folder that it went to.
fn with_calls(flavour: Flavour, calls: &[&str]) -> (Output, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = dump(&lent::lend_filled(shared(flavour)), &folder.path().join("archive.tar.gz")).failing(calls).run();
    (output, folder)
}

fn call_fails(flavour: Flavour, calls: &[&str], words: &str) -> String {
    let (output, folder) = with_calls(flavour, calls);
    output.refused(9, &[words, "os error", "hint:"]);
    assert_eq!(names(folder.path()), [""; 0], "{calls:?}");
    "9, nothing".into()
}

fn call_works(flavour: Flavour, calls: &[&str]) -> String {
    let (output, folder) = with_calls(flavour, calls);
    let output = output.expect_code(0);
    assert_eq!(names(folder.path()), ["archive.tar.gz"], "{calls:?}");
    dbhaul().arg("verify").arg(output.text().trim()).run().expect_code(0);
    "0, whole".into()
}

fn folder_fsync_fails(flavour: Flavour) -> String {
    let (output, folder) = with_calls(flavour, &["fsync:error=EIO:when=2"]);
    let output = output.refused(9, &["is whole and has its name", "may be gone again after a crash", "hint:"]);
    assert!(!output.stderr.contains(NOTHING), "{}", output.stderr);
    assert_eq!(names(folder.path()), ["archive.tar.gz"]);
    dbhaul().arg("verify").arg(folder.path().join("archive.tar.gz")).run().expect_code(0);
    "9, whole, which the message says".into()
}

/// A restore that stands between the check of its archive and the first byte that it feeds. What is done meanwhile, and how
/// it ended. PostgreSQL's target holds what it held before; MySQL's was emptied.
fn between_check_and_feed(flavour: Flavour, meanwhile: impl FnOnce(&Path, u32)) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive.tar.gz");
    fs::write(&archive, archive_of(flavour)).expect("write");
    let target = shared(flavour).database("target");
    target.sql("CREATE TABLE orders (id int PRIMARY KEY)");
    let restore = dbhaul().arg("restore").arg(&archive).args([&target.uri(), "--clean", "schema", "--yes"]);
    let clients = target.server().client_dir();
    let output = if flavour.is_postgres() {
        // The clients are asked for their versions there.
        let gate = Gate::before_versions(&clients);
        let mut running = restore.client_dirs([gate.folder()]).spawn();
        running.wait_until("a client that is asked", |_| gate.reached());
        meanwhile(&archive, running.pid());
        gate.open();
        running.wait()
    } else {
        // It waits for a lock on what it is to drop.
        let lock = Lock::on(&target, "orders");
        let mut running = restore.client_dirs([clients]).spawn();
        running.wait_until("a session that waits for the lock", |_| sessions(&target, true) > 0);
        meanwhile(&archive, running.pid());
        drop(lock);
        running.wait()
    };
    eventually("every session is gone", || sessions(&target, false) == 0);
    assert_eq!(checksum(&target).len(), usize::from(flavour.is_postgres()), "{}", output.stderr);
    output
}

const DROPPED: &str = "7, nothing restored; what `--clean` dropped is said";

fn archive_changes(flavour: Flavour, change: fn(&Path) -> std::io::Result<()>) -> String {
    let output = between_check_and_feed(flavour, |archive, _| change(archive).expect("changed"));
    if flavour.is_postgres() {
        output.refused(8, &["archive.tar.gz", "nothing was changed", "hint:"]);
        return "8, nothing".into();
    }
    output.refused(7, &["archive.tar.gz", "before it began: ", "hint:"]);
    DROPPED.into()
}

fn medium_fails(flavour: Flavour) -> String {
    let mut strace: Option<Child> = None;
    let output = between_check_and_feed(flavour, |archive, pid| {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "--inject=read,pread64:error=EIO", "-p", &pid.to_string(), "-P"]);
        strace = Some(command.arg(archive).stderr(Stdio::null()).spawn().expect("run strace"));
        let traced = || fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        eventually("strace is there", || !traced().contains("TracerPid:\t0\n"));
    });
    strace.expect("started").wait().expect("strace ends with it");
    if flavour.is_postgres() {
        output.refused(7, &["Input/output error", "the target holds what it held before"]);
        return "7, rolled back".into();
    }
    output.refused(7, &["Input/output error", "before it began: "]);
    DROPPED.into()
}

#[test]
fn temporary_copies_without_room_or_without_a_place() {
    let archive = archive_of(Flavour::Postgres15);
    let target = lent::lend(shared(Flavour::Postgres15));
    let disk = Disk::mount("size=16k");
    let missing = disk.path().join("missing");
    for (temp, word) in [(disk.path(), "No space left on device"), (&missing, "No such file")] {
        for arguments in [&["verify", "-"][..], &["restore", "-", &target.uri()]] {
            let run = dbhaul().args(arguments).env("TMPDIR", temp).input(archive.clone()).run();
            run.refused(9, &["no temporary copy can be made", word, "hint: TMPDIR"]);
        }
    }
    assert_eq!(names(disk.path()), [""; 0]);
    assert_eq!(checksum(&target).len(), 0);
    // A dump writes nothing there: what its client must not show stands in memory.
    let folder = tempfile::tempdir().expect("a folder");
    let source = lent::lend_filled(shared(Flavour::Postgres15));
    dump(&source, &folder.path().join("archive.tar.gz")).env("TMPDIR", &missing).run().expect_code(0);
}
