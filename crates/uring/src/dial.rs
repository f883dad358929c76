//! Connections that a shard asks for, made by a thread of their own for each.
//!
//! A name is looked up and a connection opened by calls that block, and looking up a name has no other
//! kind; so a thread does both and brings the socket to its shard as a guest (see `entrance`). Such
//! connections are rare and are kept when they are there: a thread costs some 50 µs for what takes at least one way
//! to another host and back. No more than [`DIALS_MAX`] are under way, so that a host that swallows
//! packets cannot fill the process with threads.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stoa_stdx::ShardId;

use crate::entrance::Guest;
use crate::park::Shared;
use crate::service::Unlinked;

/// Connections under way at once, for the whole process.
const DIALS_MAX: usize = 64;

static DIALS: AtomicUsize = AtomicUsize::new(0);

/// Where to, and for whom.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    pub(crate) tag: u64,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) timeout_ms: u64,
}

/// Connects; the shard finds what came of it in its hall.
pub(crate) fn dial(shared: &Arc<Shared>, shard: ShardId, dial: Dial) {
    let tag = dial.tag;
    let bring = move |shared: &Shared, linked| {
        shared.hall(shard).put(Guest::Linked { tag, linked });
        shared.bell(shard).wake();
    };
    if DIALS.fetch_add(1, Ordering::Relaxed) >= DIALS_MAX {
        DIALS.fetch_sub(1, Ordering::Relaxed);
        return bring(shared, Err(Unlinked::Unreached));
    }
    let there = Arc::clone(shared);
    let thread = std::thread::Builder::new().name("dial".to_owned()).spawn(move || {
        let linked = connect(&dial).map(Into::into);
        DIALS.fetch_sub(1, Ordering::Relaxed);
        bring(&there, linked);
    });
    if thread.is_err() {
        DIALS.fetch_sub(1, Ordering::Relaxed);
        bring(shared, Err(Unlinked::Unreached));
    }
}

/// Tries each address that the name has, until one answers or the time is up.
fn connect(dial: &Dial) -> Result<TcpStream, Unlinked> {
    let until = Instant::now().checked_add(Duration::from_millis(dial.timeout_ms));
    let addrs = (dial.host.as_str(), dial.port).to_socket_addrs();
    let mut why = Unlinked::Unreached;
    for addr in addrs.map_err(|_| Unlinked::Unreached)? {
        let left = until.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Err(Unlinked::Unreached);
        }
        match TcpStream::connect_timeout(&addr, left) {
            Ok(socket) => {
                // Requests leave in large pieces, and the last must not wait.
                let _ = socket.set_nodelay(true);
                return Ok(socket);
            }
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {}
            Err(_) => why = Unlinked::Refused,
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(host: &str, port: u16) -> Dial {
        Dial { tag: 1, host: host.to_owned(), port, timeout_ms: 10_000 }
    }

    #[test]
    fn who_listens_is_reached_by_address_and_by_name() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        for host in ["127.0.0.1", "localhost"] {
            let socket = connect(&to(host, port)).expect("somebody listens");
            assert_eq!(socket.peer_addr().expect("connected").port(), port);
        }
    }

    #[test]
    fn nobody_is_told_from_nowhere() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        assert_eq!(connect(&to("127.0.0.1", port)).err(), Some(Unlinked::Refused));
        assert_eq!(connect(&to("no such host", port)).err(), Some(Unlinked::Unreached));
        let late = Dial { timeout_ms: 0, ..to("127.0.0.1", port) };
        assert_eq!(connect(&late).err(), Some(Unlinked::Unreached));
    }
}
