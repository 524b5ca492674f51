//! Hints that several checks give.

use crate::engine::Server;
use crate::hint::Hint;

/// For a user who may not write to the target.
pub(super) fn grant_all(server: &Server) -> Hint {
    Hint::naming("grant-all", format!("GRANT ALL ON `{}`.* TO the user", server.database))
}

/// For a setting of the target that this user may not change in a session. `mends` is the statement that changes it.
pub(super) fn mends_or_admin(mends: &str) -> Hint {
    Hint::naming(
        "mend-or-session-variables-admin",
        format!("{mends} on the target, or restore as a user with SESSION_VARIABLES_ADMIN"),
    )
}
