//! Every function of PostgreSQL 12 to 18, and of the extensions that come with it, that is not immutable: whether an
//! expression without a body may call it.
//!
//! A test asks every server, and fails by the name of a function that stands in neither list.

/// Functions that reach beyond the database, by what they reach for. Those of `dblink` are known by their prefix.
pub const STOPPED: &[(&str, &str)] = &[
    (
        "files and programs of the server's machine, and what the server's own files hold",
        "get_raw_page lo_export lo_import pg_available_wal_summaries pg_current_logfile pg_file_length pg_file_read \
         pg_file_rename pg_file_sync pg_file_unlink pg_file_write pg_get_loaded_modules pg_get_logical_snapshot_info \
         pg_get_logical_snapshot_meta pg_get_wal_block_info pg_get_wal_record_info pg_get_wal_records_info \
         pg_get_wal_records_info_till_end_of_wal pg_get_wal_stats pg_get_wal_stats_till_end_of_wal pg_hba_file_rules \
         pg_ident_file_mappings pg_logdir_ls pg_ls_archive_statusdir pg_ls_dir pg_ls_logdir pg_ls_logicalmapdir \
         pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_summariesdir pg_ls_tmpdir pg_ls_waldir pg_read_binary_file \
         pg_read_file pg_read_file_old pg_rotate_logfile pg_rotate_logfile_old pg_show_all_file_settings pg_stat_file \
         pg_tablespace_location pg_wal_summary_contents xslt_process",
    ),
    (
        "SQL that they are given as a text, and that no reader sees",
        "connectby crosstab crosstab2 crosstab3 crosstab4 crosstabn cursor_to_xml cursor_to_xmlschema database_to_xml \
         database_to_xml_and_xmlschema database_to_xmlschema query_to_xml query_to_xml_and_xmlschema \
         query_to_xmlschema schema_to_xml schema_to_xml_and_xmlschema schema_to_xmlschema table_to_xml \
         table_to_xml_and_xmlschema table_to_xmlschema ts_rewrite ts_stat xpath_table",
    ),
    (
        "other sessions: what they do, their locks, what they listen to",
        "pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared \
         pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_blocking_pids pg_cancel_backend pg_export_snapshot \
         pg_get_aios pg_isolation_test_session_is_blocked pg_lock_status pg_log_backend_memory_contexts pg_notify \
         pg_prepared_xact pg_safe_snapshot_blocking_pids pg_stat_get_activity pg_stat_get_backend_activity \
         pg_stat_get_backend_activity_start pg_stat_get_backend_client_addr pg_stat_get_backend_client_port \
         pg_stat_get_backend_dbid pg_stat_get_backend_idset pg_stat_get_backend_io pg_stat_get_backend_pid \
         pg_stat_get_backend_start pg_stat_get_backend_subxact pg_stat_get_backend_userid \
         pg_stat_get_backend_wait_event pg_stat_get_backend_wait_event_type pg_stat_get_backend_wal \
         pg_stat_get_backend_xact_start pg_stat_get_progress_info pg_stat_get_subscription pg_stat_get_wal_receiver \
         pg_stat_get_wal_senders pg_stat_statements pg_terminate_backend pg_try_advisory_lock \
         pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pgrowlocks",
    ),
    (
        "the state of the whole server, and of this session, by which later statements are read",
        "autoprewarm_dump_now autoprewarm_start_worker binary_upgrade_add_sub_rel_state \
         binary_upgrade_create_empty_extension binary_upgrade_logical_slot_has_caught_up \
         binary_upgrade_replorigin_advance binary_upgrade_set_missing_value binary_upgrade_set_next_array_pg_type_oid \
         binary_upgrade_set_next_attribute_versions binary_upgrade_set_next_heap_pg_class_oid \
         binary_upgrade_set_next_heap_relfilenode binary_upgrade_set_next_index_pg_class_oid \
         binary_upgrade_set_next_index_relfilenode binary_upgrade_set_next_multirange_array_pg_type_oid \
         binary_upgrade_set_next_multirange_pg_type_oid binary_upgrade_set_next_pg_authid_oid \
         binary_upgrade_set_next_pg_enum_oid binary_upgrade_set_next_pg_tablespace_oid \
         binary_upgrade_set_next_pg_type_oid binary_upgrade_set_next_toast_pg_class_oid \
         binary_upgrade_set_next_toast_pg_type_oid binary_upgrade_set_next_toast_relfilenode \
         binary_upgrade_set_record_init_privs heap_force_freeze heap_force_kill pg_backup_start pg_backup_stop \
         pg_buffercache_evict pg_buffercache_evict_all pg_buffercache_evict_relation pg_control_checkpoint \
         pg_control_init pg_control_recovery pg_control_system pg_copy_logical_replication_slot \
         pg_copy_physical_replication_slot pg_create_logical_replication_slot pg_create_physical_replication_slot \
         pg_create_restore_point pg_drop_replication_slot pg_get_replication_slots pg_import_system_collations \
         pg_log_standby_snapshot pg_logical_emit_message pg_logical_slot_get_binary_changes \
         pg_logical_slot_get_changes pg_logical_slot_peek_binary_changes pg_logical_slot_peek_changes pg_nextoid \
         pg_promote pg_reload_conf pg_replication_origin_advance pg_replication_origin_create \
         pg_replication_origin_drop pg_replication_origin_oid pg_replication_origin_progress \
         pg_replication_origin_session_is_setup pg_replication_origin_session_progress \
         pg_replication_origin_session_reset pg_replication_origin_session_setup pg_replication_origin_xact_reset \
         pg_replication_origin_xact_setup pg_replication_slot_advance pg_show_replication_origin_status \
         pg_start_backup pg_stat_reset pg_stat_reset_backend_stats pg_stat_reset_replication_slot \
         pg_stat_reset_shared pg_stat_reset_single_function_counters pg_stat_reset_single_table_counters \
         pg_stat_reset_slru pg_stat_reset_subscription_stats pg_stat_statements_reset pg_stop_backup \
         pg_stop_making_pinned_objects pg_switch_wal pg_switch_xlog pg_sync_replication_slots pg_tablespace_databases \
         pg_truncate_visibility_map pg_wal_replay_pause pg_wal_replay_resume set_config",
    ),
    ("other servers, by extensions that do not come with PostgreSQL", "http_delete http_get http_post http_put"),
];

