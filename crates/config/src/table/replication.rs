//! Rows about other nodes: replication and cluster.

use crate::directive::bounds::{BYTES_ANY, BYTES_FROM_1, INT, INT_FROM_1, LONG, PORT};
use crate::directive::{Directive, Kind, choice, integer, memory, special, switch, text};

pub(super) const REPLICATION: &[Directive] = &[
    special(
        "replicaof",
        "replication.leader_addr",
        Kind::ReplicaOf,
        "",
        "Host and port of the primary to follow.",
    )
    .alias("slaveof")
    .at_start()
    .later(),
    text("masteruser", "replication.user", "", "User for the primary.").secret().later(),
    text("masterauth", "replication.password", "", "Password for the primary.").secret().later(),
    switch(
        "replica-serve-stale-data",
        "replication.serve_stale_data",
        true,
        "Answer from old data while the primary is away.",
    )
    .alias("slave-serve-stale-data")
    .later(),
    switch(
        "replica-read-only",
        "replication.read_only",
        true,
        "Refuse writes from clients of a replica.",
    )
    .alias("slave-read-only")
    .later(),
    switch(
        "replica-ignore-maxmemory",
        "replication.ignore_maxmemory",
        true,
        "Leave eviction to the primary.",
    )
    .alias("slave-ignore-maxmemory")
    .later(),
    switch(
        "replica-lazy-flush",
        "replication.lazy_flush",
        false,
        "Free the old data in the background at a full sync.",
    )
    .alias("slave-lazy-flush")
    .later(),
    switch(
        "replica-ignore-disk-write-errors",
        "replication.ignore_disk_write_errors",
        false,
        "Let a replica go on when it cannot write its log.",
    )
    .later(),
    integer(
        "replica-priority",
        "replication.priority",
        INT,
        "100",
        "Rank for failover, low before high; 0 never becomes primary.",
    )
    .alias("slave-priority")
    .later(),
    switch(
        "replica-announced",
        "replication.announced",
        true,
        "Let sentinels tell clients about this replica.",
    )
    .later(),
    text(
        "replica-announce-ip",
        "replication.announce_ip",
        "",
        "Address to give the primary, if not the connection's.",
    )
    .alias("slave-announce-ip")
    .later(),
    integer(
        "replica-announce-port",
        "replication.announce_port",
        PORT,
        "0",
        "Port to give the primary, if not the own one.",
    )
    .alias("slave-announce-port")
    .later(),
    integer(
        "min-replicas-to-write",
        "replication.min_replicas_to_write",
        INT,
        "0",
        "Replicas without which writes are refused; 0 asks for none.",
    )
    .alias("min-slaves-to-write")
    .later(),
    integer(
        "min-replicas-max-lag",
        "replication.min_replicas_max_lag_seconds",
        INT,
        "10",
        "Seconds of silence up to which a replica counts.",
    )
    .alias("min-slaves-max-lag")
    .later(),
    memory(
        "repl-backlog-size",
        "replication.backlog_bytes",
        BYTES_FROM_1,
        "1mb",
        "Bytes of the stream kept for replicas that come back.",
    )
    .later(),
    integer(
        "repl-backlog-ttl",
        "replication.backlog_ttl_seconds",
        LONG,
        "3600",
        "Seconds the backlog is kept without replicas; 0 is for ever.",
    )
    .later(),
    integer(
        "repl-timeout",
        "replication.timeout_seconds",
        INT_FROM_1,
        "60",
        "Seconds of silence after which the other side is taken for dead.",
    )
    .later(),
    integer(
        "repl-ping-replica-period",
        "replication.ping_seconds",
        INT_FROM_1,
        "10",
        "Seconds between two pings to replicas.",
    )
    .alias("repl-ping-slave-period")
    .later(),
    switch(
        "repl-disable-tcp-nodelay",
        "replication.disable_nodelay",
        false,
        "Send to replicas in fewer, later packets.",
    )
    .later(),
    switch(
        "repl-diskless-sync",
        "replication.diskless_sync",
        true,
        "Send full syncs without a file in between.",
    )
    .later(),
    integer(
        "repl-diskless-sync-delay",
        "replication.diskless_sync_delay_seconds",
        INT,
        "5",
        "Seconds to wait for more replicas before a full sync.",
    )
    .later(),
    integer(
        "repl-diskless-sync-max-replicas",
        "replication.diskless_sync_max_replicas",
        INT,
        "0",
        "Replicas with which a full sync starts at once; 0 waits.",
    )
    .later(),
    choice(
        "repl-diskless-load",
        "replication.diskless_load",
        &["disabled", "on-empty-db", "swapdb"],
        "disabled",
        "Whether a replica loads a full sync without a file in between.",
    )
    .later(),
    choice(
        "propagation-error-behavior",
        "replication.propagation_error",
        &["ignore", "panic", "panic-on-replicas"],
        "ignore",
        "What to do when a replicated command fails.",
    )
    .later(),
];

