//! What clients print: `--version`, and errors on stderr.
#![no_main]

use dbhaul::engine::{self, Scene, Version};
use dbhaul::uri;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Version::parse(text);
    for uri in ["postgres://app:secret@db.example/shop", "mysql://app:secret@db.example/shop"] {
        let connection = uri::parse(uri).expect("a URI");
        let catalog = engine::of(connection.dialect).clients().expect("clients");
        let _ = catalog.read_version(text);
        let diagnosis = catalog.diagnose(text, &Scene::default());
        // Shown word for word, but for the end of a very long line: each is one of the client's.
        for line in &diagnosis.why {
            let said = line.strip_suffix("...").map_or(line.as_str(), str::trim_end);
            assert!(text.contains(said), "{line:?} was not said");
        }
    }
});
