//! What belongs to the database itself, in a trial: given to the trial's database, read again, and compared.
//!
//! Behind the second dump: a `statement_timeout` is for those who use the database. It is read from another database for
//! the same reason.

use crate::connection::Connection;
use crate::engine::{self, Content, RestoreOptions, Server, Target};
use crate::error::Result;
use crate::pipeline::Context;
use crate::pipeline::watch::until_stopped;
use crate::properties::{DatabaseProperties, PropertyDifference};

/// What came of it, in sentences.
#[derive(Debug, Default)]
pub struct Compared {
    /// What reads otherwise although the server took the archive's words.
    pub differences: Vec<String>,
    /// What the server can't have as the archive says it.
    pub of_server: Vec<String>,
    /// What was not given to the trial's database.
    pub not_given: Vec<String>,
}

/// `connection` leads to another database of the target's server.
pub async fn compare(
    context: &Context,
    connection: &Connection,
    target: &Connection,
    server: &Server,
    held: &Content,
) -> Result<Compared> {
    let Some(source) = &held.properties else { return Ok(Compared::default()) };
    let engine = engine::of(connection.dialect);
    // As a restore gives them to a database that it makes.
    let options = RestoreOptions { create: true, ..RestoreOptions::default() };
    let made = Server { target: Target::default(), properties: DatabaseProperties::default(), ..server.clone() };
    until_stopped(context, engine.apply_properties(target, &made, held, &options, &context.limits)).await?;
    let reading = engine.database_properties(connection, server, &target.database, &context.limits);
    Ok(judge(source, &until_stopped(context, reading).await?))
}

fn judge(source: &DatabaseProperties, found: &DatabaseProperties) -> Compared {
    let of_creation = source.differences_of_creation(found);
    let mut compared = Compared::default();
    for difference in source.differences(found) {
        if of_creation.contains(&difference) {
            compared.of_server.push(difference.to_string());
        } else if difference.target == PropertyDifference::NONE {
            compared.not_given.push(format!("the database's {}", difference.property));
        } else {
            compared.differences.push(difference.to_string());
        }
    }
    let others = [
        ("owner", source.owner.is_some()),
        ("grants", source.grants.is_some()),
        ("read-only mode", source.read_only == Some(true)),
    ];
    let others = others.into_iter().filter(|(_, is_there)| *is_there);
    compared.not_given.extend(others.map(|(property, _)| format!("the database's {property}")));
    compared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::DatabaseSetting;

    #[test]
    fn what_the_server_can_not_have_is_its_own_and_what_was_not_given_is_not_compared() {
        let with = |collation: &str, settings: &[(&str, &str)]| DatabaseProperties {
            collation: Some(collation.into()),
            settings: settings
                .iter()
                .map(|(name, value)| DatabaseSetting::new(None, (*name).into(), (*value).into()))
                .collect(),
            ..DatabaseProperties::default()
        };
        let source = DatabaseProperties {
            owner: Some("app".into()),
            ..with("xx_YY", &[("work_mem", "8MB"), ("log_duration", "on"), ("app.key", "x")])
        };
        let found = with("C", &[("work_mem", "9MB"), ("app.key", "x")]);
        let Compared { differences, of_server, not_given } = judge(&source, &found);
        assert_eq!(differences, ["the database's setting work_mem: 8MB in the source, 9MB in the target"]);
        assert_eq!(of_server, ["the database's collation: xx_YY in the source, C in the target"]);
        assert_eq!(not_given, ["the database's setting log_duration", "the database's owner"]);
    }
}