const ENDPOINTS: &[&str] = &["ip", "hostname", "unknown-endpoint"];

pub(super) const CLUSTER: &[Directive] = &[
    switch("cluster-enabled", "cluster.enabled", false, "Be a node of a cluster.")
        .at_start()
        .later(),
    text(
        "cluster-config-file",
        "cluster.config_file",
        "nodes.conf",
        "File in which the node keeps the cluster's state.",
    )
    .at_start()
    .later(),
    integer(
        "cluster-node-timeout",
        "cluster.node_timeout_ms",
        LONG,
        "15000",
        "Milliseconds of silence after which a node is suspected.",
    )
    .later(),
    integer(
        "cluster-port",
        "cluster.port",
        PORT,
        "0",
        "Port of the cluster bus; 0 is the port plus 10000.",
    )
    .at_start()
    .later(),
    text("cluster-announce-ip", "cluster.announce_ip", "", "Address that other nodes are told.")
        .later(),
    text(
        "cluster-announce-hostname",
        "cluster.announce_hostname",
        "",
        "Host name that other nodes are told.",
    )
    .later(),
    text(
        "cluster-announce-human-nodename",
        "cluster.announce_human_nodename",
        "",
        "Name of this node for people, in logs.",
    )
    .later(),
    integer(
        "cluster-announce-port",
        "cluster.announce_port",
        PORT,
        "0",
        "Port that other nodes are told.",
    )
    .later(),
    integer(
        "cluster-announce-tls-port",
        "cluster.announce_tls_port",
        PORT,
        "0",
        "TLS port that other nodes are told.",
    )
    .later(),
    integer(
        "cluster-announce-bus-port",
        "cluster.announce_bus_port",
        PORT,
        "0",
        "Port of the cluster bus that other nodes are told.",
    )
    .later(),
    choice(
        "cluster-preferred-endpoint-type",
        "cluster.preferred_endpoint_type",
        ENDPOINTS,
        "ip",
        "What clients are told to connect to.",
    )
    .later(),
    switch(
        "cluster-require-full-coverage",
        "cluster.require_full_coverage",
        true,
        "Refuse requests while a slot has no node.",
    )
    .later(),
    switch(
        "cluster-allow-reads-when-down",
        "cluster.allow_reads_when_down",
        false,
        "Allow reads while the cluster is down.",
    )
    .later(),
    switch(
        "cluster-allow-pubsubshard-when-down",
        "cluster.allow_pubsubshard_when_down",
        true,
        "Allow shard channels while the cluster is down.",
    )
    .later(),
    switch(
        "cluster-allow-replica-migration",
        "cluster.allow_replica_migration",
        true,
        "Let replicas move to a primary that has none.",
    )
    .later(),
    integer(
        "cluster-migration-barrier",
        "cluster.migration_barrier",
        INT,
        "1",
        "Replicas that a primary keeps when others move away.",
    )
    .later(),
    integer(
        "cluster-replica-validity-factor",
        "cluster.replica_validity_factor",
        INT,
        "10",
        "How old a replica's data may be for failover, in node timeouts; 0 is any age.",
    )
    .alias("cluster-slave-validity-factor")
    .later(),
    switch(
        "cluster-replica-no-failover",
        "cluster.replica_no_failover",
        false,
        "Never become primary without being told to.",
    )
    .alias("cluster-slave-no-failover")
    .later(),
    memory(
        "cluster-link-sendbuf-limit",
        "cluster.link_sendbuf_bytes",
        BYTES_ANY,
        "0",
        "Bytes that may wait on one link of the cluster bus; 0 is no limit.",
    )
    .later(),
];
