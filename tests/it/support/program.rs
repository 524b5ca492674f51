//! The program that the tests run.

use std::{fs, path::Path, process, sync::OnceLock};

/// Path of the program. It is named `dbhaul`, as people call it: usage texts, `/proc` and command lines show the name.
///
/// Cargo builds it with the tests under another name, because two files `dbhaul` would collide in one folder. Each test
/// process links it anew, so that no older one is run.
pub fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("program");
        let (path, new) = (folder.join("dbhaul"), folder.join(format!("dbhaul.{}", process::id())));
        fs::create_dir_all(&folder).expect("a folder for the program");
        let _ = fs::remove_file(&new);
        fs::hard_link(env!("CARGO_BIN_EXE_dbhaul-under-test"), &new).expect("link the program");
        // Another test process may run the program at this moment, so it is replaced in one step.
        fs::rename(&new, &path).expect("name the program");
        // The step does nothing if both names are links to one file.
        let _ = fs::remove_file(&new);
        path.into_os_string().into_string().expect("a path in UTF-8")
    })
}
