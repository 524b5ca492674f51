//! Archives in a store that is no file, through everything that a restore, `verify` and `inspect` read.

use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::connection::Limits;
use crate::pipeline::inspect::inspect;
use crate::process::{ChildEnv, Stop};
use crate::store::{conformance::archives, memory};

fn context() -> Context {
    Context {
        observer: Arc::new(|_| {}),
        stop: Stop::default(),
        limits: Limits::default(),
        deadline: None,
        client_env: ChildEnv::for_clients([]),
        tunnel_env: ChildEnv::for_tunnels([]),
        search_path: "".into(),
        client_dir: None,
        server_dir: None,
        tunnel: None,
        accept_unproven: false,
        database: None,
        member: None,
        force_version: false,
        temp_dir: std::env::temp_dir(),
        remove_leftovers: false,
    }
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps").join(name)).expect(name)
}

/// A tar of a folder of fixtures.
fn tar_of(folder: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps").join(folder);
    for entry in std::fs::read_dir(path).expect(folder) {
        let entry = entry.expect(folder);
        let content = std::fs::read(entry.path()).expect(folder);
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        let name = format!("d/{}", entry.file_name().to_string_lossy());
        tar.append_data(&mut header, name, &content[..]).expect(folder);
    }
    tar.into_inner().expect(folder)
}

/// Opens and checks what is there, for a restore by several jobs.
async fn checked(url: &str) -> (Input, Checked) {
    let mut input = Input::open(&context(), url).await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
    let checked = input.check(&context(), true, None).await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
    (input, checked)
}

#[tokio::test]
async fn an_archive_of_ours_is_read_from_its_store() {
    let (url, dump) = (format!("{}a.tar.gz", memory::new_bucket()), archives::dump(5000));
    let location = store::locate(&url).expect("a location");
    archives::publish(location.stage("", "").expect("staged"), "gzip".parse().expect("gzip"), &dump);
    let (input, checked) = checked(&url).await;
    assert_eq!((checked.bytes, checked.content.tables[0].rows), (dump.len() as u64, Some(5000)));
    assert_eq!((input.path(), input.path_to_read()), (Path::new(&url), None));
    let mut read = Vec::new();
    input.dump(None).expect("the dump").read_to_end(&mut read).expect("readable");
    assert!(read == dump);
    read.clear();
    input.dump(Some(&[7..90, 100..100])).expect("a part").read_to_end(&mut read).expect("readable");
    assert!(read == dump[7..90]);
    let inspected = inspect(&url, false).expect("an archive");
    assert_eq!(inspected.manifest.expect("ours").members.len(), 1);
}

#[tokio::test]
async fn a_program_that_opens_the_dump_itself_gets_a_copy_of_what_has_no_path() {
    let (url, dump) = (format!("{}a.dump", memory::new_bucket()), fixture("pg_dump-15.custom.dump"));
    memory::put(&url, &dump);
    let (input, _) = checked(&url).await;
    let copy = input.path_to_read().expect("a path").to_owned();
    assert!(std::fs::read(&copy).expect("a copy") == dump);
    drop(input);
    assert!(!copy.exists(), "the copy is still there");
    // A file is opened where it is.
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps/pg_dump-15.custom.dump");
    let (input, _) = checked(path.to_str().expect("UTF-8")).await;
    assert_eq!(input.path_to_read(), Some(path.as_path()));
}

#[tokio::test]
async fn what_others_wrote_is_read_from_its_store() {
    let bucket = memory::new_bucket();
    let cases = [
        ("a.sql", fixture("mysql-9.7.4.sql"), Format::MYSQL_SQL),
        ("b.sql", fixture("pg_dump-15.plain.sql"), Format::PG_PLAIN),
        ("c.tar", tar_of("pg_dump-15.directory"), Format::PG_DIRECTORY),
    ];
    for (name, bytes, format) in cases {
        let url = format!("{bucket}{name}");
        memory::put(&url, &bytes);
        let (input, checked) = checked(&url).await;
        assert_eq!(input.format(), format, "{name}");
        assert!(!checked.content.tables.is_empty(), "{name}");
        // A directory-format dump is extracted for the program that reads it.
        assert_eq!(input.path_to_read().is_some(), format == Format::PG_DIRECTORY, "{name}");
        assert!(!inspect(&url, true).expect(name).members.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_by_its_name() {
    let url = format!("{}nothing", memory::new_bucket());
    for error in [Input::open(&context(), &url).await.err(), inspect(&url, false).err()] {
        let error = error.expect("an error");
        assert_eq!((error.kind, error.what), (Kind::Archive, format!("{url} can't be read")));
    }
    let error = Input::open(&context(), "file://host/a").await.err().expect("an error");
    assert_eq!(error.kind, Kind::Usage);
}
