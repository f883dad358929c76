//! A service of words on lines, with a word for each thing a driver must get right, and the
//! harness that runs a test on every driver.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stoa_stdx::{ConnId, MonoMs, ShardId};
use stoa_uring::{
    Action, DriverChoice, Now, Options, Pass, Peer, Running, Service, Stop, Unlinked, run,
};

/// Nothing here takes this long; a test that hangs fails instead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the service counts, for tests to look at from outside.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) open: AtomicUsize,
    pub(crate) lost: AtomicUsize,
    pub(crate) ended: AtomicUsize,
    pub(crate) sent: AtomicUsize,
    pub(crate) passes: AtomicUsize,
    pub(crate) stopping: AtomicUsize,
}

impl Counts {
    pub(crate) fn get(counter: &AtomicUsize) -> usize {
        counter.load(Ordering::SeqCst)
    }

    fn add(counter: &AtomicUsize, count: usize) {
        counter.fetch_add(count, Ordering::SeqCst);
    }
}

/// One test's node.
pub(crate) struct Node {
    pub(crate) addr: SocketAddr,
    pub(crate) counts: Arc<Counts>,
    pub(crate) name: &'static str,
    pub(crate) stop: Stop,
    running: Running,
}

/// The drivers that every test runs on.
pub(crate) const DRIVERS: [(&str, DriverChoice); 2] =
    [("uring", DriverChoice::Uring), ("poll", DriverChoice::Poll)];

/// Runs `test` on each driver, with a node made of `options`.
pub(crate) fn on_each_driver(options: impl Fn(&mut Options), test: impl Fn(&Node)) {
    for (name, driver) in DRIVERS {
        let listeners = vec![([127, 0, 0, 1], 0).into()];
        let mut wanted = Options { driver, listeners, pin: false, ..Options::default() };
        options(&mut wanted);
        let node = Node::start(name, wanted);
        test(&node);
        node.end();
    }
}

impl Node {
    pub(crate) fn start(name: &'static str, options: Options) -> Self {
        let counts = Arc::new(Counts::default());
        let (seen, shards) = (Arc::clone(&counts), options.shards);
        let running = run(options, move |shard| Lines::new(shard, shards, Arc::clone(&seen)))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let stop = running.stop_handle();
        Self { addr: running.addrs[0], counts, name, stop, running }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.addr).expect("the node listens"))
    }

    /// A client that comes through the entrance instead of a listener.
    pub(crate) fn guest(&self) -> BufReader<UnixStream> {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let peer = Peer::Unix { path: "guest".to_owned() };
        self.running.entrance().bring(theirs.into(), peer).expect("the node runs");
        BufReader::new(ours)
    }

    pub(crate) fn end(self) {
        self.stop.stop();
        let name = self.name;
        self.join().unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    pub(crate) fn join(self) -> std::io::Result<()> {
        self.running.join()
    }

    /// Waits until `done`, asking the node itself in between.
    pub(crate) fn wait_until(&self, what: &str, done: impl Fn(&Counts) -> bool) {
        let start = std::time::Instant::now();
        let mut client = self.connect();
        while !done(&self.counts) {
            assert!(start.elapsed() < PATIENCE, "{}: {what}: {:?}", self.name, self.counts);
            client.ask("echo waiting");
        }
    }
}

/// A blocking client that gives up after [`PATIENCE`].
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    fn new(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        let reader = BufReader::new(socket.try_clone().expect("a second handle"));
        Self { socket, reader }
    }

    pub(crate) fn say(&mut self, line: &str) {
        self.socket.write_all(format!("{line}\n").as_bytes()).expect("the node reads");
    }

    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("the node answers");
        line.truncate(line.trim_end().len());
        line
    }

    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }

    /// Everything until the node closes; a reset counts as the end.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let result = self.reader.read_to_end(&mut rest);
        let timed_out = result.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!timed_out, "the node neither answers nor closes");
        rest
    }
}

