//! What the gate knows by name: commands, statements, functions, and the statements of one program.

use super::super::lexer::Syntax;
use super::super::statement::{self, SpannedToken};

/// Client commands that are no statements of any server's.
pub(super) const COMMANDS: [&str; 10] =
    ["system", "source", "tee", "notee", "pager", "nopager", "edit", "print", "prompt", "resetconnection"];

/// The words that begin a statement, of MySQL's or MariaDB's.
const STATEMENTS: &str = "alter analyze backup begin binlog cache call case change check checksum clone commit create deallocate \
    declare delete desc describe do drop end execute explain flush for get grant handler help if import insert \
    install kill load lock loop optimize prepare purge release rename repair repeat replace reset resignal \
    restart revoke rollback savepoint select set show shutdown signal start stop table truncate uninstall \
    unlock update use values while with xa";

/// Functions that rows may call: what exporters write for values that have no literal.
const ROW_FUNCTIONS: &str = "bin_to_uuid cast char convert curdate current_date current_time current_timestamp curtime date from_base64 \
    geomcollfromtext geometrycollection geometrycollectionfromtext geometryfromtext geometryfromwkb geomfromtext geomfromwkb \
    inet6_aton inet_aton json_array json_object linefromtext linestring localtime localtimestamp multilinestring multipoint \
    multipolygon now point polygon st_geomcollfromtext st_geomfromgeojson st_geomfromtext st_geomfromwkb st_geometryfromtext \
    st_geometryfromwkb st_linefromtext st_pointfromtext st_polyfromtext string_to_vector sysdate time timestamp to_vector \
    unhex utc_timestamp uuid uuid_to_bin values vec_fromtext";

/// Functions that wait for other sessions and servers, or hold them up.
pub(super) const REACHING: [&str; 10] = [
    "get_lock",
    "is_free_lock",
    "is_used_lock",
    "master_gtid_wait",
    "master_pos_wait",
    "release_all_locks",
    "release_lock",
    "source_pos_wait",
    "wait_for_executed_gtid_set",
    "wait_until_sql_thread_after_gtids",
];

/// What Percona's mysqldump writes around tables that may be of `MyRocks`: prepared statements of these texts, and no others.
const PERCONA: [&str; 9] = [
    "SELECT COUNT ( * ) INTO @ is_rocksdb_supported FROM INFORMATION_SCHEMA . SESSION_VARIABLES \
     WHERE VARIABLE_NAME = 'rocksdb_bulk_load'",
    "SET @ save_old_rocksdb_bulk_load = IF ( @ is_rocksdb_supported , 'SET @old_rocksdb_bulk_load = @@rocksdb_bulk_load' , \
     'SET @dummy_old_rocksdb_bulk_load = 0' )",
    "SET @ enable_bulk_load = IF ( @ is_rocksdb_supported , 'SET SESSION rocksdb_bulk_load = 1' , 'SET @dummy_rocksdb_bulk_load = 0' )",
    "SET @ disable_bulk_load = IF ( @ is_rocksdb_supported , 'SET SESSION rocksdb_bulk_load = @old_rocksdb_bulk_load' , \
     'SET @dummy_rocksdb_bulk_load = 0' )",
    "PREPARE s FROM @ save_old_rocksdb_bulk_load",
    "PREPARE s FROM @ enable_bulk_load",
    "PREPARE s FROM @ disable_bulk_load",
    "EXECUTE s",
    "DEALLOCATE PREPARE s",
];

pub(super) fn is_perconas(pieces: &[SpannedToken<'_>]) -> bool {
    const MAX_TOKENS: usize = 32;
    if pieces.len() > MAX_TOKENS {
        return false;
    }
    let text = pieces.iter().map(|piece| piece.text).collect::<Vec<_>>().join(&b" "[..]);
    PERCONA.iter().any(|known| text == known.as_bytes())
}

/// Whether rows may call this function.
pub(in crate::engine::mysql) fn rows_may_call(function: &[u8]) -> bool {
    ROW_FUNCTIONS.split(' ').any(|known| function.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether a statement begins as one does, as far as that can be told: a versioned comment may hold another server's words.
pub(in crate::engine::mysql) fn is_statement(head: &[u8], syntax: &Syntax) -> bool {
    let Some(first) = statement::pieces(head, syntax).next() else { return true };
    let begins = STATEMENTS.split(' ').chain(COMMANDS).any(|word| first.is(word));
    begins || first.versioned() || first.is_symbol(b'(') || first.is_symbol(b'\\')
}
