//! A service that understands just enough to be measured: it counts requests and answers each
//! with a constant. What remains in a profile is the driver.
//!
//! `echo [--port 7000] [--shards 1] [--driver auto] [--looks 5] [--yields 5] [--no-pin]
//! [--hop]`; with `--hop` every request is answered by another shard. Load it with
//! `redis-benchmark -p 7000 -t get -P 16`.

use std::collections::{HashMap, VecDeque};

use stoa_stdx::{ConnId, MonoMs, ShardId};
use stoa_uring::{Action, DriverChoice, Now, Options, Pass, Peer, Service, run};

fn main() {
    if let Err(error) = start() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn start() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    let (mut port, mut hop) = (7000, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--port" => port = value()?.parse()?,
            "--shards" => options.shards = value()?.parse()?,
            "--driver" => options.driver = value()?.parse::<DriverChoice>()?,
            "--looks" => options.tuning.looks_before_park = value()?.parse()?,
            "--yields" => options.tuning.yields_before_park = value()?.parse()?,
            "--no-pin" => options.pin = false,
            "--hop" => hop = true,
            _ => return Err(format!("unknown argument {arg}").into()),
        }
    }
    options.listeners = vec![([127, 0, 0, 1], port).into()];
    let shards = options.shards;
    let running = run(options, move |shard| Echo::new(shard, if hop { shards } else { 1 }))?;
    println!("listening on {:?}, io_uring: {}", running.addrs, running.uses_uring());
    running.join()?;
    Ok(())
}

struct Echo {
    shard: ShardId,
    shards: u16,
    conns: HashMap<ConnId, Conn>,
    actions: VecDeque<Action<Box<Count>>>,
    /// Outputs that no connection is filling.
    spares: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Conn {
    unread: Vec<u8>,
    out: Vec<u8>,
}

/// So many requests of `conn`, or so many answers to it.
struct Count {
    conn: ConnId,
    requests: usize,
    is_answer: bool,
}

const ANSWER: &[u8] = b"$3\r\nxxx\r\n";

impl Echo {
    fn new(shard: ShardId, shards: u16) -> Self {
        Self { shard, shards, conns: HashMap::new(), actions: VecDeque::new(), spares: Vec::new() }
    }

    fn answer(&mut self, conn: ConnId, requests: usize) {
        if let Some(row) = self.conns.get_mut(&conn) {
            if row.out.capacity() == 0 {
                row.out = self.spares.pop().unwrap_or_default();
            }
            (0..requests).for_each(|_| row.out.extend_from_slice(ANSWER));
            self.actions.push_back(Action::Send(conn));
        }
    }
}

impl Service for Echo {
    type Message = Box<Count>;

    fn open(&mut self, conn: ConnId, _: &Peer, _: Now, _: &mut Vec<u8>) -> bool {
        self.conns.insert(conn, Conn::default());
        true
    }

    fn pass(&mut self, input: &mut Pass<'_, Box<Count>>, _: Now) {
        for &(conn, bytes) in input.data {
            let Some(row) = self.conns.get_mut(&conn) else { continue };
            let requests = if row.unread.is_empty() {
                let (requests, used) = count(bytes);
                row.unread.extend_from_slice(&bytes[used..]);
                requests
            } else {
                row.unread.extend_from_slice(bytes);
                let (requests, used) = count(&row.unread);
                row.unread.drain(..used);
                requests
            };
            if requests == 0 {
                continue;
            }
            if self.shards == 1 {
                self.answer(conn, requests);
            } else {
                let to = ShardId((self.shard.0 + 1) % self.shards);
                let message = Box::new(Count { conn, requests, is_answer: false });
                self.actions.push_back(Action::Request { to, message });
            }
        }
        for (from, mut message) in input.messages.drain(..) {
            if message.is_answer {
                self.answer(message.conn, message.requests);
            } else {
                message.is_answer = true;
                self.actions.push_back(Action::Reply { to: from, message });
            }
        }
        for &conn in input.ended {
            self.actions.push_back(Action::Close { conn, after_flush: true });
        }
        for (conn, _) in input.closed {
            self.conns.remove(conn);
        }
    }

    fn poll(&mut self) -> Option<Action<Box<Count>>> {
        self.actions.pop_front()
    }

    fn take_output(&mut self, conn: ConnId, spare: Vec<u8>) -> Vec<u8> {
        // At most one for each connection that is writing, because only those call for it.
        if spare.capacity() > 0 {
            self.spares.push(spare);
        }
        self.conns.get_mut(&conn).map(|row| std::mem::take(&mut row.out)).unwrap_or_default()
    }

    fn poll_timeout(&self) -> Option<MonoMs> {
        None
    }

    fn busy(&self) -> bool {
        false
    }
}

/// How many whole requests `bytes` begins with, and how long they are.
fn count(bytes: &[u8]) -> (usize, usize) {
    let (mut requests, mut used) = (0, 0);
    while let Some(len) = request_len(&bytes[used..]) {
        requests += 1;
        used += len;
    }
    (requests, used)
}

fn request_len(bytes: &[u8]) -> Option<usize> {
    let (args, mut at) = number(bytes, b'*')?;
    for _ in 0..args {
        let (len, head) = number(bytes.get(at..)?, b'$')?;
        at += head + len + 2;
    }
    (at <= bytes.len()).then_some(at)
}

/// The number of a line such as `*3\r\n`, and the length of the line.
fn number(bytes: &[u8], first: u8) -> Option<(usize, usize)> {
    let (&mark, rest) = bytes.split_first()?;
    assert_eq!(mark, first, "redis-benchmark sends nothing else");
    let mut number = 0;
    for (n, &byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + usize::from(byte - b'0'),
            _ => return Some((number, n + 3)),
        }
    }
    None
}
