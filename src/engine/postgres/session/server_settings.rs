//! Every setting that PostgreSQL 13 to 18 list in `pg_settings`, and what it is to a dump or a restore.
//!
//! A setting of a server, a database or a role must change nothing of what is read, written, compared, created or
//! committed. Such a setting is pinned: in our own sessions by a statement, in those of a client by what that client
//! knows. The others are harmless, or not ours to pin. A test asks every server, and fails by the name of a setting that
//! is not sorted here.

/// What becomes of a setting.
#[derive(Clone, Copy, Debug)]
pub enum Sort {
    /// It has one value in our sessions.
    Pinned(&'static Pin),
    /// It changes no result, and why.
    Harmless(&'static str),
    /// It stays as the user has it, and why.
    NotOurs(&'static str),
}

/// A setting that is pinned.
#[derive(Clone, Copy, Debug)]
pub struct Pin {
    /// As `pg_settings` writes it.
    pub name: &'static str,
    /// The value, as `pg_settings` writes it.
    pub value: &'static str,
    /// Values that are as good.
    pub also: &'static [&'static str],
    /// Whether dbhaul's own sessions set it.
    pub ours: bool,
    /// In the session of `pg_dump`.
    pub dump: Way,
    /// In the session of `pg_restore` or `psql`.
    pub restore: Way,
    /// What it would change.
    pub why: &'static str,
}

/// How a client gets the value of a pinned setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The client, the dump or the connection string sets it, or nothing there reads it.
    Itself,
    /// By `PGOPTIONS`. Where these are not taken, the result is the same in content.
    Told,
    /// By `PGOPTIONS`. Where these are not taken, `psql` loads, and is told by statements.
    Needed,
}

impl Pin {
    /// Whether this value is the pinned one, or as good.
    #[must_use]
    pub fn is_wanted(&self, value: &str) -> bool {
        value == self.value || self.also.contains(&value)
    }

    const fn new(name: &'static str, value: &'static str, dump: Way, restore: Way, why: &'static str) -> Self {
        Self { name, value, also: &[], ours: true, dump, restore, why }
    }

