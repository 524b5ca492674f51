//! An initialised data folder for each server, made once into the cache and copied for each start.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    flavour::{Family, Flavour},
    server::{PASSWORD, USER},
};

/// The cache folder of `scripts/servers.sh`.
pub fn cache() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("DBHAUL_TEST_SERVERS").unwrap_or_else(|| {
        set("XDG_CACHE_HOME")
            .or_else(|| set("HOME").map(|home| home.join(".cache")))
            .expect("HOME is not set")
            .join("dbhaul-test-servers")
    })
}

/// Copies the flavour's template to `folder/data`. Of the server's words, the size of its pages is for the template.
pub fn copy(flavour: Flavour, folder: &Path, words: &[&str]) {
    let pages: Vec<&str> = words.iter().copied().filter(|word| word.starts_with("--innodb-page-size=")).collect();
    let template = cache().join("templates").join(flavour.name() + &pages.concat());
    if !template.exists() {
        make(flavour, &template, &pages);
    }
    copy_folder(&template, &folder.join("data"));
}

fn make(flavour: Flavour, template: &Path, pages: &[&str]) {
    let folder = flavour.new_folder();
    let inside = flavour.inside(folder.path());
    let data = inside.join("data");
    let mut command = flavour.command();
    match flavour.family() {
        Family::Postgres => {
            fs::write(folder.path().join("password"), PASSWORD).expect("write the password");
            command
                .arg(flavour.program("initdb"))
                .args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256"])
                .arg(format!("--username={USER}"))
                .arg(format!("--pwfile={}", inside.join("password").display()))
                .arg(format!("--pgdata={}", data.display()));
        }
        Family::Mysql => {
            command
                .arg(flavour.program("mysqld"))
                .args(["--no-defaults", "--initialize-insecure", "--user=root"])
                .arg(format!("--datadir={}", data.display()));
        }
        Family::Mariadb => {
            command
                .arg(flavour.program("mariadb-install-db"))
                .arg("--no-defaults")
                .arg(flavour.base_folder())
                .args(["--auth-root-authentication-method=normal", "--skip-test-db", "--user=root"])
                .arg(format!("--datadir={}", data.display()));
        }
    }
    command.args(pages);
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; run scripts/servers.sh"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}\nrun scripts/servers.sh if the server is missing",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    // A server's identity: each copy makes its own.
    let _ = fs::remove_file(folder.path().join("data/auto.cnf"));

    // Several tests may be here at once: all make one, the first rename wins.
    let parent = template.parent().expect("a parent");
    fs::create_dir_all(parent).expect("make the templates' folder");
    let staging = tempfile::tempdir_in(parent).expect("a folder beside the template");
    let made = staging.path().join("data");
    copy_folder(&folder.path().join("data"), &made);
    let renamed = fs::rename(&made, template);
    assert!(template.exists(), "cannot rename to {}: {renamed:?}", template.display());
}

fn copy_folder(from: &Path, to: &Path) {
    let status = Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to).status().expect("run cp");
    assert!(status.success(), "cannot copy {} to {}", from.display(), to.display());
}