/// The service.
pub(crate) struct Lines {
    shard: ShardId,
    shards: u16,
    counts: Arc<Counts>,
    conns: BTreeMap<(u32, u32), Conn>,
    actions: VecDeque<Action<Box<Mail>>>,
    /// When, whom, and what then.
    due: Vec<(MonoMs, ConnId, Then)>,
    /// Portions left, and whom to tell.
    chores: Vec<(u32, ConnId)>,
    /// A connection that was asked for is there, or will not be.
    has_news: bool,
}

#[derive(Default)]
struct Conn {
    unread: Vec<u8>,
    out: Vec<u8>,
    hops: usize,
    ended: bool,
    closing: bool,
}

#[derive(Clone, Copy)]
enum Then {
    Resume,
    Say,
}

/// A line for another shard, or its answer.
pub(crate) struct Mail {
    conn: ConnId,
    line: String,
    is_answer: bool,
}

impl Lines {
    fn new(shard: ShardId, shards: u16, counts: Arc<Counts>) -> Self {
        let (conns, actions) = (BTreeMap::new(), VecDeque::new());
        let (due, chores, has_news) = (Vec::new(), Vec::new(), false);
        Self { shard, shards, counts, conns, actions, due, chores, has_news }
    }

    fn say(&mut self, conn: ConnId, line: &str) {
        if let Some(row) = self.conns.get_mut(&key(conn)).filter(|row| !row.closing) {
            row.out.extend_from_slice(line.as_bytes());
            row.out.push(b'\n');
            self.actions.push_back(Action::Send(conn));
        }
    }

    fn run(&mut self, conn: ConnId, line: &str, now: Now) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number = || rest.parse::<u64>().expect("a number");
        match word {
            "echo" => self.say(conn, rest),
            "shard" => self.say(conn, &self.shard.0.to_string()),
            "big" => self.say(conn, &"x".repeat(number() as usize)),
            "hop" => self.hop(conn, rest),
            "pause" => {
                self.actions.push_back(Action::PauseRead(conn));
                self.due.push((MonoMs(now.mono.ms().0 + number()), conn, Then::Resume));
            }
            "later" => self.due.push((MonoMs(now.mono.ms().0 + number()), conn, Then::Say)),
            "chore" => self.chores.push((number() as u32, conn)),
            // Tells the asker what came of it, and says hello there.
            "dial" => {
                let tag = u64::from(conn.index) << 32 | u64::from(conn.generation);
                let host = "localhost".to_owned();
                let port = number() as u16;
                self.actions.push_back(Action::Connect { tag, host, port, timeout_ms: 20_000 });
            }
            "quit" => {
                self.say(conn, "bye");
                self.close(conn, true);
            }
            "panic" => panic!("asked to"),
            "kill" => self.close(conn, false),
            // Closes the oldest connection of this shard, whatever it is doing.
            "killfirst" => {
                let (&(index, generation), _) = self.conns.iter().next().expect("the asker");
                self.close(ConnId { index, generation }, false);
                self.say(conn, "killed");
            }
            "shutdown" => {
                self.say(conn, "going");
                self.actions.push_back(Action::Shutdown);
            }
            _ => self.say(conn, "what?"),
        }
    }

    /// Asks the next shard, or itself if it is alone.
    fn hop(&mut self, conn: ConnId, rest: &str) {
        let to = ShardId((self.shard.0 + 1) % self.shards);
        if to == self.shard {
            return self.say(conn, rest);
        }
        self.conns.get_mut(&key(conn)).expect("it asks").hops += 1;
        let message = Box::new(Mail { conn, line: rest.to_owned(), is_answer: false });
        self.actions.push_back(Action::Request { to, message });
    }

    fn close(&mut self, conn: ConnId, after_flush: bool) {
        self.actions.push_back(Action::Close { conn, after_flush });
        Counts::add(&self.counts.open, usize::MAX);
        if let Some(row) = self.conns.get_mut(&key(conn)) {
            row.closing = true;
        }
    }

    fn close_if_done(&mut self, conn: ConnId) {
        if self.conns.get(&key(conn)).is_some_and(|row| row.ended && row.hops == 0 && !row.closing)
        {
            self.close(conn, true);
        }
    }

    fn feed(&mut self, conn: ConnId, bytes: &[u8], now: Now) {
        let Some(row) = self.conns.get_mut(&key(conn)) else { return };
        row.unread.extend_from_slice(bytes);
        let Some(end) = row.unread.iter().rposition(|&byte| byte == b'\n') else { return };
        let rest = row.unread.split_off(end + 1);
        let whole = std::mem::replace(&mut row.unread, rest);
        for line in whole.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            self.run(conn, &String::from_utf8_lossy(line), now);
        }
    }
}

