//! HTTP in front of this node, if the operator wants it.

use std::io;
use std::time::Duration;

use stoa_config::Config;
use stoa_engine::Table;
use stoa_uring::{Entrance, Peer};

use crate::listen;
use crate::log::Log;

/// Files of the adapter as a whole: its event queue and what wakes it.
const OF_ADAPTER: u64 = 8;
/// Files of one of its connections beside the shard's end, which counts as a client's.
const OF_CONNECTION: u64 = 2;

/// Open files that the adapter may need.
pub(crate) fn files(config: &Config) -> u64 {
    if config.http.port == 0 {
        return 0;
    }
    OF_ADAPTER
        + config.http.bind.len() as u64
        + OF_CONNECTION * u64::from(config.http.max_connections)
}

/// Takes its ports; nothing if it is off.
///
/// # Errors
/// When a port is taken, with what to do about it.
pub(crate) fn bind(config: &Config) -> io::Result<Option<stoa_http::Bound>> {
    let addrs = listen::http_addresses(config)?;
    if addrs.is_empty() {
        return Ok(None);
    }
    let origins = config.http.allow_origin.as_deref().unwrap_or_default();
    let options = stoa_http::Options {
        addrs,
        origins: String::from_utf8_lossy(origins).split_whitespace().map(str::to_owned).collect(),
        timeout: Duration::from_secs(u64::from(config.http.timeout_s)),
        body_max: usize::try_from(config.http.max_body).unwrap_or(usize::MAX),
        connections_max: config.http.max_connections as usize,
        tcp_keepalive_s: config.tcp_keepalive_s,
    };
    stoa_http::bind(options).map(Some)
}

/// Begins to serve what was bound, by way of the node's entrance.
///
/// # Errors
/// When the system has no thread to give.
pub(crate) fn serve(
    bound: Option<stoa_http::Bound>,
    table: &'static Table,
    entrance: Entrance,
    log: &Log,
) -> io::Result<Option<stoa_http::Running>> {
    let Some(bound) = bound else { return Ok(None) };
    let bring: stoa_http::Bring = std::sync::Arc::new(move |socket, peer, local| {
        entrance.bring(socket.into(), Peer::Tcp { peer, local })
    });
    let running = bound.serve(table, bring)?;
    log.notice(&format!("JSON over HTTP and WebSocket: {}", listen::places(&running.addrs, None)));
    Ok(Some(running))
}
