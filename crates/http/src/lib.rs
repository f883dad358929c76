//! HTTP and WebSocket in front of the shards: translates, and executes nothing.
//!
//! One thread beside the shards takes the connections, turns JSON into the requests a RESP client would
//! have sent, hands them to a shard through a socket pair, and turns the replies back. So the shard sees
//! one client more, with that client's address: login, limits, transactions, waiting commands, channels
//! are its own and need nothing here, and this thread never touches a shard's memory. The answers to one
//! request are held here until the last has come, up to a bound of this room's own.
//!
//! Each HTTP request is a client of its own, gone when it is answered: requests of different people
//! share a connection behind a proxy, and nothing of one (a login, a database, half a transaction) may
//! be left for the next. A WebSocket is one client for as long as it lasts.
//!
//! The price: a socket pair for each request and two more copies of its bytes, and one core's worth of
//! translation however many shards there are. Who needs speed speaks RESP.

mod answer;
mod door;
mod serve;
mod session;
mod socket;
mod wire;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use stoa_engine::Table;
use tokio::sync::oneshot;

/// What the operator decides.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub addrs: Vec<SocketAddr>,
    /// Web pages of these origins may call; `*` is every page there is.
    pub origins: Vec<String>,
    /// How long the head of a request may take to come, its body again, and the next request.
    pub timeout: Duration,
    /// Longest body and longest WebSocket message, in bytes.
    pub body_max: usize,
    /// Connections at once.
    pub connections_max: usize,
    /// Probe idle peers after this many seconds; 0 never does.
    pub tcp_keepalive_s: u32,
}

/// Brings one end of a socket pair to a shard, on behalf of a client: its address and ours.
pub type Bring = Arc<dyn Fn(UnixStream, SocketAddr, SocketAddr) -> io::Result<()> + Send + Sync>;

/// Ports that are taken, with nobody behind them yet.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<TcpListener>,
    options: Options,
    /// The real addresses.
    pub addrs: Vec<SocketAddr>,
}

/// Takes the ports. Before the shards start, so that a taken one keeps the server from starting.
///
/// # Errors
/// As [`TcpListener::bind`], naming the address.
pub fn bind(options: Options) -> io::Result<Bound> {
    let listeners: Vec<TcpListener> =
        options.addrs.iter().map(listener).collect::<io::Result<_>>()?;
    let addrs = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
    Ok(Bound { listeners, options, addrs })
}

fn listener(addr: &SocketAddr) -> io::Result<TcpListener> {
    const BACKLOG: i32 = 511;
    let listen = || {
        let socket = Socket::new(Domain::for_address(*addr), Type::STREAM, None)?;
        // Else a restarted server could not listen for a minute.
        socket.set_reuse_address(true)?;
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&(*addr).into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    listen().map_err(|error: io::Error| {
        let text = format!(
            "cannot listen for HTTP on {addr}: {error}; choose another 'http-port' or 'http-bind'"
        );
        io::Error::new(error.kind(), text)
    })
}

impl Bound {
    /// Begins to serve, on a thread of its own.
    ///
    /// # Errors
    /// When the system gives no thread, or no event queue.
    pub fn serve(self, table: &'static Table, bring: Bring) -> io::Result<Running> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let addrs = self.addrs;
        let shared = serve::Shared::new(self.options, table, bring);
        let listeners = self.listeners;
        let thread = std::thread::Builder::new().name("http".into()).spawn(move || {
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, serve::run(listeners, shared, stopped));
        })?;
        Ok(Running { addrs, stop, thread })
    }
}

/// The adapter at work.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, with real ports.
    pub addrs: Vec<SocketAddr>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Running {
    /// Ends it, and everything it was still translating.
    pub fn stop(self) {
        // It may have ended by a panic already, which the process has reported.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}
