//! Rows about what survives a restart: snapshots and the log.

use crate::directive::bounds::{BYTES, INT};
use crate::directive::{Directive, Kind, choice, integer, memory, special, switch};

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const SNAPSHOTS: &[Directive] = &[
    special("save", "persistence.snapshot.save_points", Kind::SavePoints, "3600 1 300 100 60 10000",
        "Save after so many seconds with so many changes, in pairs; an empty word is never.").later(),
    special("dbfilename", "persistence.snapshot.filename", Kind::FileName, "dump.rdb",
        "Name of the snapshot of an embedded database; the server saves none yet.").protected(),
    switch("rdbcompression", "persistence.snapshot.compression", true,
        "Compress long strings in snapshots and in what DUMP answers."),
    switch("rdbchecksum", "persistence.snapshot.checksum", true,
        "End snapshots of an embedded database with a checksum; the server saves none yet.").at_start(),
    switch("rdb-save-incremental-fsync", "persistence.snapshot.incremental_fsync", true,
        "Sync a snapshot in portions while it is written.").later(),
    switch("rdb-del-sync-files", "persistence.snapshot.delete_sync_files", false,
        "Delete snapshots that were only needed for a replica.").later(),
    switch("stop-writes-on-bgsave-error", "persistence.snapshot.stop_writes_on_error", true,
        "Refuse writes while snapshots fail.").later(),
    choice("sanitize-dump-payload", "persistence.snapshot.sanitize", &["no", "yes", "clients"], "no",
        "Whether loaded values are checked in depth.").later(),
];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const APPEND_ONLY: &[Directive] = &[
    switch("appendonly", "persistence.aof.enabled", false,
        "Log every change.").later(),
    special("appendfilename", "persistence.aof.filename", Kind::FileName, "appendonly.aof",
        "First part of the names of log files.").at_start().later(),
    special("appenddirname", "persistence.aof.dir", Kind::FileName, "appendonlydir",
        "Directory of log files in `dir`.").at_start().later(),
    choice("appendfsync", "persistence.aof.fsync", &["everysec", "always", "no"], "everysec",
        "When the log is made durable: each second, before each reply, or when the kernel likes.").later(),
    switch("no-appendfsync-on-rewrite", "persistence.aof.no_fsync_on_rewrite", false,
        "Do not sync the log while a snapshot or rewrite runs.").later(),
    integer("auto-aof-rewrite-percentage", "persistence.aof.rewrite_percentage", INT, "100",
        "Growth at which the log is rewritten; 0 never.").later(),
    memory("auto-aof-rewrite-min-size", "persistence.aof.rewrite_min_bytes", BYTES, "64mb",
        "Size below which the log is not rewritten.").later(),
    switch("aof-rewrite-incremental-fsync", "persistence.aof.incremental_fsync", true,
        "Sync a rewritten log in portions.").later(),
    switch("aof-load-truncated", "persistence.aof.load_truncated", true,
        "Start with a log whose end is torn, and say so.").later(),
    switch("aof-use-rdb-preamble", "persistence.aof.rdb_preamble", true,
        "Start a rewritten log with a snapshot.").later(),
    switch("aof-timestamp-enabled", "persistence.aof.timestamps", false,
        "Note the time in the log.").later(),
    switch("aof-disable-auto-gc", "persistence.aof.keep_old_files", false,
        "Keep log files that are no longer needed.").later(),
];
