//! Rows about connections: shards, sockets, clients, security, TLS.

use crate::directive::bounds::{BYTES_FROM_1MB, INT, PORT, UINT};
use crate::directive::{Directive, Kind, choice, integer, memory, special, switch, text};

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const STOA: &[Directive] = &[
    integer("shards", "server.shards", (0, 256), "0",
        "Shards, one thread each; 0 is one for every core the process may use.").at_start(),
    choice("driver", "server.driver", &["auto", "uring", "poll"], "auto",
        "How sockets are driven: io_uring, readiness polling, or the first where the kernel allows it.").at_start(),
    switch("pin", "server.pin", true,
        "Pin each shard to a core.").at_start(),
    choice("pipeline-order", "server.pipeline_order", &["key", "strict"], "key",
        "Order in which commands of one pipeline take effect: by key, or in total even across shards; then each waits for the answers before it that are at other shards."),
    integer("max-pipeline", "limits.max_pipeline", (1, 1_000_000), "1024",
        "Commands of one connection in work at once; above it the connection is not read, never refused.").later(),
    switch("extensions", "server.extensions", true,
        "Offer the commands that Redis does not have; `no` makes their names unknown.").later(),
    switch("multi-strict", "server.multi_strict", false,
        "Refuse WATCH, UNWATCH, blocking and subscribing commands inside MULTI instead of queueing them."),
];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const NETWORK: &[Directive] = &[
    integer("port", "server.port", PORT, "6379",
        "TCP port to listen on; 0 is none.").at_start(),
    special("bind", "server.bind", Kind::Addresses, "* -::*",
        "Addresses to listen on; one that starts with `-` may be missing, `*` is every address of IPv4.").at_start(),
    text("bind-source-addr", "server.bind_source_addr", "",
        "Local address for outgoing connections.").later(),
    text("unixsocket", "server.unix_socket", "",
        "Path of a unix socket to listen on; none when empty.").at_start(),
    special("unixsocketperm", "server.unix_socket_permissions", Kind::Octal { max: 0o777 }, "0",
        "Permissions of the unix socket, in octal; 0 leaves them to the umask.").at_start(),
    integer("tcp-backlog", "server.tcp_backlog", INT, "511",
        "Connections that the kernel holds until they are accepted.").at_start(),
    integer("tcp-keepalive", "server.tcp_keepalive_seconds", INT, "300",
        "Seconds of silence before the kernel asks whether the peer is still there; 0 never asks."),
    integer("socket-mark-id", "server.socket_mark", UINT, "0",
        "Mark on listening sockets, for packet filters.").at_start().later(),
    integer("max-new-connections-per-cycle", "limits.new_connections_per_cycle", (1, 1_000), "10",
        "Connections accepted before other work gets its turn.").later(),
    integer("max-new-tls-connections-per-cycle", "limits.new_tls_connections_per_cycle", (1, 1_000), "1",
        "TLS connections accepted before other work gets its turn.").later(),
    integer("io-threads", "server.io_threads", (1, 128), "1",
        "Without effect: every shard does its own input and output; see `shards`.").at_start().later(),
    switch("io-threads-do-reads", "server.io_threads_do_reads", false,
        "Without effect: every shard does its own input and output; see `shards`.").at_start().later(),
];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const HTTP: &[Directive] = &[
    integer("http-port", "http.port", PORT, "0",
        "TCP port for requests in JSON, over HTTP and WebSocket; 0 is none.").at_start(),
    special("http-bind", "http.bind", Kind::Addresses, "127.0.0.1 -::1",
        "Addresses to listen on for HTTP, as in `bind`.").at_start(),
    text("http-allow-origin", "http.allow_origin", "",
        "Origins of web pages that may send requests, with spaces between; `*` is every page, none when empty.").at_start(),
    memory("http-max-body", "http.max_body_bytes", BYTES_FROM_1MB, "64mb",
        "Longest body of a request, and longest WebSocket message.").at_start(),
    integer("http-max-connections", "http.max_connections", (1, 1_000_000), "1000",
        "HTTP and WebSocket connections at once; each request in work counts among `maxclients` too.").at_start(),
    integer("http-timeout", "http.timeout_seconds", (1, 3_600), "30",
        "Seconds that the head of a request may take to come, its body, and the next request.").at_start(),
];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const CLIENTS: &[Directive] = &[
    integer("maxclients", "limits.max_clients", (1, u32::MAX as i64), "10000",
        "Connections at once, over all shards; one more is told so and closed."),
    integer("timeout", "limits.idle_timeout_seconds", INT, "0",
        "Seconds after which an idle connection is closed; 0 never."),
    memory("proto-max-bulk-len", "limits.bulk_bytes", BYTES_FROM_1MB, "512mb",
        "Longest argument, and longest string value."),
    memory("client-query-buffer-limit", "limits.query_buffer_bytes", BYTES_FROM_1MB, "1gb",
        "Bytes of unfinished requests that one connection may have waiting."),
    special("client-output-buffer-limit", "limits.output_buffer", Kind::OutputLimits, "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
        "Replies that may wait for a client that does not read: class, hard limit, soft limit and seconds above it; 0 is no limit."),
    special("maxmemory-clients", "limits.clients_memory", Kind::MemoryOrPercent, "0",
        "Memory of all connections together, in bytes or as a share of `maxmemory`; 0 is no limit.").later(),
    integer("tracking-table-max-keys", "limits.tracking_keys", (0, i64::MAX), "1000000",
        "Keys remembered for client-side caching; 0 is no limit."),
];

