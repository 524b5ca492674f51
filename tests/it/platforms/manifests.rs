//! What is handed out for platforms (docker/): valid by the platforms' own schemas, and understood by dbhaul.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::{dbhaul, fixture, root};

fn folder() -> PathBuf {
    root().join("docker")
}

fn validate(folder: &Path) -> Output {
    let script = root().join("scripts/manifests.sh");
    Command::new(script).arg(folder).output().expect("run scripts/manifests.sh")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn every_manifest_fits_its_schema_and_every_unit_is_sound() {
    assert!(fixture("schemas/kubernetes-1.37.json").exists());
    let output = validate(&folder());
    assert!(output.status.success(), "{}\nrun scripts/servers.sh", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_manifest_with_a_mistake_in_it_is_found() {
    for (file, right, wrong) in [
        ("compose.yaml", "read_only: true", "read_onyl: true"),
        ("kubernetes/cronjob.yaml", "schedule:", "schedul:"),
        ("kubernetes/cronjob.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: 'yes'"),
        ("kubernetes/verify.yaml", "backoffLimit: 0", "backoffLimit: none"),
        ("kubernetes/secret.yaml", "apiVersion: v1", "apiVersion: v2"),
        ("systemd/dbhaul-dump.service", "ProtectSystem=strict", "ProtectSystm=strict"),
        ("systemd/dbhaul-dump.service", "DynamicUser=yes\n", ""),
        ("systemd/dbhaul-dump.timer", "03:00:00", "33:00:00"),
    ] {
        let copy = tempfile::tempdir().expect("a folder");
        let copied = Command::new("cp").arg("-r").arg(folder()).arg(copy.path().join("docker")).status();
        assert!(copied.expect("run cp").success());
        let path = copy.path().join("docker").join(file);
        let text = fs::read_to_string(&path).expect("read");
        assert!(text.contains(right), "{file} has no {right}");
        fs::write(&path, text.replacen(right, wrong, 1)).expect("write");
        assert!(!validate(&copy.path().join("docker")).status.success(), "{file}: {wrong:?} went through");
    }
}

#[test]
fn dbhaul_knows_every_variable_that_the_manifests_and_the_page_set() {
    let known: String = ["dump", "restore", "verify", "doctor"]
        .map(|command| dbhaul().args([command, "--help"]).run().expect_code(0).text().to_owned())
        .concat();
    let page = root().join("docs/containers.md");
    let texts = files(&folder()).into_iter().chain([page]).map(|path| fs::read_to_string(path).expect("text"));
    let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
    let names: BTreeSet<String> = texts
        .flat_map(|text| text.split(|c| !is_name(c)).map(str::to_owned).collect::<Vec<_>>())
        .filter(|word| word.starts_with("DBHAUL_"))
        .collect();
    assert!(names.len() > 3, "{names:?}");
    for name in names {
        assert!(known.contains(name.trim_end_matches("_FILE")), "nothing reads {name}");
    }
}
