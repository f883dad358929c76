//! The table as a whole, against the reference's field names, and the reply's form.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{
    ABSENT, Allocator, DbFacts, FieldValue, InfoInputs, Listener, Section, Sections, ShardFacts,
    Value, fields, render,
};
use crate::CommandStats;

/// Section and field of the reference documentation, a line each, with `XXX` for what varies.
const REFERENCE: &str = include_str!("reference_fields.tsv");

/// Sections whose every reference field must be shown or listed as absent.
const COMPLETE: [Section; 8] = [
    Section::Server,
    Section::Clients,
    Section::Memory,
    Section::Stats,
    Section::Keyspace,
    Section::Commandstats,
    Section::Errorstats,
    Section::Cpu,
];

/// Fields of sections that are not complete yet and that monitors and clients read.
const READ_BY_CLIENTS: &[(Section, &str)] = &[
    (Section::Persistence, "loading"),
    (Section::Persistence, "rdb_changes_since_last_save"),
    (Section::Persistence, "rdb_bgsave_in_progress"),
    (Section::Persistence, "rdb_last_save_time"),
    (Section::Persistence, "rdb_last_bgsave_status"),
    (Section::Persistence, "aof_enabled"),
    (Section::Persistence, "aof_last_write_status"),
    (Section::Replication, "role"),
    (Section::Replication, "connected_slaves"),
    (Section::Replication, "master_repl_offset"),
    (Section::Latencystats, "latency_percentiles_usec_"),
    (Section::Cluster, "cluster_enabled"),
];

fn text(inputs: &InfoInputs, names: &[&str]) -> String {
    let mut out = String::new();
    render(inputs, Sections::parse(names.iter().map(|name| name.as_bytes())), &mut out);
    out
}

/// The value of one field in a reply.
fn value<'a>(reply: &'a str, name: &str) -> Option<&'a str> {
    reply.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

fn section_named(name: &str) -> Option<Section> {
    Section::ALL.into_iter().find(|section| section.title().eq_ignore_ascii_case(name))
}

#[test]
fn every_field_of_the_reference_is_shown_or_its_absence_explained() {
    let shown: BTreeSet<_> = fields().map(|field| (field.section, field.name)).collect();
    let absent: BTreeSet<_> = ABSENT.iter().map(|(section, name, _)| (*section, *name)).collect();
    let mut checked = 0;
    for line in REFERENCE.lines().skip(1) {
        let (section, name) = line.split_once('\t').expect("section, tab, field");
        let Some(section) = section_named(section).filter(|s| COMPLETE.contains(s)) else {
            continue;
        };
        let name = name.trim_end_matches(':').trim_end_matches("XXX");
        checked += 1;
        assert!(
            shown.contains(&(section, name)) != absent.contains(&(section, name)),
            "{section:?} {name}: either shown or in ABSENT, with the reason"
        );
    }
    assert!(checked > 150, "the reference has more than {checked} fields");
    for needed in READ_BY_CLIENTS {
        assert!(shown.contains(needed), "{needed:?} is read by clients");
    }
}

#[test]
fn fields_are_named_once_and_documented() {
    let mut seen = BTreeSet::new();
    for field in fields() {
        assert!(seen.insert((field.section, field.name)), "{} twice", field.name);
        assert!(field.doc.len() > 3 && !field.doc.ends_with('.'), "{}: a phrase", field.name);
    }
    for (_, name, reason) in ABSENT {
        assert!(reason.len() > 10, "{name}: say why");
    }
}

#[test]
fn a_server_that_knows_nothing_still_answers_every_section() {
    let reply = text(&InfoInputs::default(), &["everything"]);
    let titles: Vec<_> = reply.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    assert_eq!(titles, Section::ALL.map(Section::title));
    for line in reply.split_terminator("\r\n") {
        let fine = line.is_empty() || line.starts_with("# ") || line.contains(':');
        assert!(fine && !line.contains("NaN") && !line.contains("inf"), "{line:?}");
    }
    assert_eq!(value(&reply, "role"), Some("master"));
    assert_eq!(value(&reply, "loading"), Some("0"));
    assert_eq!(value(&reply, "shutdown_in_milliseconds"), None, "shown only at shutdown");
}

#[test]
fn sections_are_chosen_by_name_in_any_case_and_come_in_fixed_order() {
    let inputs = InfoInputs::default();
    assert!(text(&inputs, &["keyspace"]).eq("# Keyspace\r\n"));
    let two = text(&inputs, &["CLUSTER", "replication", "nonsense", "cluster"]);
    assert!(two.starts_with("# Replication\r\nrole:master\r\n"), "{two}");
    assert!(two.ends_with("\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n"), "{two}");
    assert_eq!(text(&inputs, &["nonsense"]), "");
    assert_eq!(text(&inputs, &[]), text(&inputs, &["default"]));
    assert!(!text(&inputs, &[]).contains("# Commandstats"));
    assert!(text(&inputs, &[]).contains("# Errorstats"));
    let more = text(&inputs, &["default", "commandstats"]);
    assert!(more.contains("# Commandstats") && more.contains("# Server"));
    assert_eq!(text(&inputs, &["all"]), text(&inputs, &["everything"]));
}

