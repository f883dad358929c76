//! An idle node costs nothing. Alone in its file, because it measures the threads of its process.

#[expect(dead_code, reason = "this file uses its part")]
mod lines;

use std::io::Read;
use std::time::Duration;

use lines::{Counts, on_each_driver};

#[test]
fn an_idle_node_runs_no_passes_and_uses_no_time() {
    on_each_driver(
        |options| options.shards = 2,
        |node| {
            let mut client = node.connect();
            assert_eq!(client.ask("hop hello"), "hello");
            client.socket.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
            // Nothing comes: the wait is the reading of a silent socket.
            assert!(client.socket.read(&mut [0]).is_err());
            let (passes, cpu) = (Counts::get(&node.counts.passes), shards_cpu_ns());
            client.socket.set_read_timeout(Some(Duration::from_secs(1))).expect("set");
            assert!(client.socket.read(&mut [0]).is_err());
            assert_eq!(Counts::get(&node.counts.passes), passes, "{}", node.name);
            let used = shards_cpu_ns() - cpu;
            // 1 % of the second that passed, for each of the two shards of this test's node.
            assert!(used < 20_000_000, "{}: {used} ns in a second of nothing", node.name);
        },
    );
}

/// Processor time of all shards of this process.
fn shards_cpu_ns() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let of = |task: std::path::PathBuf| {
        let name = std::fs::read_to_string(task.join("comm")).unwrap_or_default();
        let stat = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
        let ns = stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0_u64);
        if name.starts_with("shard-") { ns } else { 0 }
    };
    tasks.flatten().map(|task| of(task.path())).sum()
}
