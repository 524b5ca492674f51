//! What speaks `PostgreSQL`'s protocol.
//!
//! `version()` gives most of them away. What a managed service adds to a real `PostgreSQL` (a role, an extension, a
//! function) tells the others; [`WITNESSES`] asks for it.

use crate::engine::{Product, SupportLevel, Version};

/// The oldest version that is supported: older ones are end of life, and nothing is tested with them.
pub const OLDEST: Version = Version::new(13, 0, 0);

const NO_DUMP: &str = "its own BACKUP and RESTORE, or EXPORT INTO CSV: cockroachlabs.com/docs";

/// The table.
pub const PRODUCTS: &[Product] = &[
    product("CockroachDB", "cockroachdb", SupportLevel::Refused(NO_DUMP)),
    product(
        "Amazon Redshift",
        "redshift",
        SupportLevel::Refused("UNLOAD to S3 and COPY from there, or a snapshot of the cluster"),
    ),
    product("Greenplum", "greenplum", SupportLevel::Refused("gpbackup and gprestore, which know its segments")),
    product(
        "Materialize",
        "materialize",
        SupportLevel::Refused("dump the databases that it reads from; COPY TO exports views"),
    ),
    product("CrateDB", "cratedb", SupportLevel::Refused("CREATE SNAPSHOT, or COPY TO")),
    product(
        "Cloud Spanner",
        "schema spanner_sys",
        SupportLevel::Refused("gcloud spanner databases export, or a Spanner backup"),
    ),
    product(
        "RisingWave",
        "risingwave",
        SupportLevel::Refused("dump the databases that it reads from; risectl backs up its metadata"),
    ),
    product("QuestDB", "questdb", SupportLevel::Refused("CHECKPOINT and a copy of its files, or COPY TO")),
    product("YugabyteDB", "-yb-", SupportLevel::Warned("YugabyteDB's own ysql_dump also keeps tablets and colocation")),
    product(
        "EDB Postgres Advanced Server",
        "enterprisedb advanced server",
        SupportLevel::Warned("packages and synonyms of EnterpriseDB's are dumped by EnterpriseDB's own pg_dump only"),
    ),
    product(
        "TimescaleDB",
        "extension timescaledb",
        SupportLevel::Warned(
            "hypertables are restored between timescaledb_pre_restore() and timescaledb_post_restore() only",
        ),
    ),
    product(
        "Citus",
        "extension citus",
        SupportLevel::Warned("distributed tables are dumped as plain ones: distribute them again after the restore"),
    ),
    product("Amazon Aurora", "function aurora_version", SupportLevel::Supported),
    product("Amazon RDS", "role rds_superuser", SupportLevel::Supported),
    product("Azure Database for PostgreSQL", "role azure_pg_admin", SupportLevel::Supported),
    product("AlloyDB", "role alloydbsuperuser", SupportLevel::Supported),
    product("Cloud SQL", "role cloudsqlsuperuser", SupportLevel::Supported),
];

const fn product(name: &'static str, mark: &'static str, standing: SupportLevel) -> Product {
    Product { name, mark, standing }
}

/// Asks for everything that the table's marks name, in their words.
pub const WITNESSES: &str = "SELECT 'role ' || rolname FROM pg_catalog.pg_roles WHERE rolname IN \
     ('rds_superuser', 'azure_pg_admin', 'cloudsqlsuperuser', 'alloydbsuperuser') \
     UNION ALL SELECT 'extension ' || extname FROM pg_catalog.pg_extension WHERE extname IN ('timescaledb', 'citus') \
     UNION ALL SELECT 'function ' || proname FROM pg_catalog.pg_proc WHERE proname = 'aurora_version' \
     UNION ALL SELECT 'schema ' || nspname FROM pg_catalog.pg_namespace WHERE nspname = 'spanner_sys'";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::product::assert_recorded;

    #[test]
    fn every_recorded_server_is_told() {
        assert_recorded(PRODUCTS, "PostgreSQL", "postgresql.tsv");
    }
}