#[test]
fn commands_errors_databases_and_shards_have_a_line_each() {
    let mut commands = CommandStats::new(3);
    commands.ran(0, 2_345, 0);
    commands.ran(1, 1_500, 1);
    commands.ran(1, 2_500, 0);
    commands.rejected(1);
    let mut inputs = InfoInputs {
        commands,
        command_names: Arc::from(["get", "config|set", "set"].map(str::to_owned)),
        latency_percentiles: vec![50.0, 99.0, 99.9],
        dbs: vec![DbFacts::default(); 3],
        shards: vec![ShardFacts { keys: 7, core: Some(2), ..ShardFacts::default() }],
        ..InfoInputs::default()
    };
    inputs.dbs[2] = DbFacts { keys: 3, expires: 1, avg_ttl_ms: 99, subexpiry: 0 };
    inputs.errors.record(b"-WRONGTYPE no\r\n");
    let reply = text(&inputs, &["all"]);
    for (name, want) in [
        ("cmdstat_get", "calls=1,usec=2,usec_per_call=2.35,rejected_calls=0,failed_calls=0"),
        ("cmdstat_config|set", "calls=2,usec=4,usec_per_call=2.00,rejected_calls=1,failed_calls=1"),
        ("latency_percentiles_usec_get", "p50=2.345,p99=2.345,p99.9=2.345"),
        ("errorstat_WRONGTYPE", "count=1"),
        ("db2", "keys=3,expires=1,avg_ttl=99,subexpiry=0"),
    ] {
        assert_eq!(value(&reply, name), Some(want), "{name}");
    }
    assert_eq!(value(&reply, "cmdstat_set"), None, "never called");
    assert_eq!(value(&reply, "db0"), None, "no keys");
    assert!(value(&reply, "shard0").is_some_and(|row| row.starts_with("core=2,keys=7,")));
}

#[test]
fn memory_figures_follow_from_each_other() {
    let mut inputs = InfoInputs::default();
    let memory = &mut inputs.memory;
    (memory.used, memory.used_peak, memory.startup, memory.overhead) =
        (1_100_000, 2_200_000, 100_000, 600_000);
    memory.rss = 1_000_000;
    memory.allocator = Allocator { allocated: 100, active: 150, resident: 300, ..memory.allocator };
    let reply = text(&inputs, &["memory"]);
    for (name, want) in [
        ("used_memory", "1100000"),
        ("used_memory_human", "1.05M"),
        ("used_memory_peak_perc", "50.00%"),
        ("used_memory_dataset", "500000"),
        ("used_memory_dataset_perc", "50.00%"),
        ("allocator_frag_ratio", "1.50"),
        ("allocator_rss_bytes", "150"),
        ("mem_fragmentation_bytes", "-100000"),
        ("maxmemory_human", "0B"),
        ("maxmemory_policy", "noeviction"),
    ] {
        assert_eq!(value(&reply, name), Some(want), "{name}");
    }
}

#[test]
fn bytes_for_people_are_as_in_redis() {
    for (bytes, want) in [
        (0, "0B"),
        (1_023, "1023B"),
        (1_024, "1.00K"),
        (1_536, "1.50K"),
        (1 << 20, "1.00M"),
        (5 << 30, "5.00G"),
        (1 << 40, "1.00T"),
        (1 << 50, "1.00P"),
        (u64::MAX, "16384.00P"),
    ] {
        assert_eq!(FieldValue::Human(bytes).to_string(), want);
    }
    assert_eq!(FieldValue::Seconds(1_000_002).to_string(), "1.000002");
}

#[test]
fn a_path_with_line_breaks_stays_one_line() {
    let mut inputs = InfoInputs::default();
    inputs.server.config_file = "/tmp/a\r\nrole:slave".to_owned();
    let tcp = vec!["127.0.0.1".to_owned(), "::1".to_owned()];
    inputs.server.listeners = vec![Listener { kind: "tcp", binds: tcp, port: Some(6379) }];
    let reply = text(&inputs, &["server"]);
    assert_eq!(value(&reply, "config_file"), Some("/tmp/a??role:slave"));
    assert_eq!(value(&reply, "listener0"), Some("name=tcp,bind=127.0.0.1,bind=::1,port=6379"));
    assert!(fields().any(|field| matches!(field.value, Value::Rows(_))));
}
