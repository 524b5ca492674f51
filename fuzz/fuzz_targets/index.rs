//! The index behind an archive of ours, and the manifest: what is read before anything is believed.
#![no_main]

use dbhaul::archive::{Index, Manifest};
use dbhaul_fuzz::object::object;
use dbhaul_fuzz::seal::resealed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Index::read(object(bytes).as_ref());
    if let Some(bytes) = resealed(bytes) {
        let _ = Index::read(object(&bytes).as_ref());
    }
    if let Ok(manifest) = Manifest::parse(bytes) {
        let again = Manifest::parse(&manifest.to_json()).expect("a manifest that was read once");
        assert_eq!(again, manifest);
    }
});
