//! A database's URI: whatever stands in it, reading it never panics, and showing it never shows the password.
#![no_main]

use dbhaul::{secret::Redactor, uri};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = uri::redact_words(text);
    let Ok(connection) = uri::parse(text) else {
        // An error repeats the URI redacted.
        let _ = uri::redact(text);
        return;
    };
    let (secrets, mut shown) = (uri::secrets(text), connection.to_string());
    // Of an @ behind a question mark nobody knows what is a parameter and what a path: what is printed goes through this.
    if text.rsplit_once('@').is_some_and(|(before, _)| before.contains('?')) {
        shown = Redactor::new(&secrets).redact(&shown);
    }
    for secret in secrets {
        // A short password, or one that is also the user's name, may stand there for another reason.
        let hidden = secret.expose().len() >= 8 && text.matches(secret.expose()).count() == 1;
        assert!(!hidden || !shown.contains(secret.expose()), "the password is shown");
    }
});