    const fn or(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    /// Our own sessions neither read nor write what it changes.
    const fn of_clients(self) -> Self {
        Self { ours: false, ..self }
    }
}

/// What is pinned.
pub const PINNED: &[Pin] = {
    use Way::{Itself, Needed, Told};
    const LIMIT: &str = "a limit on time ends the session or the statement";
    const LEVELS: &[&str] = &["disabled", "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice"];
    &[
        Pin::new(
            "application_name",
            "dbhaul",
            Itself,
            Itself,
            "our sessions are found by it; the connection string sets it",
        )
        .of_clients(),
        Pin::new("array_nulls", "on", Itself, Needed, "off, NULL in an array is read as the word"),
        Pin::new("backslash_quote", "safe_encoding", Itself, Told, "whether \\' is read in a string").or(&["on"]),
        Pin::new("bytea_output", "hex", Told, Itself, "how bytea is written"),
        Pin::new(
            "check_function_bodies",
            "off",
            Itself,
            Itself,
            "on, a function's body may be refused; the dump sets it",
        )
        .of_clients(),
        Pin::new("client_encoding", "UTF8", Itself, Itself, "see docs/decisions/encodings.md").of_clients(),
        Pin::new("DateStyle", "ISO, MDY", Itself, Itself, "how points in time are written; pg_dump sets it"),
        Pin::new("default_table_access_method", "heap", Itself, Itself, "how tables are kept; the dump sets it")
            .of_clients(),
        Pin::new("default_tablespace", "", Itself, Itself, "where tables are made; the dump sets it").of_clients(),
        Pin::new("default_transaction_deferrable", "off", Itself, Told, "a transaction may wait for others"),
        Pin::new(
            "default_transaction_isolation",
            "read committed",
            Itself,
            Told,
            "serializable, a restore may be ended for others' sake",
        ),
        Pin::new("default_transaction_read_only", "off", Itself, Needed, "on, nothing is written"),
        Pin::new("exit_on_error", "off", Itself, Itself, "on, an error ends a session that goes on without"),
        Pin::new("extra_float_digits", "1", Itself, Itself, "how many digits are written; pg_dump sets it")
            .or(&["2", "3"]),
        Pin::new("gin_fuzzy_search_limit", "0", Itself, Told, "an index may leave rows out"),
        Pin::new("icu_validation_level", "warning", Itself, Told, "error, a collation of the source may be refused")
            .or(LEVELS),
        Pin::new("idle_in_transaction_session_timeout", "0", Told, Told, LIMIT),
        Pin::new("idle_session_timeout", "0", Told, Told, LIMIT),
        Pin::new("IntervalStyle", "postgres", Itself, Itself, "how intervals are written; pg_dump sets it"),
        Pin::new("lc_monetary", "C", Told, Needed, "how money is written and read: 12.34 or 1234")
            .or(&["POSIX", "C.UTF-8", "C.utf8", "en_US", "en_US.UTF-8", "en_US.utf8"])
            .of_clients(),
        Pin::new("lock_timeout", "0", Told, Told, LIMIT),
        Pin::new("quote_all_identifiers", "off", Told, Itself, "how names are written"),
        Pin::new("restrict_nonsystem_relation_kind", "", Itself, Needed, "views and foreign tables can't be read"),
        Pin::new("row_security", "on", Itself, Itself, "which rows are read; pg_dump and the dump set it"),
        Pin::new(
            "search_path",
            "",
            Itself,
            Itself,
            "what a name means; pg_dump and the dump set it. Patterns go by the user's own",
        ),
        Pin::new("session_replication_role", "origin", Itself, Needed, "replica, foreign keys are not checked")
            .of_clients(),
        Pin::new("standard_conforming_strings", "on", Told, Told, "how strings are written and read"),
        Pin::new("statement_timeout", "0", Told, Told, LIMIT),
        Pin::new("synchronize_seqscans", "off", Itself, Itself, "the order of rows; pg_dump sets it").of_clients(),
        Pin::new("synchronous_commit", "on", Itself, Told, "off, what was reported as done may be lost in a crash")
            .or(&["local", "remote_write", "remote_apply"]),
        Pin::new(
            "TimeZone",
            "UTC",
            Itself,
            Itself,
            "how points in time are written: PGTZ sets it for pg_dump. What a restore computes goes by the target's own",
        ),
        Pin::new("track_activities", "on", Told, Told, "off, a client at work is taken for one that hangs")
            .of_clients(),
        Pin::new("transaction_timeout", "0", Told, Told, LIMIT),
        Pin::new("transform_null_equals", "off", Itself, Needed, "on, x = NULL is made x IS NULL"),
        Pin::new("xmloption", "content", Itself, Told, "document, a fragment is no xml; the dump sets it"),
    ]
};

/// Names that are sorted together, and why.
pub type Group = (&'static str, &'static [&'static str]);

/// What changes no result.
#[rustfmt::skip]
pub const HARMLESS: &[Group] = &[
    ("it chooses a plan, and no plan reads other rows", &[
        "constraint_exclusion", "cpu_index_tuple_cost", "cpu_operator_cost", "cpu_tuple_cost", "cursor_tuple_fraction",
        "debug_parallel_query", "default_statistics_target", "effective_cache_size", "enable_async_append",
        "enable_bitmapscan", "enable_distinct_reordering", "enable_gathermerge", "enable_group_by_reordering",
        "enable_hashagg", "enable_hashjoin", "enable_incremental_sort", "enable_indexonlyscan", "enable_indexscan",
        "enable_material", "enable_memoize", "enable_mergejoin", "enable_nestloop", "enable_parallel_append",
        "enable_parallel_hash", "enable_partition_pruning", "enable_partitionwise_aggregate",
        "enable_partitionwise_join", "enable_presorted_aggregate", "enable_self_join_elimination", "enable_seqscan",
        "enable_sort", "enable_tidscan", "force_parallel_mode", "from_collapse_limit", "geqo", "geqo_effort",
        "geqo_generations", "geqo_pool_size", "geqo_seed", "geqo_selection_bias", "geqo_threshold",
        "hash_mem_multiplier", "ignore_system_indexes", "jit", "jit_above_cost", "jit_dump_bitcode", "jit_expressions",
        "jit_debugging_support", "jit_inline_above_cost", "jit_optimize_above_cost", "jit_profiling_support",
        "jit_tuple_deforming", "join_collapse_limit", "max_parallel_maintenance_workers", "max_parallel_workers",
        "max_parallel_workers_per_gather", "min_parallel_index_scan_size", "min_parallel_table_scan_size",
        "parallel_leader_participation", "parallel_setup_cost", "parallel_tuple_cost", "plan_cache_mode",
        "random_page_cost", "recursive_worktable_factor", "seq_page_cost", "stats_fetch_consistency",
    ]),
    ("it gives memory, or orders reads and writes: how fast, not what", &[
        "backend_flush_after", "commit_delay", "commit_siblings", "debug_discard_caches", "effective_io_concurrency",
        "file_copy_method", "gin_pending_list_limit", "io_combine_limit", "logical_decoding_work_mem",
        "maintenance_io_concurrency", "maintenance_work_mem", "temp_buffers", "wal_compression", "wal_init_zero",
        "wal_recycle", "wal_skip_threshold", "wal_consistency_checking", "work_mem",
    ]),
    ("it is about messages, logs and statistics; errors are told by their codes", &[
        "backtrace_functions", "client_min_messages", "compute_query_id", "debug_pretty_print", "debug_print_parse",
        "debug_print_plan", "debug_print_rewritten", "escape_string_warning", "lc_messages", "log_connections",
        "log_disconnections", "log_duration", "log_error_verbosity", "log_executor_stats", "log_lock_failures",
        "log_lock_waits", "log_min_duration_sample", "log_min_duration_statement", "log_min_error_statement",
        "log_min_messages", "log_parameter_max_length", "log_parameter_max_length_on_error", "log_parser_stats",
        "log_planner_stats", "log_replication_commands", "log_statement", "log_statement_sample_rate",
        "log_statement_stats", "log_temp_files", "log_transaction_sample_rate", "md5_password_warnings",
        "operator_precedence_warning", "trace_notify", "trace_sort", "track_cost_delay_timing", "track_counts",
        "track_functions", "track_io_timing", "track_wal_io_timing", "update_process_title",
    ]),
    ("it is about VACUUM, which neither a dump nor a restore runs", &[
        "vacuum_buffer_usage_limit", "vacuum_cleanup_index_scale_factor", "vacuum_cost_delay", "vacuum_cost_limit",
        "vacuum_cost_page_dirty", "vacuum_cost_page_hit", "vacuum_cost_page_miss", "vacuum_failsafe_age",
        "vacuum_freeze_min_age", "vacuum_freeze_table_age", "vacuum_max_eager_freeze_failure_rate",
        "vacuum_multixact_failsafe_age", "vacuum_multixact_freeze_min_age", "vacuum_multixact_freeze_table_age",
        "vacuum_truncate",
    ]),
    ("it is about roles and passwords, of which a dump of one database has none", &[
        "createrole_self_grant", "password_encryption", "passwordcheck.min_password_length", "scram_iterations",
    ]),
    ("PL/pgSQL: messages, and checks of bodies, which a dump turns off", &[
        "plpgsql.extra_errors", "plpgsql.extra_warnings", "plpgsql.print_strict_params",
    ]),
    ("of a module: what it logs and counts, and when", &[
        "auto_explain.log_analyze", "auto_explain.log_buffers", "auto_explain.log_format", "auto_explain.log_level",
        "auto_explain.log_min_duration", "auto_explain.log_nested_statements",
        "auto_explain.log_parameter_max_length", "auto_explain.log_settings", "auto_explain.log_timing",
        "auto_explain.log_triggers", "auto_explain.log_verbose", "auto_explain.log_wal", "auto_explain.sample_rate",
        "pg_stat_statements.max", "pg_stat_statements.save", "pg_stat_statements.track",
        "pg_stat_statements.track_planning", "pg_stat_statements.track_utility",
    ]),
    ("of a module, and the server's own", &[
        "auth_delay.milliseconds", "basebackup_to_shell.command", "basebackup_to_shell.required_role",
        "basic_archive.archive_directory", "pg_prewarm.autoprewarm", "pg_prewarm.autoprewarm_interval",
        "postgres_fdw.application_name",
    ]),
    ("a dump marks numbers with wrong check digits, and what is marked is read either way", &["isn.weak"]),
    ("it is how a value is kept on disk, not what it is", &["default_toast_compression"]),
    ("it ends only connections that are lost", &[
        "client_connection_check_interval", "tcp_keepalives_count", "tcp_keepalives_idle", "tcp_keepalives_interval",
        "tcp_user_timeout", "wal_sender_timeout",
    ]),
    ("it belongs to one transaction, which begins with the default that is pinned", &[
        "transaction_deferrable", "transaction_isolation", "transaction_read_only",
    ]),
    ("a dump writes offsets from UTC, never abbreviations", &["timezone_abbreviations"]),
    ("it is for tests and developers", &[
        "allow_in_place_tablespaces", "debug_logical_replication_streaming", "post_auth_delay",
    ]),
    ("it only delays the search for a deadlock", &["deadlock_timeout"]),
    ("the server's own, of autovacuum", &[
        "autovacuum", "autovacuum_analyze_scale_factor", "autovacuum_analyze_threshold", "autovacuum_freeze_max_age",
        "autovacuum_max_workers", "autovacuum_multixact_freeze_max_age", "autovacuum_naptime",
        "autovacuum_vacuum_cost_delay", "autovacuum_vacuum_cost_limit", "autovacuum_vacuum_insert_scale_factor",
        "autovacuum_vacuum_insert_threshold", "autovacuum_vacuum_max_threshold", "autovacuum_vacuum_scale_factor",
        "autovacuum_vacuum_threshold", "autovacuum_work_mem", "autovacuum_worker_slots", "vacuum_defer_cleanup_age",
        "log_autovacuum_min_duration",
    ]),
    ("the server's own, of its write-ahead log, its checkpoints and its background processes", &[
        "archive_cleanup_command", "archive_command", "archive_mode", "archive_timeout",
        "bgwriter_delay", "bgwriter_flush_after", "bgwriter_lru_maxpages", "bgwriter_lru_multiplier",
        "checkpoint_completion_target", "checkpoint_flush_after", "checkpoint_timeout", "checkpoint_warning",
        "max_slot_wal_keep_size", "max_wal_size", "min_wal_size", "recovery_prefetch", "summarize_wal", "wal_buffers",
        "wal_decode_buffer_size", "wal_keep_size", "wal_level", "wal_log_hints", "wal_summary_keep_time",
        "wal_sync_method", "wal_writer_delay", "wal_writer_flush_after",
    ]),
    ("the server's own, of replication and recovery", &[
        "hot_standby", "hot_standby_feedback", "idle_replication_slot_timeout", "max_active_replication_origins",
        "max_logical_replication_workers", "max_parallel_apply_workers_per_subscription", "max_replication_slots",
        "max_standby_archive_delay", "max_standby_streaming_delay", "max_sync_workers_per_subscription",
        "max_wal_senders", "primary_conninfo", "primary_slot_name", "promote_trigger_file", "recovery_end_command",
        "recovery_init_sync_method", "recovery_min_apply_delay", "recovery_target", "recovery_target_action",
        "recovery_target_inclusive", "recovery_target_lsn", "recovery_target_name", "recovery_target_time",
        "recovery_target_timeline", "recovery_target_xid", "restore_command", "sync_replication_slots",
        "synchronized_standby_slots", "synchronous_standby_names", "trace_recovery_messages", "track_commit_timestamp",
        "wal_receiver_create_temp_slot", "wal_receiver_status_interval", "wal_receiver_timeout",
        "wal_retrieve_retry_interval", "old_snapshot_threshold", "commit_timestamp_buffers",
    ]),
    ("the server's own, of its memory, files and processes", &[
        "data_directory_mode", "debug_io_direct", "dynamic_shared_memory_type", "file_extend_method", "huge_page_size",
        "huge_pages", "huge_pages_status", "io_max_combine_limit", "io_max_concurrency", "io_method", "io_workers",
        "max_files_per_process", "max_notify_queue_pages", "max_pred_locks_per_page", "max_pred_locks_per_relation",
        "max_pred_locks_per_transaction", "max_prepared_transactions", "max_worker_processes",
        "min_dynamic_shared_memory", "multixact_member_buffers", "multixact_offset_buffers", "notify_buffers",
        "num_os_semaphores", "remove_temp_files_after_crash", "restart_after_crash", "send_abort_for_crash",
        "send_abort_for_kill", "serializable_buffers", "shared_buffers", "shared_memory_size",
        "shared_memory_size_in_huge_pages", "shared_memory_type", "stats_temp_directory", "subtransaction_buffers",
        "track_activity_query_size", "transaction_buffers",
    ]),
    ("the server's own, of who may log in, and how", &[
        "authentication_timeout", "bonjour", "bonjour_name", "db_user_namespace", "gss_accept_delegation",
        "krb_caseins_users", "krb_server_keyfile", "listen_addresses", "port", "pre_auth_delay", "ssl", "ssl_ca_file",
        "ssl_cert_file", "ssl_ciphers", "ssl_crl_dir", "ssl_crl_file", "ssl_dh_params_file", "ssl_ecdh_curve",
        "ssl_groups", "ssl_key_file", "ssl_library", "ssl_max_protocol_version", "ssl_min_protocol_version",
        "ssl_passphrase_command", "ssl_passphrase_command_supports_reload", "ssl_prefer_server_ciphers",
        "ssl_tls13_ciphers", "trace_connection_negotiation", "unix_socket_directories", "unix_socket_group",
        "unix_socket_permissions",
    ]),
    ("the server's own, of its log and its name", &[
        "cluster_name", "event_source", "external_pid_file", "log_checkpoints", "log_destination", "log_directory",
        "log_file_mode", "log_filename", "log_hostname", "log_line_prefix", "log_recovery_conflict_waits",
        "log_rotation_age", "log_rotation_size", "log_startup_progress_interval", "log_timezone",
        "log_truncate_on_rotation", "logging_collector", "syslog_facility", "syslog_ident", "syslog_sequence_numbers",
        "syslog_split_messages",
    ]),
    ("a fact about the server, which nobody sets", &[
        "block_size", "config_file", "data_checksums", "data_directory", "debug_assertions", "hba_file", "ident_file",
        "in_hot_standby", "integer_datetimes", "max_function_args", "max_identifier_length", "max_index_keys",
        "segment_size", "server_version", "server_version_num", "wal_block_size", "wal_segment_size",
    ]),
];

/// What stays as the user has it.
#[rustfmt::skip]
pub const NOT_OURS: &[Group] = &[
    ("what a function of the target's computes must be what its own sessions compute", &[
        "default_text_search_config", "lc_numeric", "lc_time", "xmlbinary",
        "pg_trgm.similarity_threshold", "pg_trgm.strict_word_similarity_threshold",
        "pg_trgm.word_similarity_threshold", "pgcrypto.builtin_crypto_enabled", "plpgsql.check_asserts",
        "plpgsql.variable_conflict",
    ]),
    ("it makes a session act as another role, as whoever set it wants", &["role", "session_authorization"]),
    ("it loads a library, which may guard the server", &[
        "archive_library", "dynamic_library_path", "extension_control_path", "extension_destdir", "jit_provider",
        "local_preload_libraries", "oauth_validator_libraries", "output_plugin_libraries", "session_preload_libraries",
        "shared_preload_libraries",
    ]),
    ("a limit of the server: who passes it gets an error", &[
        "max_connections", "max_locks_per_transaction", "max_stack_depth", "reserved_connections",
        "superuser_reserved_connections", "temp_file_limit",
    ]),
    ("where temporary files go is the user's choice", &["temp_tablespaces"]),
    ("a superuser reads what is damaged with it: a dump warns", &[
        "ignore_checksum_failure", "ignore_invalid_pages", "zero_damaged_pages",
    ]),
    ("a superuser reads or changes what others may not with it", &[
        "allow_alter_system", "allow_system_table_mods", "composite_type_mismatch", "lo_compat_privileges",
    ]),
    ("whether the target's event triggers run is the target's choice", &["event_triggers"]),
    ("how safe the server's disk is, is its keeper's choice", &["data_sync_retry", "fsync", "full_page_writes"]),
    ("it belongs to the database: see docs/decisions/database-settings.md", &[
        "lc_collate", "lc_ctype", "server_encoding",
    ]),
];

/// What this setting is to us; none where nobody has sorted it.
#[must_use]
pub fn sort(name: &str) -> Option<Sort> {
    let within = |groups: &'static [Group]| groups.iter().find(|(_, names)| names.contains(&name)).map(|(why, _)| *why);
    let pinned = PINNED.iter().find(|pin| pin.name == name).map(Sort::Pinned);
    pinned.or_else(|| within(NOT_OURS).map(Sort::NotOurs)).or_else(|| within(HARMLESS).map(Sort::Harmless))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_stands_once() {
        let groups = HARMLESS.iter().chain(NOT_OURS).flat_map(|(_, names)| names.iter().copied());
        let mut names: Vec<_> = groups.chain(PINNED.iter().map(|pin| pin.name)).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
