//! What is to be run, as plain data: engines build it, a dry run prints it, tests compare it, and only `process` spawns.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::secret::{STARS, Secret};
use crate::uri::redact_secrets;

/// One run of a client program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The program, by absolute path wherever it was found on disk.
    pub program: PathBuf,
    /// The arguments, without any secret.
    pub args: Vec<Arg>,
    /// The child's whole environment beside the allow list of `process`; no secrets except through [`EnvValue`].
    pub env: Vec<(String, EnvValue)>,
    /// Where stdin comes from.
    pub stdin: Stdin,
    /// The line on stderr before and after a passage that repeats what the child was fed, customers' rows included:
    /// none of it is kept, shown or logged.
    pub echo_fence: Option<&'static str>,
    /// When it fails, it says at which line of its stdin the statement began.
    pub tells_line: bool,
    /// What a server of our own needs; None for clients.
    pub service: Option<Service>,
}

/// What a server of our own needs that a client doesn't.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its working folder, which goes with it if we are killed.
    pub folder: PathBuf,
    /// Who it runs as, when that is not ourselves; only root can choose.
    pub account: Option<Account>,
    /// What ends it at once and in order, sent also by the system when we die.
    pub end: Signal,
}

/// A user of this machine, and the user's group, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
}

/// One argument of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A plain argument.
    Text(String),
    /// One in another encoding than UTF-8.
    Bytes(Vec<u8>),
    /// `PREFIX/path/of/a/private/file`: an option file or a passfile whose content reaches the child by an inherited
    /// `/dev/fd/N` or a 0600 file, never by argv.
    File {
        /// What stands before the path, such as `--defaults-file=`.
        prefix: String,
        /// The private content.
        content: PrivateFile,
    },
}

/// The value of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvValue {
    /// A plain value.
    Text(String),
    /// A secret that the program takes no other way.
    Secret(Secret),
    /// The path of a private file.
    File(PrivateFile),
}

/// Content that only the child may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateFile {
    /// A name that tells a dry run's reader what it is: `my.cnf`, `pgpass`.
    pub name: String,
    /// The content.
    pub content: Secret,
    /// What a dry run shows instead: the content with stars.
    pub redacted: String,
}

/// What the child reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing: end of file at once.
    Null,
    /// Bytes that we feed.
    Pipe,
}

impl Invocation {
    /// An invocation of `program` without arguments, environment or input.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            stdin: Stdin::Null,
            echo_fence: None,
            tells_line: false,
            service: None,
        }
    }

    /// Adds plain arguments.
    #[must_use]
    pub fn args<A: Into<Arg>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds one plain argument.
    #[must_use]
    pub fn arg(self, arg: impl Into<Arg>) -> Self {
        self.args([arg])
    }

    /// Adds an argument that names a private file.
    #[must_use]
    pub fn file_arg(mut self, prefix: &str, content: PrivateFile) -> Self {
        self.args.push(Arg::File { prefix: prefix.to_owned(), content });
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), EnvValue::Text(value.into())));
        self
    }

    /// Sets an environment variable to the path of a private file.
    #[must_use]
    pub fn env_file(mut self, name: &str, content: PrivateFile) -> Self {
        self.env.push((name.to_owned(), EnvValue::File(content)));
        self
    }

    /// Makes it a server of ours.
    #[must_use]
    pub fn service(mut self, service: Service) -> Self {
        self.service = Some(service);
        self
    }

    /// The program's bare name, for messages.
    #[must_use]
    pub fn program_name(&self) -> String {
        self.program
            .file_name()
            .map_or_else(|| self.program.display().to_string(), |n| n.to_string_lossy().into_owned())
    }
}

/// Shell-quoted and ready to paste: a private file shows as `<(printf %s '...')` with its secrets starred out, which
/// bash and zsh understand once the stars are replaced.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            match value {
                EnvValue::Text(text) => write!(f, "{name}={} ", quote(text))?,
                EnvValue::Secret(_) => write!(f, "{name}={} ", quote(STARS))?,
                // libpq takes a passfile only from a regular file, so what can be pasted is the variable.
                EnvValue::File(_) if name == "PGPASSFILE" => write!(f, "PGPASSWORD={} ", quote(STARS))?,
                EnvValue::File(file) => write!(f, "{name}={} ", file.substitution())?,
            }
        }
        write!(f, "{}", quote_path(&self.program))?;
        for arg in &self.args {
            match arg {
                // A command of the user's own may be given a URI.
                Arg::Text(text) => write!(f, " {}", quote(&redact_secrets(text)))?,
                Arg::Bytes(bytes) => write!(f, " {}", quote_bytes(bytes))?,
                Arg::File { prefix, content } => write!(f, " {prefix}{}", content.substitution())?,
            }
        }
        Ok(())
    }
}

impl<S: Into<String>> From<S> for Arg {
    fn from(text: S) -> Self {
        Self::Text(text.into())
    }
}

impl PrivateFile {
    fn substitution(&self) -> String {
        format!("<(printf %s {})", quote(&self.redacted))
    }
}

/// A path, quoted for a POSIX shell.
#[must_use]
pub fn quote_path(path: &Path) -> String {
    quote(&path.to_string_lossy()).into_owned()
}

/// Bytes for bash and zsh: `$'caf\xe9'`.
fn quote_bytes(bytes: &[u8]) -> String {
    let inside = bytes.iter().fold(String::new(), |text, byte| match byte {
        b'\'' | b'\\' => format!("{text}\\{}", char::from(*byte)),
        b' '..=b'~' => text + &char::from(*byte).to_string(),
        byte => format!("{text}\\x{byte:02x}"),
    });
    format!("$'{inside}'")
}

/// Quotes for a POSIX shell where a shell would see something in the text; an equals sign is nothing to it.
#[must_use]
pub fn quote(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.into() } else { shell_words::quote(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_bash_takes_them() {
        let invocation = Invocation::new("/pg_dump").args([Arg::Bytes(b"--table=\"it's caf\xe9\"".to_vec())]);
        assert_eq!(invocation.to_string(), r#"/pg_dump $'--table="it\'s caf\xe9"'"#);
    }

    #[test]
    fn a_dry_run_is_quoted_and_shows_no_secret() {
        let file = PrivateFile {
            name: "my.cnf".into(),
            content: Secret::new("[client]\npassword=\"hunter22\""),
            redacted: "[client]\npassword=\"****\"".into(),
        };
        let invocation = Invocation::new("/usr/bin/mysqldump")
            .file_arg("--defaults-file=", file)
            .args(["--ignore-table=my db.it's", "shop"])
            .env("TZ", "UTC");
        let shown = invocation.to_string();
        assert_eq!(
            shown,
            "TZ=UTC /usr/bin/mysqldump --defaults-file=<(printf %s '[client]\npassword=\"****\"') \
             '--ignore-table=my db.it'\\''s' shop"
        );
        assert!(!format!("{invocation:?}{shown}").contains("hunter22"));
    }
}
