//! What users added to tables of extensions: triggers, policies, rules, constraints, columns.
//!
//! `pg_dump` leaves such a table, with all that is on it, to the extension. So an archive never has these. What stands on a
//! function, table or type of the user's was certainly not made by the extension: it is named at the dump; and as it would
//! go with what it stands on, `--clean schema` does not begin.

use crate::engine::postgres::session::Session;
use crate::engine::{Finding, Severity, Subject};
use crate::error::Result;
use crate::hint::Hint;

/// Describes each, with what it stands on.
pub const QUERY: &str = "WITH ours AS (SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'), \
     added AS (SELECT d.classid, d.objid, 0 AS part FROM pg_catalog.pg_depend d \
     WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'a' \
     AND (d.refclassid, d.refobjid) IN (SELECT classid, objid FROM ours) \
     UNION SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend d \
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid > 0 \
     AND (d.classid, d.objid) IN (SELECT classid, objid FROM ours)) \
     SELECT DISTINCT pg_catalog.pg_describe_object(a.classid, a.objid, a.part) || ', which stands on ' \
     || pg_catalog.pg_describe_object(u.refclassid, u.refobjid, u.refobjsubid) \
     FROM added a JOIN pg_catalog.pg_depend u ON u.classid = a.classid AND u.objid = a.objid AND u.objsubid = a.part \
     WHERE u.deptype = 'n' AND u.refobjid >= 16384 AND (a.classid, a.objid, a.part > 0) NOT IN (SELECT classid, objid, false FROM ours) \
     AND (u.refclassid, u.refobjid) NOT IN (SELECT classid, objid FROM ours) \
     AND u.refclassid NOT IN ('pg_catalog.pg_namespace'::pg_catalog.regclass, 'pg_catalog.pg_extension'::pg_catalog.regclass) \
     ORDER BY 1";

/// Warns of each at a dump.
pub async fn find(session: &Session) -> Result<Vec<Finding>> {
    let hint = Hint::new(
        "make-it-again-behind",
        "make it again behind a restore: pg_dump leaves what is on an extension's table to the extension",
    );
    let finding = |what| {
        let what = format!("{what}, is not in the dump: its table is an extension's");
        Finding::new(Severity::Warning, what, Some(hint.clone())).about(Subject::NotHeld)
    };
    Ok(session.column(QUERY).await?.into_iter().map(finding).collect())
}
