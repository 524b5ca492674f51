//! What a child finds in its environment. The library reads none itself: the command line hands its variables in.
//!
//! libpq and the `mysql` clients take settings from two dozen variables, and those override the URI: `PGHOSTADDR` sends
//! the dump to another server, `PGSSLMODE` takes TLS away. So clients start from nothing and get [`PASSED_ON`] and
//! [`FIXED`], then what their invocation says.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The variables that a client gets from ours, when they are set: where programs, libraries, certificates, Kerberos
/// tickets and temporary files are. None of them names a server, a user, a password or a way to connect.
pub const PASSED_ON: &[&str] = &[
    "PATH",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "LOCPATH",
    "LOCALE_ARCHIVE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "KRB5CCNAME",
    "KRB5_CONFIG",
    "KRB5_KTNAME",
    "KRB5_CLIENT_KTNAME",
];

/// The variables that every client gets with these values. Messages are English and UTF-8, for they are parsed. There
/// is no home, so no `.pgpass`, `.pg_service.conf`, `.psqlrc`, `.my.cnf`, `.mylogin.cnf` or `.postgresql/` either
/// (libpq before 15 asks the user database for the home: its invocations must name those files themselves).
pub const FIXED: &[(&str, &str)] = &[("HOME", "/nonexistent"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")];

/// The environment of children, apart from what their invocations add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChildEnv {
    vars: Vec<(OsString, OsString)>,
}

impl ChildEnv {
    /// The clean environment of database clients, out of ours (`std::env::vars_os()`).
    pub fn for_clients(ours: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let passed = ours.into_iter().filter(|(name, _)| PASSED_ON.iter().any(|p| name == p));
        let fixed = FIXED.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Self { vars: passed.chain(fixed).collect() }
    }

    /// The environment of tunnels: ssh and the user's own commands want their home, agent, tokens and proxies, so they
    /// get all of ours but dbhaul's own settings and the URIs of databases.
    pub fn for_tunnels(ours: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let own = |name: &OsStr| name.as_encoded_bytes().starts_with(b"DBHAUL_");
        let kept =
            ours.into_iter().filter(|(name, value)| !own(name) && !crate::uri::is_connection(&value.to_string_lossy()));
        Self { vars: kept.collect() }
    }

    /// A variable's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.vars.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_os_str())
    }

    /// The folder for temporary files.
    #[must_use]
    pub fn temp_folder(&self) -> PathBuf {
        self.get("TMPDIR").filter(|t| !t.is_empty()).map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.vars.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Vec<(OsString, OsString)> {
        [
            ("PATH", "/bin"),
            ("PGHOSTADDR", "10.0.0.9"),
            ("PGSSLMODE", "disable"),
            ("MYSQL_HOST", "elsewhere"),
            ("HOME", "/home/me"),
            ("LC_ALL", "de_DE.UTF-8"),
            ("DBHAUL_URI", "postgres://u:p@h/d"),
            ("SSH_AUTH_SOCK", "/run/agent"),
            ("DATABASE_URL", "postgres://u:p@h/d"),
            ("SHOP", " MySQL://u:p@h/d"),
            ("HTTPS_PROXY", "http://proxy.example"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
    }

    #[test]
    fn clients_see_only_the_allow_list() {
        let env = ChildEnv::for_clients(ours());
        let seen: Vec<_> = env.iter().map(|(n, v)| format!("{}={}", n.display(), v.display())).collect();
        assert_eq!(seen, ["PATH=/bin", "HOME=/nonexistent", "LC_ALL=C.UTF-8", "TZ=UTC"]);
        assert_eq!(env.temp_folder(), PathBuf::from("/tmp"));
    }

    #[test]
    fn tunnels_see_home_and_agent_but_no_setting_of_ours() {
        let env = ChildEnv::for_tunnels(ours());
        assert_eq!(env.get("HOME"), Some(OsStr::new("/home/me")));
        assert_eq!(env.get("SSH_AUTH_SOCK"), Some(OsStr::new("/run/agent")));
        assert_eq!(env.get("HTTPS_PROXY"), Some(OsStr::new("http://proxy.example")));
        for name in ["DBHAUL_URI", "DATABASE_URL", "SHOP"] {
            assert_eq!(env.get(name), None);
        }
    }
}
