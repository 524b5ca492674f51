//! A database's URI: whatever stands in it, reading it never panics, and showing it never shows the password.
#![no_main]

use dbhaul::connection::Connection;
use dbhaul::secret::{Redactor, Secret};
use dbhaul::uri;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = uri::redact_words(text);
    let Ok(connection) = uri::parse(text) else {
        // An error repeats the URI redacted.
        let _ = uri::redact(text);
        return;
    };
    let shown = connection.to_string();
    if connection.password.is_some() {
        let other = Connection { password: Some(Secret::new("another")), ..connection };
        assert_eq!(other.to_string(), shown, "with another password another URI is shown");
    }
    // What is no password to the parser may have been meant as one: so all that is printed goes through this. A short
    // one is starred out only where it stands alone.
    let secrets = uri::secrets(text);
    let shown = Redactor::new(&secrets).redact(&shown);
    let long = |secret: &&Secret| secret.expose().len() >= 8 && !secret.expose().contains("****");
    let mut seen = secrets.iter().filter(long).filter(|secret| shown.contains(secret.expose()));
    assert!(seen.next().is_none(), "what may be a password is shown");
});
