//! What speaks `PostgreSQL`'s protocol.
//!
//! `version()` gives most of them away. What a managed service adds to a real `PostgreSQL` (a role, an extension, a
//! function) tells the others; [`WITNESSES`] asks for it.

use crate::engine::{Product, Standing, Version};

/// The oldest version that is supported: older ones are end of life, and nothing is tested with them.
pub const OLDEST: Version = Version::new(13, 0, 0);

const NO_DUMP: &str = "its own BACKUP and RESTORE, or EXPORT INTO CSV: cockroachlabs.com/docs";

/// The table.
pub const PRODUCTS: &[Product] = &[
    product("CockroachDB", "cockroachdb", Standing::Refused(NO_DUMP)),
    product(
        "Amazon Redshift",
        "redshift",
        Standing::Refused("UNLOAD to S3 and COPY from there, or a snapshot of the cluster"),
    ),
    product("Greenplum", "greenplum", Standing::Refused("gpbackup and gprestore, which know its segments")),
    product(
        "Materialize",
        "materialize",
        Standing::Refused("dump the databases that it reads from; COPY TO exports views"),
    ),
    product("CrateDB", "cratedb", Standing::Refused("CREATE SNAPSHOT, or COPY TO")),
    product(
        "Cloud Spanner",
        "schema spanner_sys",
        Standing::Refused("gcloud spanner databases export, or a Spanner backup"),
    ),
    product(
        "RisingWave",
        "risingwave",
        Standing::Refused("dump the databases that it reads from; risectl backs up its metadata"),
    ),
    product("QuestDB", "questdb", Standing::Refused("CHECKPOINT and a copy of its files, or COPY TO")),
    product("YugabyteDB", "-yb-", Standing::Warned("YugabyteDB's own ysql_dump also keeps tablets and colocation")),
    product(
        "EDB Postgres Advanced Server",
        "enterprisedb advanced server",
        Standing::Warned("packages and synonyms of EnterpriseDB's are dumped by EnterpriseDB's own pg_dump only"),
    ),
    product(
        "TimescaleDB",
        "extension timescaledb",
        Standing::Warned(
            "hypertables are restored between timescaledb_pre_restore() and timescaledb_post_restore() only",
        ),
    ),
    product(
        "Citus",
        "extension citus",
        Standing::Warned("distributed tables are dumped as plain ones: distribute them again after the restore"),
    ),
    product("Amazon Aurora", "function aurora_version", Standing::Supported),
    product("Amazon RDS", "role rds_superuser", Standing::Supported),
    product("Azure Database for PostgreSQL", "role azure_pg_admin", Standing::Supported),
    product("AlloyDB", "role alloydbsuperuser", Standing::Supported),
    product("Cloud SQL", "role cloudsqlsuperuser", Standing::Supported),
];

const fn product(name: &'static str, mark: &'static str, standing: Standing) -> Product {
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
