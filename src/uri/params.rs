//! The query of a URI: what libpq, JDBC, Go, Node and the ORMs put there, translated, dropped with a note, or refused.

use std::path::PathBuf;

use super::{Parts, decode, read_port};
use crate::connection::{RequireAuth, TlsMode};
use crate::dialect::Parameter;

impl Parts {
    /// Reads the query. An unknown parameter that looks like TLS is refused: to drop it could mean to send a password
    /// in the clear.
    pub(super) fn read_query(&mut self, query: &str) -> Result<(), String> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        self.read_parameters(pairs.map(|(name, value)| (decode(name), decode(value))))
    }

    /// The same of names and values that are decoded.
    pub(super) fn read_parameters(&mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Result<(), String> {
        let mut verify_server = None;
        for (name, value) in pairs {
            let key = name.to_ascii_lowercase().replace(['-', '_'], "");
            if key == "verifyservercertificate" || key == "rejectunauthorized" {
                verify_server = Some((key, truth(&value).ok_or_else(|| bad_value(&name))?));
            } else if !self.read_location(&key, &value)?
                && !self.read_tls(&key, &name, &value)?
                && !self.read_login(&key, &name, &value)?
            {
                self.drop(&key, &name)?;
            }
        }
        if let Some((key, verify)) = verify_server {
            self.verify_server(&key, verify);
        }
        Ok(())
    }

    /// Where and who: libpq lets the query carry every part of a URI.
    fn read_location(&mut self, key: &str, value: &str) -> Result<bool, String> {
        match self.dialect.parameter(key) {
            Some(Parameter::Host) => {
                if value.contains(',') {
                    return Err("several hosts in one URI: name the one to dump from or restore into".into());
                }
                self.set_host(value);
            }
            Some(Parameter::HostAddress) => self.hostaddr = Some(value.to_owned()),
            Some(Parameter::Socket) => self.socket = Some(value.into()),
            Some(Parameter::Database) if value.contains("://") => {
                return Err(format!("the value of \"{key}\" is a URI of its own: give that alone"));
            }
            Some(Parameter::Database) => self.database = Some(value.to_owned()),
            Some(Parameter::PasswordFile) => self.passfile = Some(value.into()),
            Some(Parameter::Service) => {
                let what = "names a file of services, which is not read: write host, user and database themselves";
                return Err(format!("the parameter \"{key}\" {what}"));
            }
            Some(_) => return Ok(false),
            None => match key {
                "port" => self.port = Some(read_port(value)?),
                "user" => self.user = Some(value.to_owned()),
                "password" => self.password = Some(value.to_owned()),
                _ => return Ok(false),
            },
        }
        Ok(true)
    }

    fn read_tls(&mut self, key: &str, name: &str, value: &str) -> Result<bool, String> {
        match key {
            "sslmode" | "tlsmode" => self.set_mode(value.parse().map_err(|()| bad_value(name))?),
            "ssl" | "usessl" | "tls" => self.set_mode(ssl_switch(value).ok_or_else(|| bad_value(name))?),
            "requiressl" => {
                if truth(value).ok_or_else(|| bad_value(name))? {
                    self.set_mode(TlsMode::Require);
                }
            }
            "sslaccept" => self.set_mode(match value {
                "strict" => TlsMode::VerifyFull,
                "accept_invalid_certs" => TlsMode::Require,
                _ => return Err(bad_value(name)),
            }),
            // libpq's own bundle of the system's authorities: what we take without a file anyway.
            "sslrootcert" if value == "system" => self.set_mode(TlsMode::VerifyFull),
            "sslrootcert" | "sslca" | "sslcafile" => self.tls.ca = Some(PathBuf::from(value)),
            "sslcert" => self.tls.cert = Some(PathBuf::from(value)),
            "sslkey" => self.tls.key = Some(PathBuf::from(value)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// libpq's rules for logging in. What a client or our own sessions can't hold to is refused later, by name.
    fn read_login(&mut self, key: &str, name: &str, value: &str) -> Result<bool, String> {
        match self.dialect.parameter(key) {
            Some(Parameter::GssEncryption) => {
                self.login.gss_encryption = match value {
                    "disable" => false,
                    "prefer" => true,
                    "require" => return Err("gssencmode=require can't be kept: GSSAPI is not spoken here".into()),
                    _ => return Err(bad_value(name)),
                }
            }
            Some(Parameter::ChannelBinding) => {
                self.login.channel_binding = Some(value.parse().map_err(|()| bad_value(name))?);
            }
            Some(Parameter::RequireAuth) => {
                let rule: RequireAuth = value.parse().map_err(|()| bad_value(name))?;
                if !rule.is_possible() {
                    return Err(format!("require_auth={rule} can't be kept: dbhaul's own sessions have no such login"));
                }
                self.login.require_auth = Some(rule);
            }
            Some(Parameter::TlsNegotiation) => {
                self.login.direct_tls = match value {
                    "postgres" => false,
                    "direct" => true,
                    _ => return Err(bad_value(name)),
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The stricter of two answers wins: `useSSL=true&sslMode=VERIFY_CA` is verify-ca in either order.
    fn set_mode(&mut self, mode: TlsMode) {
        self.tls.mode = if self.tls.explicit { self.tls.mode.max(mode) } else { mode };
        self.tls.explicit = true;
    }

    /// JDBC's and Node's switch for verifying, which only counts where TLS is wanted at all.
    fn verify_server(&mut self, key: &str, verify: bool) {
        if self.tls.explicit && self.tls.mode == TlsMode::Off {
            return;
        }
        let verified = if key == "rejectunauthorized" { TlsMode::VerifyFull } else { TlsMode::VerifyCa };
        self.set_mode(if verify { verified } else { TlsMode::Require });
    }

    fn drop(&mut self, key: &str, name: &str) -> Result<(), String> {
        const HARMLESS: [&str; 6] =
            ["uselibpqcompat", "sslcompression", "sslsni", "sslnegotiation", "channelbinding", "tlssni"];
        let tls = ["ssl", "tls", "cert", "channelbinding", "requireauth", "gssenc"].iter().any(|w| key.contains(w));
        if tls && !HARMLESS.contains(&key) {
            return Err(format!("the parameter \"{name}\" looks like TLS or authentication and is not known here"));
        }
        self.notes.push(format!("the {}'s parameter {name} was dropped: it is not for dumps", self.called));
        Ok(())
    }
}

fn bad_value(name: &str) -> String {
    format!("the parameter \"{name}\" has a value that is not known here")
}

pub(super) fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// `ssl=` and `tls=` hold a switch, a mode, Go's `skip-verify`, or Node's JSON object.
fn ssl_switch(value: &str) -> Option<TlsMode> {
    if let Some(on) = truth(value) {
        return Some(if on { TlsMode::Require } else { TlsMode::Off });
    }
    let compact: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    match compact.as_str() {
        "skip-verify" => Some(TlsMode::Require),
        json if json.starts_with('{') && json.contains("\"rejectUnauthorized\":true") => Some(TlsMode::VerifyFull),
        json if json.starts_with('{') && json.contains("\"rejectUnauthorized\":false") => Some(TlsMode::Require),
        mode => mode.parse().ok(),
    }
}