/// Functions that read and write their own database, session and server's version, or only compute.
pub const HARMLESS: &[(&str, &str)] = &[
    (
        "the server's own: types in and out, triggers, handlers, estimates",
        "RI_FKey_cascade_del RI_FKey_cascade_upd RI_FKey_check_ins RI_FKey_check_upd RI_FKey_noaction_del \
         RI_FKey_noaction_upd RI_FKey_restrict_del RI_FKey_restrict_upd RI_FKey_setdefault_del RI_FKey_setdefault_upd \
         RI_FKey_setnull_del RI_FKey_setnull_upd _int_contained_joinsel _int_contained_sel _int_contains_joinsel \
         _int_contains_sel _int_matchsel _int_overlap_joinsel _int_overlap_sel _pg_index_position aclexplode \
         aclitemin aclitemout amvalidate anyarray_out anyarray_recv anyarray_send anycompatiblearray_out \
         anycompatiblearray_recv anycompatiblearray_send anycompatiblemultirange_in anycompatiblemultirange_out \
         anycompatiblerange_in anycompatiblerange_out anyenum_out anymultirange_in anymultirange_out anyrange_in \
         anyrange_out anytextcat areajoinsel areasel array_in array_out array_recv array_send array_typanalyze \
         arraycontjoinsel arraycontsel autoinc bernoulli blhandler bpcharrecv bpcharsend brin_bloom_summary_recv \
         brin_bloom_summary_send brin_minmax_multi_summary_recv brin_minmax_multi_summary_send brinhandler bthandler \
         cash_in cash_out check_foreign_key check_primary_key citextrecv citextsend contjoinsel contsel cstring_recv \
         cstring_send currtid currtid2 date_in date_out dintdict_init dintdict_lexize domain_in domain_recv \
         dsnowball_init dsnowball_lexize dxsyn_init dxsyn_lexize enum_in enum_out enum_recv enum_send eqjoinsel eqsel \
         file_fdw_handler file_fdw_validator fmgr_c_validator fmgr_internal_validator fmgr_sql_validator ginhandler \
         gisthandler hashhandler heap_tableam_handler iclikejoinsel iclikesel icnlikejoinsel icnlikesel \
         icregexeqjoinsel icregexeqsel icregexnejoinsel icregexnesel in_range insert_username int_agg_final_array \
         int_agg_state interval_in interval_out json_agg_strict_transfn json_agg_transfn \
         json_object_agg_strict_transfn json_object_agg_transfn json_object_agg_unique_strict_transfn \
         json_object_agg_unique_transfn jsonb_agg_finalfn jsonb_agg_strict_transfn jsonb_agg_transfn \
         jsonb_object_agg_finalfn jsonb_object_agg_strict_transfn jsonb_object_agg_transfn \
         jsonb_object_agg_unique_strict_transfn jsonb_object_agg_unique_transfn likejoinsel likesel lo_manage \
         matchingjoinsel matchingsel moddatetime multirange_in multirange_out multirange_recv multirange_send \
         multirange_typanalyze multirangesel namerecv namesend neqjoinsel neqsel networkjoinsel networksel \
         nlikejoinsel nlikesel pg_ddl_command_in pg_ddl_command_out pg_ddl_command_recv pg_ddl_command_send \
         pg_dependencies_in pg_dependencies_out pg_dependencies_recv pg_dependencies_send \
         pg_event_trigger_ddl_commands pg_event_trigger_dropped_objects pg_event_trigger_table_rewrite_oid \
         pg_event_trigger_table_rewrite_reason pg_extension_config_dump pg_lsn_in pg_lsn_out pg_lsn_recv pg_lsn_send \
         pg_mcv_list_in pg_mcv_list_out pg_mcv_list_recv pg_mcv_list_send pg_ndistinct_in pg_ndistinct_out \
         pg_ndistinct_recv pg_ndistinct_send pg_node_tree_in pg_node_tree_out pg_node_tree_recv pg_node_tree_send \
         pg_snapshot_in pg_snapshot_out pg_snapshot_recv pg_snapshot_send plpgsql_call_handler plpgsql_inline_handler \
         plpgsql_validator positionjoinsel positionsel postgres_fdw_handler postgres_fdw_validator prefixjoinsel \
         prefixsel range_in range_out range_recv range_send range_typanalyze rangesel record_in record_out \
         record_recv record_send regclassin regclassout regcollationin regcollationout regconfigin regconfigout \
         regdictionaryin regdictionaryout regexeqjoinsel regexeqsel regexnejoinsel regexnesel regnamespacein \
         regnamespaceout regoperatorin regoperatorout regoperin regoperout regprocedurein regprocedureout regprocin \
         regprocout regrolein regroleout regtypein regtypeout scalargejoinsel scalargesel scalargtjoinsel scalargtsel \
         scalarlejoinsel scalarlesel scalarltjoinsel scalarltsel similarity_op spghandler \
         strict_word_similarity_commutator_op strict_word_similarity_op suppress_redundant_updates_trigger system \
         system_rows system_time textanycat textrecv textsend time_in timestamp_in timestamp_out timestamptz_in \
         timestamptz_out timetz_in triggered_change_notification ts_typanalyze tsmatchjoinsel tsmatchsel \
         tsvector_update_trigger tsvector_update_trigger_column unaccent_init unaccent_lexize unique_key_recheck \
         varcharrecv varcharsend word_similarity_commutator_op word_similarity_op xml_in xml_recv xml_send",
    ),
    (
        "points in time, numbers and texts that are new each time",
        "array_sample array_shuffle clock_timestamp fips_mode gen_random_bytes gen_random_uuid gen_salt normal_rand \
         now pg_sleep pg_sleep_for pg_sleep_until pgp_pub_encrypt pgp_pub_encrypt_bytea pgp_sym_encrypt \
         pgp_sym_encrypt_bytea random random_normal setseed statement_timestamp timeofday transaction_timestamp \
         uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 uuidv4 uuidv7",
    ),
    (
        "texts, numbers, points in time, arrays, JSON and XML, read and written as the session's settings say",
        "age array_to_json array_to_string concat concat_ws convert convert_from convert_to date date_add \
         date_cmp_timestamptz date_eq_timestamptz date_ge_timestamptz date_gt_timestamptz date_le_timestamptz \
         date_lt_timestamptz date_ne_timestamptz date_part date_subtract date_trunc enum_first enum_last enum_range \
         extract format format_type generate_series get_current_ts_config interval_pl_timestamptz isn_weak json_agg \
         json_agg_strict json_build_array json_build_object json_object_agg json_object_agg_strict \
         json_object_agg_unique json_object_agg_unique_strict json_populate_record json_populate_recordset \
         json_to_record json_to_recordset json_to_tsvector jsonb_agg jsonb_agg_strict jsonb_build_array \
         jsonb_build_object jsonb_path_exists_tz jsonb_path_match_tz jsonb_path_query_array_tz \
         jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record jsonb_populate_record_valid \
         jsonb_populate_recordset jsonb_to_record jsonb_to_recordset jsonb_to_tsvector length make_timestamptz money \
         mxid_age numeric oidvectortypes overlaps phraseto_tsquery plainto_tsquery quote_literal quote_nullable \
         regclass row_to_json set_limit show_limit time timestamp timestamp_cmp_timestamptz timestamp_eq_timestamptz \
         timestamp_ge_timestamptz timestamp_gt_timestamptz timestamp_le_timestamptz timestamp_lt_timestamptz \
         timestamp_ne_timestamptz timestamptz timestamptz_cmp_date timestamptz_cmp_timestamp timestamptz_eq_date \
         timestamptz_eq_timestamp timestamptz_ge_date timestamptz_ge_timestamp timestamptz_gt_date \
         timestamptz_gt_timestamp timestamptz_le_date timestamptz_le_timestamp timestamptz_lt_date \
         timestamptz_lt_timestamp timestamptz_mi_interval timestamptz_ne_date timestamptz_ne_timestamp \
         timestamptz_pl_interval timetz timezone to_char to_date to_json to_jsonb to_number to_regclass \
         to_regcollation to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype \
         to_regtypemod to_timestamp to_tsquery to_tsvector ts_debug ts_headline ts_match_tq ts_match_tt ts_parse \
         ts_token_type unaccent websearch_to_tsquery xml xml_is_well_formed xml_valid",
    ),
    (
        "sequences and large objects of the database",
        "currval lastval lo_close lo_creat lo_create lo_from_bytea lo_get lo_lseek lo_lseek64 lo_open lo_put lo_tell \
         lo_tell64 lo_truncate lo_truncate64 lo_unlink loread lowrite nextval pg_get_sequence_data \
         pg_sequence_last_value pg_sequence_parameters setval",
    ),
    (
        "counters of the server's statistics",
        "pg_buffercache_numa_pages pg_buffercache_pages pg_buffercache_summary pg_buffercache_usage_counts \
         pg_get_backend_memory_contexts pg_get_shmem_allocations pg_get_shmem_allocations_numa pg_get_wait_events \
         pg_get_wal_replay_pause_state pg_get_wal_resource_managers pg_get_wal_summarizer_state \
         pg_is_wal_replay_paused pg_last_committed_xact pg_last_wal_receive_lsn pg_last_wal_replay_lsn \
         pg_last_xact_replay_timestamp pg_notification_queue_usage pg_old_snapshot_time_mapping \
         pg_stat_clear_snapshot pg_stat_force_next_flush pg_stat_get_analyze_count pg_stat_get_archiver \
         pg_stat_get_autoanalyze_count pg_stat_get_autovacuum_count pg_stat_get_bgwriter_buf_written_checkpoints \
         pg_stat_get_bgwriter_buf_written_clean pg_stat_get_bgwriter_maxwritten_clean \
         pg_stat_get_bgwriter_requested_checkpoints pg_stat_get_bgwriter_stat_reset_time \
         pg_stat_get_bgwriter_timed_checkpoints pg_stat_get_blocks_fetched pg_stat_get_blocks_hit \
         pg_stat_get_buf_alloc pg_stat_get_buf_fsync_backend pg_stat_get_buf_written_backend \
         pg_stat_get_checkpoint_sync_time pg_stat_get_checkpoint_write_time pg_stat_get_checkpointer_buffers_written \
         pg_stat_get_checkpointer_num_performed pg_stat_get_checkpointer_num_requested \
         pg_stat_get_checkpointer_num_timed pg_stat_get_checkpointer_restartpoints_performed \
         pg_stat_get_checkpointer_restartpoints_requested pg_stat_get_checkpointer_restartpoints_timed \
         pg_stat_get_checkpointer_slru_written pg_stat_get_checkpointer_stat_reset_time \
         pg_stat_get_checkpointer_sync_time pg_stat_get_checkpointer_write_time pg_stat_get_db_active_time \
         pg_stat_get_db_blk_read_time pg_stat_get_db_blk_write_time pg_stat_get_db_blocks_fetched \
         pg_stat_get_db_blocks_hit pg_stat_get_db_checksum_failures pg_stat_get_db_checksum_last_failure \
         pg_stat_get_db_conflict_all pg_stat_get_db_conflict_bufferpin pg_stat_get_db_conflict_lock \
         pg_stat_get_db_conflict_logicalslot pg_stat_get_db_conflict_snapshot \
         pg_stat_get_db_conflict_startup_deadlock pg_stat_get_db_conflict_tablespace pg_stat_get_db_deadlocks \
         pg_stat_get_db_idle_in_transaction_time pg_stat_get_db_numbackends pg_stat_get_db_parallel_workers_launched \
         pg_stat_get_db_parallel_workers_to_launch pg_stat_get_db_session_time pg_stat_get_db_sessions \
         pg_stat_get_db_sessions_abandoned pg_stat_get_db_sessions_fatal pg_stat_get_db_sessions_killed \
         pg_stat_get_db_stat_reset_time pg_stat_get_db_temp_bytes pg_stat_get_db_temp_files \
         pg_stat_get_db_tuples_deleted pg_stat_get_db_tuples_fetched pg_stat_get_db_tuples_inserted \
         pg_stat_get_db_tuples_returned pg_stat_get_db_tuples_updated pg_stat_get_db_xact_commit \
         pg_stat_get_db_xact_rollback pg_stat_get_dead_tuples pg_stat_get_function_calls \
         pg_stat_get_function_self_time pg_stat_get_function_total_time pg_stat_get_ins_since_vacuum pg_stat_get_io \
         pg_stat_get_last_analyze_time pg_stat_get_last_autoanalyze_time pg_stat_get_last_autovacuum_time \
         pg_stat_get_last_vacuum_time pg_stat_get_lastscan pg_stat_get_live_tuples pg_stat_get_mod_since_analyze \
         pg_stat_get_numscans pg_stat_get_recovery_prefetch pg_stat_get_replication_slot pg_stat_get_slru \
         pg_stat_get_snapshot_timestamp pg_stat_get_subscription_stats pg_stat_get_total_analyze_time \
         pg_stat_get_total_autoanalyze_time pg_stat_get_total_autovacuum_time pg_stat_get_total_vacuum_time \
         pg_stat_get_tuples_deleted pg_stat_get_tuples_fetched pg_stat_get_tuples_hot_updated \
         pg_stat_get_tuples_inserted pg_stat_get_tuples_newpage_updated pg_stat_get_tuples_returned \
         pg_stat_get_tuples_updated pg_stat_get_vacuum_count pg_stat_get_wal pg_stat_get_xact_blocks_fetched \
         pg_stat_get_xact_blocks_hit pg_stat_get_xact_function_calls pg_stat_get_xact_function_self_time \
         pg_stat_get_xact_function_total_time pg_stat_get_xact_numscans pg_stat_get_xact_tuples_deleted \
         pg_stat_get_xact_tuples_fetched pg_stat_get_xact_tuples_hot_updated pg_stat_get_xact_tuples_inserted \
         pg_stat_get_xact_tuples_newpage_updated pg_stat_get_xact_tuples_returned pg_stat_get_xact_tuples_updated \
         pg_stat_have_stats pg_stat_statements_info",
    ),
    (
        "who and where the session is, and which server it speaks to",
        "current_database current_query current_schema current_schemas current_setting current_user \
         getdatabaseencoding getpgusername has_any_column_privilege has_column_privilege has_database_privilege \
         has_foreign_data_wrapper_privilege has_function_privilege has_language_privilege has_largeobject_privilege \
         has_parameter_privilege has_schema_privilege has_sequence_privilege has_server_privilege has_table_privilege \
         has_tablespace_privilege has_type_privilege inet_client_addr inet_client_port inet_server_addr \
         inet_server_port pg_available_extension_versions pg_available_extensions pg_backend_pid pg_backup_start_time \
         pg_client_encoding pg_conf_load_time pg_config pg_current_snapshot pg_current_wal_flush_lsn \
         pg_current_wal_insert_lsn pg_current_wal_lsn pg_current_xact_id pg_current_xact_id_if_assigned pg_cursor \
         pg_extension_update_paths pg_get_userbyid pg_has_role pg_is_in_backup pg_is_in_recovery \
         pg_is_other_temp_schema pg_jit_available pg_listening_channels pg_my_temp_schema pg_numa_available \
         pg_postmaster_start_time pg_prepared_statement pg_settings_get_flags pg_show_all_settings pg_snapshot_xip \
         pg_snapshot_xmax pg_snapshot_xmin pg_timezone_abbrevs pg_timezone_abbrevs_abbrevs pg_timezone_abbrevs_zone \
         pg_timezone_names pg_trigger_depth pg_visible_in_snapshot pg_xact_commit_timestamp \
         pg_xact_commit_timestamp_origin pg_xact_status row_security_active session_user ssl_cipher \
         ssl_client_cert_present ssl_client_dn ssl_client_dn_field ssl_client_serial ssl_extension_info ssl_is_used \
         ssl_issuer_dn ssl_issuer_field ssl_version system_user txid_current txid_current_if_assigned \
         txid_current_snapshot txid_status version",
    ),
    (
        "pages of the database's tables and indexes",
        "brin_desummarize_range brin_metapage_info brin_page_items brin_page_type brin_revmap_data \
         brin_summarize_new_values brin_summarize_range bt_index_check bt_index_parent_check bt_metap \
         bt_multi_page_stats bt_page_items bt_page_stats fsm_page_contents gin_clean_pending_list gin_index_check \
         gin_leafpage_items gin_metapage_info gin_page_opaque_info gist_page_items gist_page_items_bytea \
         gist_page_opaque_info hash_bitmap_info hash_metapage_info hash_page_items hash_page_stats hash_page_type \
         heap_page_item_attrs heap_page_items heap_tuple_infomask_flags page_checksum page_header pg_check_frozen \
         pg_check_visible pg_freespace pg_prewarm pg_relpages pg_visibility pg_visibility_map \
         pg_visibility_map_summary pgstatginindex pgstathashindex pgstatindex pgstattuple pgstattuple_approx \
         tuple_data_split verify_heapam",
    ),
    (
        "the definitions of what the database holds, sizes, names and statistics",
        "col_description obj_description pg_basetype pg_char_to_encoding pg_clear_attribute_stats \
         pg_clear_relation_stats pg_collation_actual_version pg_collation_for pg_collation_is_visible \
         pg_column_compression pg_column_is_updatable pg_column_size pg_column_toast_chunk_id \
         pg_conversion_is_visible pg_database_collation_actual_version pg_database_size pg_describe_object \
         pg_encoding_max_length pg_encoding_to_char pg_filenode_relation pg_function_is_visible pg_get_acl \
         pg_get_catalog_foreign_keys pg_get_constraintdef pg_get_expr pg_get_function_arg_default \
         pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result pg_get_function_sqlbody \
         pg_get_functiondef pg_get_indexdef pg_get_keywords pg_get_multixact_members pg_get_object_address \
         pg_get_partition_constraintdef pg_get_partkeydef pg_get_publication_tables pg_get_replica_identity_index \
         pg_get_ruledef pg_get_serial_sequence pg_get_statisticsobjdef pg_get_statisticsobjdef_columns \
         pg_get_statisticsobjdef_expressions pg_get_triggerdef pg_get_viewdef pg_identify_object \
         pg_identify_object_as_address pg_index_column_has_property pg_index_has_property pg_indexam_has_property \
         pg_indexam_progress_phasename pg_indexes_size pg_input_error_info pg_input_is_valid pg_lsn pg_lsn_cmp \
         pg_lsn_eq pg_lsn_ge pg_lsn_gt pg_lsn_hash pg_lsn_hash_extended pg_lsn_larger pg_lsn_le pg_lsn_lt pg_lsn_mi \
         pg_lsn_mii pg_lsn_ne pg_lsn_pli pg_lsn_smaller pg_mcv_list_items pg_opclass_is_visible \
         pg_operator_is_visible pg_opfamily_is_visible pg_options_to_table pg_partition_ancestors pg_partition_root \
         pg_partition_tree pg_relation_filenode pg_relation_filepath pg_relation_is_publishable \
         pg_relation_is_updatable pg_relation_size pg_restore_attribute_stats pg_restore_relation_stats pg_size_bytes \
         pg_size_pretty pg_split_walfile_name pg_statistics_obj_is_visible pg_table_is_visible pg_table_size \
         pg_tablespace_size pg_total_relation_size pg_ts_config_is_visible pg_ts_dict_is_visible \
         pg_ts_parser_is_visible pg_ts_template_is_visible pg_type_is_visible pg_typeof pg_wal_lsn_diff \
         pg_walfile_name pg_walfile_name_offset postgres_fdw_disconnect postgres_fdw_disconnect_all \
         postgres_fdw_get_connections shobj_description",
    ),
];
