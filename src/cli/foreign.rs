//! The options for other programs' files; shared by every command that reads an archive to its end.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::pipeline::Context;

/// Other programs' files
#[derive(Args, Debug)]
pub struct ForeignArgs {
    /// Takes a file without an end mark, as phpMyAdmin, HeidiSQL or mysqldump --compact write it
    ///
    /// Its structure is judged all the same: it may not end inside a statement, a string, a comment or rows. The result says
    /// that it is not proved complete.
    #[arg(long, env = "DBHAUL_ACCEPT_UNPROVEN")]
    accept_unproven: bool,
    /// One database of a file of several: mysqldump --all-databases or --databases, `pg_dumpall`
    ///
    /// What the file says of the database itself is for the target's: nothing is sent under the old name. Roles, tablespaces and
    /// other databases of the file are not sent.
    #[arg(long, value_name = "NAME", env = "DBHAUL_DATABASE", value_parser = NonEmptyStringValueParser::new())]
    database: Option<String>,
    /// Takes this one of several dumps in an archive: its path in the tar or zip
    #[arg(long, value_name = "NAME", env = "DBHAUL_MEMBER", value_parser = NonEmptyStringValueParser::new())]
    member: Option<String>,
}

impl ForeignArgs {
    /// The same world, in which files are taken as these options say.
    pub fn within(&self, context: Context) -> Context {
        Context {
            accept_unproven: self.accept_unproven,
            database: self.database.clone(),
            member: self.member.clone(),
            ..context
        }
    }
}
