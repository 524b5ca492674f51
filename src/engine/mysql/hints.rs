//! Hints that several checks give.

use crate::engine::Server;
use crate::hint::Hint;

/// For a user who may not write to the target.
pub(super) fn grant_all(server: &Server) -> Hint {
    grant_all_on(&server.database)
}

/// For a user who may not use a database.
pub(super) fn grant_all_on(database: &str) -> Hint {
    Hint::naming("grant-all", format!("GRANT ALL ON `{database}`.* TO the user"))
}

/// For functions and triggers of users whom the target's binary log does not trust.
pub(super) const TRUST_CREATORS: Hint = Hint::new(
    "trust-function-creators",
    "SET GLOBAL log_bin_trust_function_creators = 1 on the target, or restore as a user with SUPER",
);

/// For a statement that is longer than the target takes.
pub(super) const LARGER_PACKET: Hint = Hint::new(
    "max-allowed-packet-of-target",
    "raise the target's max_allowed_packet (SET GLOBAL max_allowed_packet = 1073741824)",
);

/// For generated columns that have values in the dump.
pub(super) const INTO_MARIADB: Hint =
    Hint::new("mariadb-or-schema-only", "restore into MariaDB, or only the structure with --schema-only");

/// For collations and character sets that the target does not know, and has nothing like.
pub(super) const SOURCES_FLAVOUR: Hint = Hint::new(
    "sources-flavour-or-newer",
    "restore into the flavour and version that the dump comes from, or a newer one",
);

/// For a target that takes no writes.
pub(super) const THE_PRIMARY: Hint = Hint::new("name-the-primary", "name the primary in the URI");

/// For a lock that somebody holds.
pub(super) const LOCKED: Hint = Hint::new(
    "wait-or-processlist",
    "a lock was waited for too long: run it when less is written, or see SHOW PROCESSLIST for who holds it",
);

/// For a setting of the target that this user may not change in a session. `mends` is the statement that changes it.
pub(super) fn mends_or_admin(mends: &str) -> Hint {
    Hint::naming(
        "mend-or-session-variables-admin",
        format!("{mends} on the target, or restore as a user with SESSION_VARIABLES_ADMIN"),
    )
}
