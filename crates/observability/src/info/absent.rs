//! What the reference documents for INFO and this server does not show, each with its reason.
//!
//! A monitor that looks for one of these finds no line, as it does with a Redis that lacks the
//! feature; a zero would claim that the thing exists and stands still.

use super::Section;

const NEWER: &str = "came after Redis 7.4, whose INFO this follows";

/// Section, field, reason.
pub const ABSENT: &[(Section, &str, &str)] = &[
    (Section::Memory, "used_memory_hash_templates", NEWER),
    (Section::Memory, "mem_cluster_slot_migration_output_buffer", NEWER),
    (Section::Memory, "mem_cluster_slot_migration_input_buffer", NEWER),
    (Section::Memory, "mem_cluster_slot_migration_input_buffer_peak", NEWER),
    (Section::Stats, "hash_templates", NEWER),
    (Section::Stats, "hash_template_keys", NEWER),
    (Section::Stats, "acl_access_denied_tls_cert", NEWER),
    (Section::Stats, "cluster_incompatible_ops", NEWER),
    (Section::Stats, "slowlog_commands_count", NEWER),
    (Section::Stats, "slowlog_commands_time_ms_sum", NEWER),
    (Section::Stats, "slowlog_commands_time_ms_max", NEWER),
    (Section::Stats, "total_client_processing_events", NEWER),
    (Section::Stats, "eventloop_cycles_with_clients_processing", NEWER),
    (Section::Stats, "commands_per_parse_batch_sum", NEWER),
    (Section::Stats, "commands_per_parse_batch_cnt", NEWER),
    (Section::Stats, "commands_per_parse_batch_avg", NEWER),
];
