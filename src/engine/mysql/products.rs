//! What speaks MySQL's protocol: told by `VERSION()`, `@@version_comment`, and variables that only one product has.

use crate::engine::{Flavour, Product, SupportLevel, Version};

/// The oldest version that is supported: older ones are end of life, and nothing is tested with them.
pub(super) fn oldest(flavour: Flavour) -> Version {
    match flavour {
        Flavour::MARIADB => Version::new(10, 3, 0),
        _ => Version::new(5, 7, 0),
    }
}

/// The table.
pub(super) const PRODUCTS: &[Product] = &[
    product("TiDB", "-tidb-", SupportLevel::Refused("dumpling and tidb-lightning, or BR: docs.pingcap.com")),
    product(
        "Vitess",
        "vitess",
        SupportLevel::Refused("vtctldclient Backup, or a dump of each shard's own MySQL, named in the URI"),
    ),
    product("PlanetScale", "planetscale", SupportLevel::Refused("pscale database dump and restore-dump")),
    product(
        "SingleStore",
        "singlestore",
        SupportLevel::Refused("BACKUP DATABASE, or singlestore's own mysqldump recipe"),
    ),
    product("StarRocks", "starrocks", SupportLevel::Refused("BACKUP SNAPSHOT and RESTORE SNAPSHOT, or EXPORT")),
    product("Apache Doris", "doris", SupportLevel::Refused("BACKUP SNAPSHOT and RESTORE SNAPSHOT, or EXPORT")),
    product("OceanBase", "oceanbase", SupportLevel::Refused("obdumper and obloader")),
    product("ClickHouse", "clickhouse", SupportLevel::Refused("BACKUP and RESTORE, or clickhouse-client")),
    product("Dolt", "dolt", SupportLevel::Refused("dolt dump, or dolt backup")),
    product("Percona Server", "percona", SupportLevel::Supported),
    product("Amazon Aurora", "aurora_version", SupportLevel::Supported),
    product("Amazon RDS", "rdsdbbin", SupportLevel::Supported),
    product("Azure Database for MySQL", "aad_auth_only", SupportLevel::Supported),
    product("Cloud SQL", "(google)", SupportLevel::Supported),
];

/// Variables that only some products have, or fill in a way of their own.
pub(super) const WITNESSES: [&str; 3] = ["aurora_version", "aad_auth_only", "basedir"];

const fn product(name: &'static str, mark: &'static str, standing: SupportLevel) -> Product {
    Product { name, mark, standing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::product::assert_recorded;

    #[test]
    fn every_recorded_server_is_told() {
        assert_recorded(PRODUCTS, "MySQL", "mysql.tsv");
    }
}
