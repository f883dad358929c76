//! Sections about the process: server, clients, memory, CPU.

use super::FieldValue::{Count, Flag, Hidden, Human, Percent, Ratio, Seconds, Signed, Text};
use super::Section::{Clients, Cpu, Memory, Server};
use super::{Field, FieldValue, InfoInputs, Listener, Value, one, ratio};

pub(super) const FIELDS: &[Field] = &[
    one(Server, "redis_version", "Redis version whose behaviour this server follows", |_| {
        Text(super::REDIS_VERSION.into())
    }),
    one(Server, "stoa_version", "This server's own version", |_| Text(super::STOA_VERSION.into())),
    one(Server, "redis_git_sha1", "Commit it was built from", |i| {
        or(&i.server.git_sha1, "00000000")
    }),
    one(Server, "redis_git_dirty", "1 if the tree had changes beyond that commit", |i| {
        Flag(i.server.git_dirty)
    }),
    one(Server, "redis_build_id", "Tells builds apart", |i| {
        or(&i.server.build_id, "0000000000000000")
    }),
    one(Server, "redis_mode", "standalone or cluster", |i| {
        Text(if i.cluster_enabled { "cluster" } else { "standalone" }.into())
    }),
    one(Server, "os", "Operating system, release and machine", |i| or(&i.server.os, "unknown")),
    one(Server, "arch_bits", "Bits of a pointer", |_| Count(usize::BITS.into())),
    one(Server, "monotonic_clock", "Clock that measures durations", |_| {
        Text("POSIX clock_gettime".into())
    }),
    one(Server, "multiplexing_api", "How sockets are driven: io_uring or poll", |i| {
        Text(if i.server.driver.is_empty() { "none" } else { i.server.driver }.into())
    }),
    one(Server, "atomicvar_api", "Atomics in use; keys and counters need none", |_| {
        Text("rust-core".into())
    }),
    one(Server, "gcc_version", "0.0.0, for it is compiled by rustc", |_| Text("0.0.0".into())),
    one(Server, "process_id", "Process id", |i| Count(i.server.pid.into())),
    one(Server, "process_supervised", "systemd, upstart or no", |i| {
        Text(i.server.supervised.unwrap_or("no").into())
    }),
    one(Server, "run_id", "By chance, new at each start", |i| or(&i.server.run_id, ZEROS)),
    one(Server, "tcp_port", "TCP port, 0 if none", |i| Count(i.server.tcp_port.into())),
    one(Server, "server_time_usec", "Wall clock, microseconds since 1970", |i| {
        Count(i.server.now_us)
    }),
    one(Server, "uptime_in_seconds", "Seconds since start", |i| Count(i.server.uptime_ms / 1_000)),
    one(Server, "uptime_in_days", "Days since start", |i| Count(i.server.uptime_ms / 86_400_000)),
    one(Server, "hz", "Background rounds a second in force", |i| Count(i.server.hz.into())),
    one(Server, "configured_hz", "Background rounds a second as configured", |i| {
        Count(i.server.configured_hz.into())
    }),
    one(Server, "lru_clock", "Seconds of the wall clock, its lower 24 bits", |i| {
        Count((i.server.now_us / 1_000_000) & 0xff_ffff)
    }),
    one(Server, "executable", "Absolute path of the binary", |i| {
        Text(i.server.executable.clone().into())
    }),
    one(Server, "config_file", "Absolute path of the configuration file, empty if none", |i| {
        Text(i.server.config_file.clone().into())
    }),
    one(Server, "io_threads_active", "0: shards do their own input and output", |_| Flag(false)),
    one(Server, "shards", "Shards, a thread each", |i| Count(i.server.shards.into())),
    one(Server, "shutdown_in_milliseconds", "Left of a shutdown that waits for replicas", |i| {
        i.server.shutdown_in_ms.map_or(Hidden, Count)
    }),
    Field {
        section: Server,
        name: "listener",
        doc: "A kind of listening socket: its addresses and port",
        value: Value::Rows(|i| i.server.listeners.iter().enumerate().map(listener).collect()),
    },
    one(Clients, "connected_clients", "Connections, replicas not counted", |i| {
        Count(i.clients.connected)
    }),
    one(Clients, "cluster_connections", "Connections of the cluster bus", |i| {
        Count(i.clients.cluster_connections)
    }),
    one(Clients, "maxclients", "Most connections allowed", |i| Count(i.clients.max)),
    one(Clients, "client_recent_max_input_buffer", "Largest query buffer of late, bytes", |i| {
        Count(i.clients.recent_max_input_bytes)
    }),
    one(Clients, "client_recent_max_output_buffer", "Largest output buffer of late, bytes", |i| {
        Count(i.clients.recent_max_output_bytes)
    }),
    one(Clients, "blocked_clients", "Waiting in a blocking command", |i| Count(i.clients.blocked)),
    one(Clients, "tracking_clients", "With client-side caching on", |i| Count(i.clients.tracking)),
    one(Clients, "pubsub_clients", "Subscribed to something", |i| Count(i.clients.pubsub)),
    one(Clients, "watching_clients", "Watching a key", |i| Count(i.clients.watching)),
    one(Clients, "clients_in_timeout_table", "Blocked with a timeout", |i| {
        Count(i.clients.in_timeout_table)
    }),
    one(Clients, "total_watched_keys", "Watched keys", |i| Count(i.clients.total_watched_keys)),
    one(Clients, "total_blocking_keys", "Keys that somebody is blocked on", |i| {
        Count(i.clients.total_blocking_keys)
    }),
    one(Clients, "total_blocking_keys_on_nokey", "Those whose deletion unblocks too", |i| {
        Count(i.clients.total_blocking_keys_on_nokey)
    }),
    one(Memory, "used_memory", "Accounted bytes", |i| Count(i.memory.used)),
    one(Memory, "used_memory_human", "The same for people", |i| Human(i.memory.used)),
    one(Memory, "used_memory_rss", "Resident bytes", |i| Count(i.memory.rss)),
    one(Memory, "used_memory_rss_human", "The same for people", |i| Human(i.memory.rss)),
    one(Memory, "used_memory_peak", "Most bytes ever accounted", |i| Count(i.memory.used_peak)),
    one(Memory, "used_memory_peak_human", "The same for people", |i| Human(i.memory.used_peak)),
    one(Memory, "used_memory_peak_time", "When that was, seconds since 1970", |i| {
        Count(i.memory.used_peak_at.0 / 1_000)
    }),
    one(Memory, "used_memory_peak_perc", "Accounted bytes as a share of the peak", |i| {
        Percent(100.0 * ratio(i.memory.used, i.memory.used_peak))
    }),
    one(Memory, "used_memory_overhead", "Bytes that are not data: tables, buffers", |i| {
        Count(i.memory.overhead)
    }),
    one(Memory, "used_memory_startup", "Bytes accounted when the start was over", |i| {
        Count(i.memory.startup)
    }),
    one(Memory, "used_memory_dataset", "Bytes of data: used less overhead", |i| Count(dataset(i))),
    one(Memory, "used_memory_dataset_perc", "Data as a share of what came since the start", |i| {
        let since_start = i.memory.used.saturating_sub(i.memory.startup);
        Percent((100.0 * ratio(dataset(i), since_start)).min(100.0))
    }),
    one(Memory, "allocator_allocated", "Bytes the allocator handed out", |i| {
        Count(i.memory.allocator.allocated)
    }),
    one(Memory, "allocator_active", "Bytes of its pages in use", |i| {
        Count(i.memory.allocator.active)
    }),
    one(Memory, "allocator_resident", "Bytes of its resident pages", |i| {
        Count(i.memory.allocator.resident)
    }),
    one(Memory, "allocator_muzzy", "Bytes given back that the system has not taken yet", |i| {
        Count(i.memory.allocator.muzzy)
    }),
    one(Memory, "total_system_memory", "The machine's memory, bytes", |i| {
        Count(i.memory.total_system)
    }),
    one(Memory, "total_system_memory_human", "The same for people", |i| {
        Human(i.memory.total_system)
    }),
    one(Memory, "used_memory_lua", "Bytes of the interpreters of EVAL (old name)", |i| {
        Count(i.memory.vm_eval)
    }),
    one(Memory, "used_memory_vm_eval", "Bytes of the interpreters of EVAL", |i| {
        Count(i.memory.vm_eval)
    }),
    one(Memory, "used_memory_lua_human", "The same for people", |i| Human(i.memory.vm_eval)),
    one(Memory, "used_memory_scripts_eval", "Bytes of cached scripts", |i| {
        Count(i.memory.scripts_eval)
    }),
    one(Memory, "number_of_cached_scripts", "Cached scripts", |i| Count(i.memory.scripts_cached)),
    one(Memory, "number_of_functions", "Loaded functions", |i| Count(i.memory.functions_loaded)),
    one(Memory, "number_of_libraries", "Loaded libraries", |i| Count(i.memory.libraries_loaded)),
    one(Memory, "used_memory_vm_functions", "Bytes of the interpreter of functions", |i| {
        Count(i.memory.vm_functions)
    }),
    one(Memory, "used_memory_vm_total", "Bytes of all interpreters", |i| Count(vm_total(i))),
    one(Memory, "used_memory_vm_total_human", "The same for people", |i| Human(vm_total(i))),
    one(Memory, "used_memory_functions", "Bytes of loaded functions", |i| {
        Count(i.memory.functions)
    }),
    one(Memory, "used_memory_scripts", "Bytes of cached scripts and functions", |i| {
        Count(i.memory.scripts_eval + i.memory.functions)
    }),
    one(Memory, "used_memory_scripts_human", "The same for people", |i| {
        Human(i.memory.scripts_eval + i.memory.functions)
    }),
    one(Memory, "maxmemory", "Limit in bytes, 0 is none", |i| Count(i.memory.maxmemory)),
    one(Memory, "maxmemory_human", "The same for people", |i| Human(i.memory.maxmemory)),
    one(Memory, "maxmemory_policy", "What goes when the limit is reached", |i| {
        let policy = i.memory.maxmemory_policy;
        Text(if policy.is_empty() { "noeviction" } else { policy }.into())
    }),
    one(Memory, "allocator_frag_ratio", "Active by allocated", |i| {
        Ratio(ratio(i.memory.allocator.active, i.memory.allocator.allocated))
    }),
    one(Memory, "allocator_frag_bytes", "Active less allocated", |i| {
        less(i.memory.allocator.active, i.memory.allocator.allocated)
    }),
    one(Memory, "allocator_rss_ratio", "Resident by active, of the allocator", |i| {
        Ratio(ratio(i.memory.allocator.resident, i.memory.allocator.active))
    }),
    one(Memory, "allocator_rss_bytes", "Resident less active, of the allocator", |i| {
        less(i.memory.allocator.resident, i.memory.allocator.active)
    }),
    one(Memory, "rss_overhead_ratio", "Process resident by allocator resident", |i| {
        Ratio(ratio(i.memory.rss, i.memory.allocator.resident))
    }),
    one(Memory, "rss_overhead_bytes", "Process resident less allocator resident", |i| {
        less(i.memory.rss, i.memory.allocator.resident)
    }),
    one(Memory, "mem_fragmentation_ratio", "Resident by accounted", |i| {
        Ratio(ratio(i.memory.rss, i.memory.used))
    }),
    one(Memory, "mem_fragmentation_bytes", "Resident less accounted", |i| {
        less(i.memory.rss, i.memory.used)
    }),
    one(Memory, "mem_not_counted_for_evict", "Bytes that do not count against maxmemory", |i| {
        Count(i.memory.not_counted_for_evict)
    }),
    one(Memory, "mem_replication_backlog", "Bytes of the backlog", |i| {
        Count(i.memory.replication_backlog)
    }),
    one(Memory, "mem_total_replication_buffers", "Bytes of backlog and replicas' buffers", |i| {
        Count(i.memory.replication_buffers)
    }),
    one(Memory, "mem_clients_slaves", "Bytes of replicas' connections", |i| {
        Count(i.memory.clients_replicas)
    }),
    one(Memory, "mem_clients_normal", "Bytes of other connections", |i| {
        Count(i.memory.clients_normal)
    }),
    one(Memory, "mem_cluster_links", "Bytes of the cluster bus", |i| Count(i.memory.cluster_links)),
    one(Memory, "mem_aof_buffer", "Bytes of log records not written yet", |i| {
        Count(i.memory.log_buffer)
    }),
    one(Memory, "mem_allocator", "Allocator and its version", |i| {
        let name = i.memory.allocator.name;
        Text(if name.is_empty() { "unknown" } else { name }.into())
    }),
    one(Memory, "mem_overhead_db_hashtable_rehashing", "Bytes of tables being rehashed", |i| {
        Count(i.memory.rehashing)
    }),
    one(Memory, "active_defrag_running", "0: entries are not moved to defragment", |_| Flag(false)),
    one(Memory, "lazyfree_pending_objects", "Values waiting to be freed", |i| {
        Count(i.memory.lazyfree_pending)
    }),
    one(Memory, "lazyfreed_objects", "Values freed in the background", |i| {
        Count(i.counters.lazyfreed_objects)
    }),
    one(Cpu, "used_cpu_sys", "Seconds in the kernel, all threads", |i| Seconds(i.cpu.sys)),
    one(Cpu, "used_cpu_user", "Seconds outside it, all threads", |i| Seconds(i.cpu.user)),
    one(Cpu, "used_cpu_sys_children", "Seconds in the kernel, ended children", |i| {
        Seconds(i.cpu.sys_children)
    }),
    one(Cpu, "used_cpu_user_children", "Seconds outside it, ended children", |i| {
        Seconds(i.cpu.user_children)
    }),
    one(Cpu, "used_cpu_sys_main_thread", "Seconds in the kernel, shards' threads", |i| {
        Seconds(i.cpu.sys_shards)
    }),
    one(Cpu, "used_cpu_user_main_thread", "Seconds outside it, shards' threads", |i| {
        Seconds(i.cpu.user_shards)
    }),
];

const ZEROS: &str = "0000000000000000000000000000000000000000";

fn or(text: &str, otherwise: &'static str) -> FieldValue {
    Text(if text.is_empty() { otherwise.into() } else { text.to_owned().into() })
}

fn less(above: u64, below: u64) -> FieldValue {
    Signed(above.wrapping_sub(below) as i64)
}

fn dataset(inputs: &InfoInputs) -> u64 {
    inputs.memory.used.saturating_sub(inputs.memory.overhead)
}

fn vm_total(inputs: &InfoInputs) -> u64 {
    inputs.memory.vm_eval + inputs.memory.vm_functions
}

fn listener((number, listener): (usize, &Listener)) -> (String, String) {
    let mut value = format!("name={}", listener.kind);
    for bind in &listener.binds {
        value.push_str(",bind=");
        value.push_str(bind);
    }
    if let Some(port) = listener.port {
        value.push_str(&format!(",port={port}"));
    }
    (number.to_string(), value)
}
