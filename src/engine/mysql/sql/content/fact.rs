//! Facts in [`Content::facts`](crate::engine::Content::facts): lists of names are joined by [`JOIN`](crate::engine::mysql::probe::probe_keys::JOIN), numbers
//! are decimal.

/// Databases that the dump creates or switches to.
pub(in crate::engine::mysql) const DATABASES: &str = "databases";
/// Generated columns, as `table.column`.
pub(in crate::engine::mysql) const GENERATED: &str = "generated_columns";
/// Tables without a primary key.
pub(in crate::engine::mysql) const NO_PRIMARY_KEY: &str = "tables_without_primary_key";
/// Of these, those with a column that counts.
pub(in crate::engine::mysql) const COUNTED_WITHOUT_PRIMARY_KEY: &str = "tables_without_primary_key.counted";
/// Foreign keys that point at no whole unique key, as `b_child.b_fk: a_parent(code)`.
pub(in crate::engine::mysql) const FOREIGN_NOT_UNIQUE: &str = "foreign_keys.not_unique";
/// How many objects name a definer.
pub(in crate::engine::mysql) const DEFINERS: &str = "definers";
/// Triggers.
pub(in crate::engine::mysql) const TRIGGERS: &str = "triggers";
/// Functions, which are among the routines too.
pub(in crate::engine::mysql) const FUNCTIONS: &str = "functions";
/// Procedures and functions.
pub(in crate::engine::mysql) const ROUTINES: &str = "routines";
/// Events.
pub(in crate::engine::mysql) const EVENTS: &str = "events";
/// Of these, those that run: not disabled.
pub(in crate::engine::mysql) const ENABLED_EVENTS: &str = "events.enabled";
/// Of these, those that end: a server drops them by itself.
pub(in crate::engine::mysql) const ENDING_EVENTS: &str = "events.ending";
/// Of these, those that run at one time, and not again.
pub(in crate::engine::mysql) const ONE_TIME_EVENTS: &str = "events.one_time";
/// Triggers and events that stand before rows which they would meet, as `trigger t_log`.
pub(in crate::engine::mysql) const EARLY: &str = "made_before_rows";
/// Triggers and events that are made twice, each time otherwise.
pub(in crate::engine::mysql) const MADE_TWICE: &str = "made_twice";
/// TIMESTAMP columns, as `table.column`.
pub(in crate::engine::mysql) const TIMESTAMPS: &str = "columns.timestamps";
/// The database that it is of, as the dump says.
pub(in crate::engine::mysql) const DATABASE_NAME: &str = "database.name";
/// Bodies that spell out that name, as `trigger t_log (shop.audit)`.
pub(in crate::engine::mysql) const OWN_NAMES: &str = "bodies.own_names";
/// Which columns the rows of each table are for: see `columns`.
pub(in crate::engine::mysql) const ROW_COLUMNS: &str = "rows.columns";
/// Tables that are made only where they are not there.
pub(in crate::engine::mysql) const KEPT_TABLES: &str = "tables.kept";
/// Views.
pub(in crate::engine::mysql) const VIEWS: &str = "views";
/// MariaDB's sequences.
pub(in crate::engine::mysql) const SEQUENCES: &str = "sequences";
/// Tables that foreign keys point at, as `table.other`.
pub(in crate::engine::mysql) const REFERENCES: &str = "references";
/// What definitions need of the database's own: see `dependencies`.
pub(in crate::engine::mysql) const NEEDS: &str = "needs";
/// Statements that set GTIDs or turn the binary log off.
pub(in crate::engine::mysql) const GTID: &str = "gtid_lines";
/// Tables with foreign keys.
pub(in crate::engine::mysql) const FOREIGN_KEYS: &str = "tables.foreign_keys";
/// Columns whose default is a date of zeros, where the dump sets no SQL mode.
pub(in crate::engine::mysql) const ZERO_DEFAULTS: &str = "columns.zero_dates";
/// Tablespaces that tables name: the table, a tab, the tablespace.
pub(in crate::engine::mysql) const TABLESPACES: &str = "tables.tablespaces";
/// Compressed tables.
pub(in crate::engine::mysql) const COMPRESSED: &str = "tables.compressed";
/// Tables that can be tried: the table, a tab, and the statement that does it (see `wide_tables`).
pub(in crate::engine::mysql) const TRIALS: &str = "tables.trials";
/// The size of a compressed table's blocks in KiB: the table, a tab, the size.
pub(in crate::engine::mysql) const BLOCK_SIZES: &str = "tables.key_block_size";
/// The definers that objects name.
pub(in crate::engine::mysql) const DEFINER_NAMES: &str = "definers.names";
/// Statements that are more than a dump's SQL for its database, as `line 7: GRANT ...: it changes the server`.
pub(in crate::engine::mysql) const STOPPED: &str = "gate.stopped";
/// How many there are: the list ends at the twentieth.
pub(in crate::engine::mysql) const STOPPED_COUNT: &str = "gate.stopped.count";
/// Databases whose objects statements change by name, each with the first line of it: `other: line 7: DROP ...`.
pub(in crate::engine::mysql) const ELSEWHERE: &str = "gate.databases";
