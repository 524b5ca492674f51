//! What to do next, as a message says it.
//!
//! Each hint has a name of its own, by which a test says that it follows it (`docs/hints.md`). The name is not printed.

use std::borrow::Cow;
use std::fmt;

/// One line of advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    name: &'static str,
    text: Cow<'static, str>,
}

impl Hint {
    /// A hint that always says the same.
    #[must_use]
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text: Cow::Borrowed(text) }
    }

    /// A hint that names something of the case at hand.
    #[must_use]
    pub const fn naming(name: &'static str, text: String) -> Self {
        Self { name, text: Cow::Owned(text) }
    }

    /// What tells it from every other hint, in kebab-case.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What is printed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The texts of several, as JSON has them.
#[must_use]
pub fn texts(hints: &[Hint]) -> Vec<&str> {
    hints.iter().map(Hint::text).collect()
}

// Advice that several modules give.

/// For a temporary folder that can't be used.
pub const ANOTHER_TMPDIR: Hint = Hint::new("another-tmpdir", "TMPDIR names another folder");

/// For a database that does not exist.
pub const CREATE: Hint = Hint::new("create-makes-it", "--create makes it");

/// For a database that can't be dropped and made again.
pub const CLEAN_SCHEMA_INSTEAD: Hint = Hint::new("clean-schema-instead", "--clean schema empties it instead");

/// For options that exclude each other.
pub const GIVE_ONE: Hint = Hint::new("give-one", "give one of them");

/// For what a part of a database needs and its dump holds.
pub const WITH_DEPENDENCIES: Hint =
    Hint::new("with-dependencies", "--with-dependencies brings along what the dump holds");

/// For what a part of a database needs and its dump does not hold.
pub const MAKE_THESE_FIRST: Hint =
    Hint::new("make-these-first", "make these in the target first, or dump the database as a whole");

/// For a name that a dump does not have: those that it may have meant.
#[must_use]
pub fn suggest(names: &[String]) -> Hint {
    Hint::naming("near", format!("near: {}", names.join(", ")))
}

/// For triggers of the target that rows would fire.
pub const TRIGGERS_ON: Hint = Hint::new("triggers-on", "--triggers on lets them run for every row");

/// For a server's folder that lacks programs.
pub const WHOLE_SERVER_PACKAGE: Hint =
    Hint::new("whole-server-package", "install the whole server package of that version");

/// For a row that a target holds which was not empty.
pub const KEY_IS_THERE: Hint =
    Hint::new("key-is-there", "a row with that key is in the target: --clean schema drops what it holds first");

/// For a row whose key a table holds that was there before.
pub const KEY_IS_IN_THE_TABLE: Hint = Hint::new(
    "key-is-in-the-table",
    "a row with that key is in the target's table: TRUNCATE that table, and restore again (the same error then: the dump holds \
     the key twice)",
);

/// For an object that can't be the target's.
pub const MADE_TWICE: Hint =
    Hint::new("made-twice", "the target was empty: the dump makes that twice (two dumps in one file?)");

/// For a host's name that no resolver knows.
pub const CHECK_HOST: Hint = Hint::new("check-host", "check the host's name in the URI");

/// A trial needs no server of its own.
pub const RESTORE_INTO_URI: Hint = Hint::new("restore-into-uri", "--restore-into URI uses a server that runs already");

/// For a client that refuses options of its version.
pub const ANOTHER_CLIENT: Hint =
    Hint::new("another-client", "the client is not what its version says: point --client-dir at another");

/// For a server that has no room left.
pub const SERVERS_DISK_IS_FULL: Hint = Hint::new("servers-disk-is-full", "the server's disk is full");
