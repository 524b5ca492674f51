//! What belongs to a database itself: no object in it holds this, and so no dump of its objects brings it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// The properties of one database, as far as its engine has them and as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatabaseProperties {
    /// The encoding, or the default character set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// The collation; the default one for MySQL and MariaDB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// PostgreSQL: `LC_CTYPE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctype: Option<String>,
    /// PostgreSQL: who compares text: `libc`, `icu`, `builtin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale_provider: Option<String>,
    /// PostgreSQL: the provider's own locale, where that is not libc.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// PostgreSQL: rules that were added to an ICU locale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icu_rules: Option<String>,
    /// MySQL: whether tables are encrypted by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<bool>,
    /// MySQL: whether it refuses writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// PostgreSQL: whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What is said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// PostgreSQL: how many sessions it takes, where that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_limit: Option<i64>,
    /// PostgreSQL: whether others are made from it; absent where that is not so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<bool>,
    /// PostgreSQL: where it is kept; absent for the server's usual place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tablespace: Option<String>,
    /// PostgreSQL: what others than the owner may do; absent where nobody ever changed what the server grants by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<DatabaseGrant>>,
    /// PostgreSQL: `ALTER DATABASE ... SET`, and `ALTER ROLE ... IN DATABASE ... SET`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<DatabaseSetting>,
    /// What is there and no text: a database with `SQL_ASCII` takes any bytes. `comment`, `setting work_mem for role app`.
    #[serde(skip)]
    pub unreadable: Vec<String>,
}

/// A privilege on a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseGrant {
    /// Who has it; absent for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// `CONNECT`, `CREATE`, `TEMPORARY`.
    pub privilege: String,
    /// Whether the role may grant it to others.
    #[serde(default)]
    pub grantable: bool,
}

/// A setting that sessions in a database begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseSetting {
    /// The one role that it is for; absent for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Its name.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip)]
    secret: Option<Secret>,
}

impl DatabaseSetting {
    /// A setting. Applications keep secrets in those of their own, which have a dot in their names: such a value is
    /// held, and never written.
    #[must_use]
    pub fn new(role: Option<String>, name: String, value: String) -> Self {
        let (value, secret) = if name.contains('.') { (None, Some(Secret::new(value))) } else { (Some(value), None) };
        Self { role, name, value, secret }
    }

    /// Its value as the server keeps it; none where a manifest does not tell.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref().or(self.secret.as_ref().map(Secret::expose))
    }

    /// Whether the value may be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.value.is_none()
    }

    fn display_value(&self) -> String {
        self.value.clone().unwrap_or_else(|| "a value that is not shown".to_owned())
    }

    /// Whether both set the same for the same sessions. Names of settings are not particular about case.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.role == other.role && self.name.eq_ignore_ascii_case(&other.name)
    }
}

/// For people: `work_mem`, or `work_mem for role app`.
impl fmt::Display for DatabaseSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.role {
            Some(role) => write!(f, "{} for role {role}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// One property in which two databases differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyDifference {
    /// Which: `encoding`, `setting work_mem for role app`.
    pub property: String,
    /// The source's.
    pub source: String,
    /// The target's.
    pub target: String,
}

impl PropertyDifference {
    /// What a side has that does not have it at all.
    pub const NONE: &str = "none";
}

impl fmt::Display for PropertyDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database's {}: {} in the source, {} in the target", self.property, self.source, self.target)
    }
}

impl DatabaseProperties {
    /// In what `target` differs from this, its source, of what is settled when a database is made. What is not known of
    /// one of them is no difference.
    #[must_use]
    pub fn differences_of_creation(&self, target: &Self) -> Vec<PropertyDifference> {
        let flag = |on: Option<bool>| on.map(|on| if on { "on" } else { "off" }.to_owned());
        let rules = |properties: &Self| {
            properties
                .locale_provider
                .as_ref()
                .and_then(|_| properties.icu_rules.clone().or_else(|| Some("none".into())))
        };
        let own_locale = |properties: &Self| {
            properties.locale_provider.as_ref().map(|_| properties.locale.clone().unwrap_or_else(|| "none".into()))
        };
        let all = [
            ("encoding", self.encoding.clone(), target.encoding.clone()),
            ("collation", self.collation.clone(), target.collation.clone()),
            ("character classification", self.ctype.clone(), target.ctype.clone()),
            ("locale provider", self.locale_provider.clone(), target.locale_provider.clone()),
            ("provider's locale", own_locale(self), own_locale(target)),
            ("ICU rules", rules(self), rules(target)),
            ("default encryption", flag(self.encryption), flag(target.encryption)),
        ];
        let told = all.into_iter().filter_map(|(property, source, target)| {
            let (source, target) = (source?, target?);
            let differs = canonical(&source) != canonical(&target);
            differs.then(|| PropertyDifference { property: property.to_owned(), source, target })
        });
        told.collect()
    }

    /// The same, and what can be changed at any time: comment, connection limit, settings. Owner and grants are left to
    /// who restores, and not compared; nor is the value of a setting that may be a secret.
    #[must_use]
    pub fn differences(&self, target: &Self) -> Vec<PropertyDifference> {
        let mut differences = self.differences_of_creation(target);
        let mut differs = |property: String, source: Option<String>, target: Option<String>| {
            if source != target {
                let shown = |value: Option<String>| value.unwrap_or_else(|| PropertyDifference::NONE.to_owned());
                differences.push(PropertyDifference { property, source: shown(source), target: shown(target) });
            }
        };
        differs("comment".into(), self.comment.clone(), target.comment.clone());
        let limit = |properties: &Self| properties.connection_limit.map(|limit| limit.to_string());
        differs("connection limit".into(), limit(self), limit(target));
        for setting in &self.settings {
            let there = target.settings.iter().find(|other| setting.is_same(other));
            differs(
                format!("setting {setting}"),
                Some(setting.display_value()),
                there.map(DatabaseSetting::display_value),
            );
        }
        for added in target.settings.iter().filter(|other| !self.settings.iter().any(|own| own.is_same(other))) {
            differs(format!("setting {added}"), None, Some(added.display_value()));
        }
        differences
    }

    /// The role's or everybody's setting of that name.
    #[must_use]
    pub fn setting(&self, like: &DatabaseSetting) -> Option<&DatabaseSetting> {
        self.settings.iter().find(|own| own.is_same(like))
    }
}

/// `en_US.UTF-8` and `en_US.utf8` are one locale; `utf8` is the old name of `utf8mb3`.
fn canonical(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace('-', "");
    match name.strip_prefix("utf8") {
        Some("") => "utf8mb3".to_owned(),
        Some(rest) if rest.starts_with('_') => format!("utf8mb3{rest}"),
        _ => name,
    }
}

/// What a restore did about the properties of its target database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AppliedProperties {
    /// What was set: `work_mem for role app`, `comment`.
    pub set: Vec<String>,
    /// What was not.
    pub by_hand: Vec<ByHand>,
}

/// A property of the source that was not set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ByHand {
    /// What would set it, ready to paste.
    pub statement: String,
    /// Why it was not.
    pub why: String,
}
