//! Where a client failed. The same words of a server mean other things in a dump, in a restore into an empty database, and
//! beside what a target holds.

use super::{Clean, CollationMap, Content, RestoreOptions, Server};
use crate::hint::{self, Hint};

/// What a client was doing when it failed.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Reading or writing, and into what.
    pub doing: Into,
    /// What is restored is a script of PostgreSQL, which can't tell what it brings.
    pub is_script: bool,
    /// The extensions that the dump creates, in its order.
    pub extensions: Vec<String>,
    /// PostgreSQL: the functions that the dump makes, by their names without arguments.
    pub functions: Vec<String>,
    /// MySQL and MariaDB: collations that take another one's place.
    pub map_collations: Vec<CollationMap>,
    /// The collations that the target knows, where some are mapped.
    pub collations: Vec<String>,
    /// A dump's options for the client that the user chose, behind `--`.
    pub extra: Vec<String>,
}

/// What a client wrote to, if it wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Into {
    /// It read.
    #[default]
    Nothing,
    /// A database without objects of the user's.
    Empty,
    /// A database that holds some, and keeps them.
    Beside,
    /// The same, in which what the dump brings was dropped first.
    InPlace,
    /// Tables that are there: rows alone.
    Tables,
}

impl Scene {
    /// A restore of this dump with these options.
    #[must_use]
    pub fn restore(server: &Server, content: &Content, options: &RestoreOptions) -> Self {
        let cleaned = matches!(options.clean, Some(Clean::Schema | Clean::Database));
        let doing = match () {
            () if options.data_only || content.holds_rows_alone() => Into::Tables,
            () if cleaned || server.target.object_count == 0 => Into::Empty,
            () if options.clean == Some(Clean::Objects) => Into::InPlace,
            () => Into::Beside,
        };
        let is_script = content.format.runs_as_is;
        let functions = content.entries.iter().filter(|entry| ["FUNCTION", "PROCEDURE"].contains(&entry.kind.as_str()));
        let functions = functions.filter_map(|entry| entry.tag.split('(').next().map(str::to_owned)).collect();
        let map_collations = options.map_collations.clone();
        let collations = if map_collations.is_empty() { Vec::new() } else { server.target.collations.clone() };
        Self {
            doing,
            is_script,
            extensions: content.extensions.clone(),
            functions,
            map_collations,
            collations,
            extra: Vec::new(),
        }
    }

    /// A client that refuses an option: the user's own, or one that its version should know. `line` is what it said.
    #[must_use]
    pub fn refused_option(&self, line: &str) -> Hint {
        let bare = |option: &str| option.split('=').next().unwrap_or_default().to_owned();
        let name = |option: &str| bare(option).trim_start_matches('-').replace('_', "-");
        let said = line.split(['\'', '`', '"']).nth(1).map(name).unwrap_or_default();
        match self.extra.iter().find(|option| option.starts_with('-') && name(option) == said) {
            Some(option) => Hint::naming(
                "leave-option-out",
                format!("leave {} out behind --: the client does not know it", bare(option)),
            ),
            None => hint::ANOTHER_CLIENT,
        }
    }

    /// How a restore that left a part behind is begun again, without dropping what the target held before it. `first` says what comes
    /// before that.
    #[must_use]
    pub fn begin_again(&self, first: &str) -> Hint {
        match self.doing {
            Into::Tables => {
                Hint::naming("empty-tables-again", format!("{first}empty the tables that it fills, and restore again"))
            }
            Into::Beside | Into::InPlace if self.is_script => {
                Hint::naming("drop-what-it-made", format!("{first}drop what it made, and restore again"))
            }
            Into::Beside | Into::InPlace => Hint::naming(
                "clean-objects-again",
                format!("{first}restore again with --clean objects, which drops what the dump brings and nothing else"),
            ),
            Into::Nothing | Into::Empty => Hint::naming(
                "clean-schema-again",
                format!("{first}restore again with --clean schema, which drops what is there"),
            ),
        }
    }
}