impl Service for Lines {
    type Message = Box<Mail>;

    fn open(&mut self, conn: ConnId, peer: &Peer, _: Now, out: &mut Vec<u8>) -> bool {
        assert!(!peer.to_string().is_empty());
        assert!(self.conns.insert(key(conn), Conn::default()).is_none(), "{conn:?} is known");
        if self.conns.len() > CONNS_MAX {
            self.conns.remove(&key(conn));
            out.extend_from_slice(b"too many\n");
            return false;
        }
        Counts::add(&self.counts.open, 1);
        true
    }

    fn linked(&mut self, tag: u64, linked: Result<ConnId, Unlinked>, _: Now) {
        let asker = ConnId { index: (tag >> 32) as u32, generation: tag as u32 };
        if let Ok(conn) = linked {
            assert!(self.conns.insert(key(conn), Conn::default()).is_none(), "{conn:?} is known");
            Counts::add(&self.counts.open, 1);
            self.say(conn, "hello");
        }
        self.say(asker, &format!("{:?}", linked.map(|_| "linked")));
        self.has_news = true;
    }

    fn pass(&mut self, input: &mut Pass<'_, Box<Mail>>, now: Now) {
        self.has_news = false;
        Counts::add(&self.counts.passes, 1);
        Counts::add(&self.counts.stopping, usize::from(input.stopping));
        for &(conn, bytes) in input.data {
            self.feed(conn, bytes, now);
        }
        for (from, mut mail) in input.messages.drain(..) {
            if mail.is_answer {
                if let Some(row) = self.conns.get_mut(&key(mail.conn)) {
                    row.hops -= 1;
                }
                self.say(mail.conn, &mail.line);
                self.close_if_done(mail.conn);
            } else {
                mail.is_answer = true;
                self.actions.push_back(Action::Reply { to: from, message: mail });
            }
        }
        for &(_, count) in input.sent {
            Counts::add(&self.counts.sent, count);
        }
        for &conn in input.ended {
            Counts::add(&self.counts.ended, 1);
            if let Some(row) = self.conns.get_mut(&key(conn)) {
                row.ended = true;
            }
            self.close_if_done(conn);
        }
        for (conn, _) in input.closed {
            assert!(self.conns.remove(&key(*conn)).is_some(), "{conn:?} closed twice");
            Counts::add(&self.counts.lost, 1);
            Counts::add(&self.counts.open, usize::MAX);
        }
        for (at, conn, then) in std::mem::take(&mut self.due) {
            match then {
                _ if at > now.mono.ms() => self.due.push((at, conn, then)),
                Then::Resume => self.actions.push_back(Action::ResumeRead(conn)),
                Then::Say => self.say(conn, "now"),
            }
        }
        for (portions, conn) in std::mem::take(&mut self.chores) {
            match portions {
                0 => self.say(conn, "done"),
                _ => self.chores.push((portions - 1, conn)),
            }
        }
    }

    fn poll(&mut self) -> Option<Action<Box<Mail>>> {
        self.actions.pop_front()
    }

    fn take_output(&mut self, conn: ConnId, spare: Vec<u8>) -> Vec<u8> {
        assert!(spare.is_empty());
        let Some(row) = self.conns.get_mut(&key(conn)) else { return spare };
        let out = std::mem::replace(&mut row.out, spare);
        if row.closing {
            // The driver fetched the last of it.
            self.conns.remove(&key(conn));
        }
        out
    }

    fn poll_timeout(&self) -> Option<MonoMs> {
        self.due.iter().map(|&(at, ..)| at).min()
    }

    fn busy(&self) -> bool {
        !self.chores.is_empty() || self.has_news
    }
}

/// Connections a shard takes before it refuses.
pub(crate) const CONNS_MAX: usize = 300;

fn key(conn: ConnId) -> (u32, u32) {
    (conn.index, conn.generation)
}