const PERMISSION: &[&str] = &["no", "yes", "local"];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const SECURITY: &[Directive] = &[
    text("requirepass", "server.auth_password", "",
        "Password of the default user; none when empty.").secret(),
    switch("protected-mode", "server.protected_mode", true,
        "Without a password and without `bind`, refuse clients from other hosts."),
    choice("enable-protected-configs", "security.protected_configs", PERMISSION, "no",
        "Whether CONFIG SET may change protected directives: never, always, or from this host only.").at_start(),
    choice("enable-debug-command", "security.debug_command", PERMISSION, "no",
        "Whether DEBUG may be called: never, always, or from this host only.").at_start(),
    choice("enable-module-command", "security.module_command", PERMISSION, "no",
        "Whether MODULE may be called: never, always, or from this host only.").at_start().later(),
    text("aclfile", "security.acl_file", "",
        "File of users; none when empty.").at_start().later(),
    integer("acllog-max-len", "security.acl_log_len", (0, i64::MAX), "128",
        "Entries that ACL LOG keeps.").later(),
    choice("acl-pubsub-default", "security.acl_pubsub_default", &["allchannels", "resetchannels"], "resetchannels",
        "Channels that a new user may use.").later(),
    switch("hide-user-data-from-log", "security.hide_user_data_from_log", false,
        "Keep the contents of keys and commands out of the log.").later(),
];

#[rustfmt::skip] // a row is two lines: how it is set, and what it is
pub(super) const TLS: &[Directive] = &[
    integer("tls-port", "tls.port", PORT, "0",
        "Port for TLS connections; 0 is none.").at_start().later(),
    text("tls-cert-file", "tls.cert_file", "",
        "Certificate of the server.").later(),
    text("tls-key-file", "tls.key_file", "",
        "Private key of the server.").later(),
    text("tls-key-file-pass", "tls.key_file_pass", "",
        "Password of the server's private key.").secret().later(),
    text("tls-client-cert-file", "tls.client_cert_file", "",
        "Certificate for outgoing connections, if not the server's.").later(),
    text("tls-client-key-file", "tls.client_key_file", "",
        "Private key for outgoing connections.").later(),
    text("tls-client-key-file-pass", "tls.client_key_file_pass", "",
        "Password of the private key for outgoing connections.").secret().later(),
    text("tls-dh-params-file", "tls.dh_params_file", "",
        "Diffie-Hellman parameters for old clients.").later(),
    text("tls-ca-cert-file", "tls.ca_cert_file", "",
        "Certificates of the authorities that sign clients.").later(),
    text("tls-ca-cert-dir", "tls.ca_cert_dir", "",
        "Directory of certificates of authorities.").later(),
    choice("tls-auth-clients", "tls.auth_clients", &["no", "yes", "optional"], "yes",
        "Whether clients must show a certificate.").later(),
    switch("tls-replication", "tls.replication", false,
        "Use TLS towards the primary.").later(),
    switch("tls-cluster", "tls.cluster", false,
        "Use TLS on the cluster bus.").later(),
    text("tls-protocols", "tls.protocols", "",
        "TLS versions to speak; all safe ones when empty.").later(),
    text("tls-ciphers", "tls.ciphers", "",
        "Ciphers for TLS 1.2.").later(),
    text("tls-ciphersuites", "tls.ciphersuites", "",
        "Ciphersuites for TLS 1.3.").later(),
    switch("tls-prefer-server-ciphers", "tls.prefer_server_ciphers", false,
        "Let the server's order of ciphers decide.").later(),
    switch("tls-session-caching", "tls.session_caching", true,
        "Let clients resume sessions.").later(),
    integer("tls-session-cache-size", "tls.session_cache_len", INT, "20480",
        "Sessions remembered; 0 is no limit.").later(),
    integer("tls-session-cache-timeout", "tls.session_cache_timeout_seconds", INT, "300",
        "Seconds a session is remembered.").later(),
];
