//! Functions that reach beyond a database, and the ways in which a statement can name one.

use super::super::lexer::Token;
use super::knows;

/// Functions that reach for files, programs, other servers or other sessions, or that run SQL which they are given as a
/// text: stopped wherever they run by themselves.
const REACHING: &str = "connectby crosstab crosstab2 crosstab3 crosstab4 crosstabn cursor_to_xml cursor_to_xmlschema database_to_xml \
    database_to_xml_and_xmlschema database_to_xmlschema http_delete http_get http_post http_put lo_export \
    lo_import pg_backup_start pg_backup_stop pg_cancel_backend pg_copy_logical_replication_slot pg_copy_physical_replication_slot \
    pg_create_logical_replication_slot pg_create_physical_replication_slot pg_create_restore_point pg_current_logfile \
    pg_drop_replication_slot pg_file_length pg_file_read pg_file_rename pg_file_sync pg_file_unlink pg_file_write pg_hba_file_rules \
    pg_ident_file_mappings pg_import_system_collations pg_log_backend_memory_contexts pg_logdir_ls pg_logical_emit_message \
    pg_logical_slot_get_binary_changes pg_logical_slot_get_changes pg_logical_slot_peek_binary_changes pg_logical_slot_peek_changes \
    pg_ls_archive_statusdir pg_ls_dir pg_ls_logdir pg_ls_logicalmapdir pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_summariesdir \
    pg_ls_tmpdir pg_ls_waldir pg_promote pg_read_binary_file pg_read_file pg_read_file_old pg_reload_conf \
    pg_replication_origin_advance pg_replication_origin_create pg_replication_origin_drop pg_replication_slot_advance \
    pg_rotate_logfile pg_rotate_logfile_old pg_show_all_file_settings pg_start_backup pg_stat_file pg_stat_reset pg_stat_reset_shared \
    pg_stop_backup pg_switch_wal pg_switch_xlog pg_sync_replication_slots pg_terminate_backend pg_wal_replay_pause \
    pg_wal_replay_resume query_to_xml query_to_xml_and_xmlschema query_to_xmlschema schema_to_xml schema_to_xml_and_xmlschema \
    schema_to_xmlschema table_to_xml table_to_xml_and_xmlschema table_to_xmlschema ts_rewrite ts_stat xpath_table \
    xslt_process";

fn reaches(name: &str) -> bool {
    name.starts_with("dblink") || knows(REACHING, name)
}

/// A name as the server reads it: in small letters, unless it is quoted.
pub(super) fn name(token: &Token<'_>) -> Option<String> {
    match token {
        Token::Word(word) => Some(word.to_ascii_lowercase()),
        Token::Name(name) => Some(name.replace("\"\"", "\"")),
        _ => None,
    }
}

/// The names that have a parenthesis behind them.
pub(super) fn calls<'t>(tokens: &'t [Token<'_>]) -> impl Iterator<Item = String> + 't {
    tokens.windows(2).filter(|pair| pair[1] == Token::Symbol(b'(')).filter_map(|pair| name(&pair[0]))
}

/// Whether it calls one that reaches: `f(x)`, or `(x).f`, which is the same.
pub(super) fn calls_reaching(tokens: &[Token<'_>]) -> bool {
    let attribute =
        |pair: &[Token<'_>]| pair[0] == Token::Symbol(b'.') && name(&pair[1]).is_some_and(|name| reaches(&name));
    calls(tokens).any(|name| reaches(&name)) || tokens.windows(2).any(attribute)
}

/// Whether it names one, in a statement that makes another door to it: `FUNCTION = lo_export`.
pub(super) fn names_reaching(tokens: &[Token<'_>]) -> bool {
    tokens.iter().filter_map(name).any(|name| reaches(&name))
}

/// `U&"lo\005fexport"`: a name that is spelled otherwise than it reads, and that no program writes.
pub(super) fn spells_names(tokens: &[Token<'_>]) -> bool {
    // Nothing may stand between the three.
    const BETWEEN: usize = r#"U&""#.len();
    tokens.windows(3).any(|three| match three {
        [Token::Word(u), Token::Symbol(b'&'), Token::Name(name)] => {
            u.eq_ignore_ascii_case("u") && name.as_ptr() as usize == u.as_ptr() as usize + BETWEEN
        }
        _ => false,
    })
}
