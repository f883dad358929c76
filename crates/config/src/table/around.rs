//! Rows about the process, its log, what is observed, and the hooks of test suites.

use crate::directive::bounds::{INT, INT_SIGNED, LONG};
use crate::directive::{Directive, Kind, choice, integer, special, switch, text};

const SHUTDOWN: &[&str] = &["default", "save", "nosave", "now", "force"];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const PROCESS: &[Directive] = &[
    text("dir", "persistence.snapshot.dir", ".",
        "Directory to work in: relative paths start here.").protected(),
    switch("daemonize", "server.daemonize", false,
        "Run in the background; a service supervisor is the better way.").at_start(),
    text("pidfile", "server.pid_file", "",
        "File that holds the process id while running; empty is none, or `/var/run/stoa.pid` in the background.").at_start(),
    choice("supervised", "server.supervised", &["upstart", "systemd", "auto", "no"], "no",
        "Supervisor to tell that the server is ready.").at_start().later(),
    integer("shutdown-timeout", "server.shutdown_timeout_seconds", INT, "10",
        "Seconds that a shutdown waits for replicas.").later(),
    special("shutdown-on-sigint", "server.shutdown_on_sigint", Kind::Choices(SHUTDOWN), "default",
        "How to shut down on SIGINT.").later(),
    special("shutdown-on-sigterm", "server.shutdown_on_sigterm", Kind::Choices(SHUTDOWN), "default",
        "How to shut down on SIGTERM.").later(),
    switch("set-proc-title", "server.set_proc_title", true,
        "Show address and mode in the process title.").at_start().later(),
    text("proc-title-template", "server.proc_title_template", "{title} {listen-addr} {server-mode}",
        "The process title.").later(),
    choice("oom-score-adj", "server.oom_score_adj", &["no", "yes", "relative", "absolute"], "no",
        "Tell the kernel whom to kill first when memory is short.").later(),
    special("oom-score-adj-values", "server.oom_score_adj_values", Kind::OomScores, "0 200 800",
        "Scores for a primary, a replica and a background process.").later(),
    switch("disable-thp", "server.disable_thp", true,
        "Ask the kernel for no transparent huge pages.").at_start().later(),
    text("server-cpulist", "server.cpu_list", "",
        "Cores for the shards, as `0-3,8`; all that the process may use when empty.").alias("server_cpulist").at_start().later(),
    text("bio-cpulist", "server.bio_cpu_list", "",
        "Cores for helper threads.").alias("bio_cpulist").at_start().later(),
    text("aof-rewrite-cpulist", "server.aof_rewrite_cpu_list", "",
        "Without effect: the log is rewritten without another process.").alias("aof_rewrite_cpulist").at_start().later(),
    text("bgsave-cpulist", "server.bgsave_cpu_list", "",
        "Without effect: snapshots are written without another process.").alias("bgsave_cpulist").at_start().later(),
    text("ignore-warnings", "server.ignore_warnings", "",
        "Warnings about the kernel that do not stop the start.").later(),
    switch("crash-log-enabled", "server.crash_log", true,
        "Write a report when the server fails.").later(),
    switch("crash-memcheck-enabled", "server.crash_memcheck", true,
        "Test the memory when the server fails.").later(),
    switch("use-exit-on-panic", "server.exit_on_panic", false,
        "Exit instead of aborting when the server fails.").hidden().later(),
];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const LOG: &[Directive] = &[
    choice("loglevel", "observability.log_level", &["debug", "verbose", "notice", "warning", "nothing"], "notice",
        "What is worth a line in the log."),
    text("logfile", "observability.log_file", "",
        "File for the log; standard output when empty.").at_start(),
    switch("always-show-logo", "observability.show_logo", false,
        "Draw the logo at the start even when nobody looks.").at_start().later(),
    switch("syslog-enabled", "observability.syslog.enabled", false,
        "Log to the system log.").at_start().later(),
    text("syslog-ident", "observability.syslog.ident", "redis",
        "Name in the system log.").at_start().later(),
    choice("syslog-facility", "observability.syslog.facility", &["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"], "local0",
        "Facility of the system log.").at_start().later(),
];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const OBSERVED: &[Directive] = &[
    integer("slowlog-log-slower-than", "observability.slowlog.slower_than_us", (-1, i64::MAX), "10000",
        "Microseconds from which a command is remembered as slow; 0 remembers all, -1 none.").later(),
    integer("slowlog-max-len", "observability.slowlog.max_len", LONG, "128",
        "Entries that SLOWLOG keeps.").later(),
    integer("latency-monitor-threshold", "observability.latency_threshold_ms", LONG, "0",
        "Milliseconds from which an event is remembered by LATENCY; 0 remembers none.").later(),
    switch("latency-tracking", "observability.latency_tracking", true,
        "Keep a histogram of durations for each command."),
    special("latency-tracking-info-percentiles", "observability.latency_percentiles", Kind::Percentiles, "50 99 99.9",
        "Percentiles that INFO latencystats shows.").later(),
    integer("trace-sample", "observability.trace_sample", (0, u32::MAX as i64), "0",
        "Follow one request in so many through the server, for DEBUG TRACE; 0 follows none."),
    text("prometheus-listen", "observability.prometheus_listen", "",
        "Address of the metrics endpoint, as `:9100`; none when empty.").at_start().later(),
    text("otlp-endpoint", "observability.otlp_endpoint", "",
        "Address that traces are sent to; none when empty.").at_start().later(),
];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const TEST_HOOKS: &[Directive] = &[
    integer("rdb-key-save-delay", "debug.rdb_key_save_delay_us", INT_SIGNED, "0",
        "Microseconds to wait after each key saved.").hidden().later(),
    integer("key-load-delay", "debug.key_load_delay_us", INT_SIGNED, "0",
        "Microseconds to wait after each key loaded.").hidden().later(),
    integer("loading-process-events-interval-bytes", "debug.loading_interval_bytes", (1_024, i32::MAX as i64), "2097152",
        "Bytes loaded between two looks at connections.").hidden().later(),
    integer("watchdog-period", "debug.watchdog_ms", INT, "0",
        "Milliseconds after which a stall is reported; 0 never.").hidden().later(),
    integer("cluster-ping-interval", "debug.cluster_ping_interval_ms", LONG, "1000",
        "Milliseconds between two pings on the cluster bus.").hidden().later(),
    text("debug-context", "debug.context", "",
        "Words that a failure report repeats.").hidden().later(),
];
