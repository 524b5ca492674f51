//! How much memory a restore's sessions may build indexes with.
//!
//! The server's default is for one that serves people meanwhile: 64 MB, whatever the machine. Indexes and foreign keys are
//! most of a restore's time, so its sessions together get as much as the server's shared buffers, at most 512 MB: a server
//! that was given little memory has few of those (`docs/decisions/restores-ask-for-memory.md`).

use crate::engine::Server;
use crate::engine::postgres::session::Session;
use crate::error::Result;

/// What a session of this user may take now, in bytes. Not there where sessions can't be told otherwise.
const NOW: &str = "memory.maintenance";
/// The server's shared buffers, in bytes.
const SHARED: &str = "memory.shared";
/// All sessions of a restore together.
const MAX_MEMORY_BYTES: u64 = 512 << 20;

/// What the server has.
pub struct Memory {
    now: u64,
    shared: u64,
}

/// Asks the server. None where it does not say.
pub async fn memory(session: &Session) -> Result<Option<Memory>> {
    const MEMORY: &str = "SELECT pg_catalog.pg_size_bytes(current_setting('maintenance_work_mem')), \
                          pg_catalog.pg_size_bytes(current_setting('shared_buffers'))";
    let Ok(rows) = session.try_rows(MEMORY).await? else { return Ok(None) };
    let Some([Some(now), Some(shared)]) = rows.first().map(Vec::as_slice) else { return Ok(None) };
    Ok(now.parse().ok().zip(shared.parse().ok()).map(|(now, shared)| Memory { now, shared }))
}

impl Memory {
    /// The option that changes nothing: a pooler may refuse every connection that brings one, so it is tried.
    pub fn as_it_is(&self) -> String {
        format!("-c maintenance_work_mem={}kB", self.now / 1024)
    }

    /// Fills the two settings, where the server takes startup options from this user.
    pub fn keep(self, server: &mut Server) {
        server.settings.insert(NOW.into(), self.now.to_string());
        server.settings.insert(SHARED.into(), self.shared.to_string());
    }
}

/// The value of `PGOPTIONS` for each of so many sessions, where it says anything else than the server does.
pub fn options(server: &Server, sessions: u32) -> Option<String> {
    let bytes = |setting| server.settings.get(setting)?.parse::<u64>().ok();
    let each = bytes(SHARED)?.min(MAX_MEMORY_BYTES) / u64::from(sessions.max(1));
    (each > bytes(NOW)?).then(|| format!("-c maintenance_work_mem={}kB", each / 1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::test_fixtures;

    #[test]
    fn sessions_share_what_the_server_has_and_never_get_less_than_before() {
        for (now, shared, sessions, wanted) in [
            (64, 128, 1, Some(128)),
            (64, 128, 2, None), // a server of 512 MiB
            (64, 512, 2, Some(256)),
            (64, 8192, 1, Some(512)),
            (64, 8192, 4, Some(128)),
            (64, 8192, 64, None),
            (2048, 8192, 1, None),
        ] {
            let mut server = test_fixtures::server(15);
            for (setting, megabytes) in [(NOW, now), (SHARED, shared)] {
                let bytes: u64 = megabytes << 20;
                server.settings.insert(setting.into(), bytes.to_string());
            }
            let wanted = wanted.map(|megabytes: u64| format!("-c maintenance_work_mem={}kB", megabytes << 10));
            assert_eq!(options(&server, sessions), wanted, "{now} {shared} {sessions}");
        }
        assert_eq!(options(&test_fixtures::server(15), 1), None, "not known");
    }
}
