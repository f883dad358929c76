//! Listening sockets, and what is set on each accepted one.
//!
//! Made by hand, for SO_REUSEADDR: without it a restarted server cannot listen for a minute. Each shard has a socket of its own on the same address
//! (SO_REUSEPORT), so that the kernel spreads the connections and no shard hands them on.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use crate::options::{Options, UnixSocket};
use crate::service::Peer;

/// One socket that a shard accepts on.
pub(crate) struct Listener {
    pub(crate) fd: OwnedFd,
    pub(crate) kind: ListenerKind,
}

#[derive(Clone, Debug)]
pub(crate) enum ListenerKind {
    Tcp { keepalive_s: u32 },
    Unix { path: String },
}

/// The listeners of every shard, and the addresses they ended up on.
pub(crate) fn listen(options: &Options) -> io::Result<(Vec<Vec<Listener>>, Vec<SocketAddr>)> {
    let mut by_shard: Vec<Vec<Listener>> = (0..options.shards).map(|_| Vec::new()).collect();
    let mut addrs = Vec::new();
    for &wanted in &options.listeners {
        let mut addr = wanted;
        refuse_shared(addr).map_err(|e| cannot_listen(&addr, &e))?;
        for listeners in &mut by_shard {
            let socket = tcp(addr, options.backlog).map_err(|e| cannot_listen(&addr, &e))?;
            // With port 0 the first socket chooses, and the others join it.
            addr = socket.local_addr()?.as_socket().unwrap_or(addr);
            let kind = ListenerKind::Tcp { keepalive_s: options.tcp_keepalive_s };
            listeners.push(Listener { fd: socket.into(), kind });
        }
        addrs.push(addr);
    }
    if let Some(place) = &options.unix {
        let socket =
            unix(place, options.backlog).map_err(|e| cannot_listen(&place.path.display(), &e))?;
        let kind = ListenerKind::Unix { path: place.path.display().to_string() };
        by_shard[0].push(Listener { fd: socket.into(), kind });
    }
    Ok((by_shard, addrs))
}

/// Prepares an accepted socket and says who it is.
pub(crate) fn accepted(socket: impl AsFd, kind: &ListenerKind) -> io::Result<Peer> {
    let socket = SockRef::from(&socket);
    match kind {
        ListenerKind::Tcp { keepalive_s } => {
            // Replies leave in one send a batch; waiting for more would only delay them.
            socket.set_tcp_nodelay(true)?;
            if *keepalive_s > 0 {
                let idle = Duration::from_secs(u64::from(*keepalive_s));
                let between = Duration::from_secs(u64::from((*keepalive_s / 3).max(1)));
                let probe = TcpKeepalive::new().with_time(idle).with_interval(between);
                socket.set_tcp_keepalive(&probe.with_retries(3))?;
            }
            let not_inet = || io::Error::from(io::ErrorKind::InvalidData);
            Ok(Peer::Tcp {
                peer: socket.peer_addr()?.as_socket().ok_or_else(not_inet)?,
                local: socket.local_addr()?.as_socket().ok_or_else(not_inet)?,
            })
        }
        ListenerKind::Unix { path } => Ok(Peer::Unix { path: path.clone() }),
    }
}

/// How often, and how far apart, a taken port is tried again.
const TAKEN_TRIES: usize = 50;
const TAKEN_REST: Duration = Duration::from_millis(20);

/// SO_REUSEPORT would let a second server of the same user join this port, and each would get
/// half of the connections. A bind without it fails if anybody listens there.
///
/// Tried for a second: when a server is killed, the kernel takes its ring apart after the process
/// is gone, and only then closes its sockets, so a prompt restart would find its own port taken.
fn refuse_shared(addr: SocketAddr) -> io::Result<()> {
    for _ in 1..TAKEN_TRIES {
        match bind_alone(addr) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                std::thread::sleep(TAKEN_REST);
            }
            result => return result,
        }
    }
    bind_alone(addr)
}

fn bind_alone(addr: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SockAddr::from(addr))
}

fn tcp(addr: SocketAddr, backlog: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if addr.is_ipv6() {
        // So that `0.0.0.0` and `[::]` can both be listed.
        socket.set_only_v6(true)?;
    }
    socket.bind(&SockAddr::from(addr))?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn unix(place: &UnixSocket, backlog: u32) -> io::Result<Socket> {
    remove_stale(&place.path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(&place.path)?)?;
    if let Some(mode) = place.mode {
        std::fs::set_permissions(&place.path, std::fs::Permissions::from_mode(mode))?;
    }
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// An earlier run may have left its socket; anything else at that path is not ours to remove.
fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn cannot_listen(place: &dyn std::fmt::Display, error: &io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "; stop what is using it, or choose another",
        io::ErrorKind::PermissionDenied => "; choose a port above 1023, or a path you may write to",
        io::ErrorKind::AddrNotAvailable => "; choose an address that this host has",
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot listen on {place}: {error}{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_listens_on_the_one_port_that_was_picked() {
        let any = "127.0.0.1:0".parse().expect("an address");
        let options = Options { shards: 3, listeners: vec![any], ..Options::default() };
        let (by_shard, addrs) = listen(&options).expect("a free port");
        assert_eq!(by_shard.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
        for listener in by_shard.iter().flatten() {
            let found = SockRef::from(&listener.fd).local_addr().expect("bound");
            assert_eq!(found.as_socket(), Some(addrs[0]));
        }
    }

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        let blocker = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = blocker.local_addr().expect("bound");
        let options = Options { listeners: vec![addr], ..Options::default() };
        let error = listen(&options).err().expect("taken").to_string();
        assert!(error.contains(&addr.to_string()) && error.contains("choose another"), "{error}");
    }
}
