//! MIGRATE over real sockets: between servers of ours on both drivers, to and from a Redis if this host
//! has one, and to who answers nothing or what is no answer.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use stoa_client::{Connection, Endpoint, Value};
use stoa_conformance::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_stoa-server");
const REDIS: &str = "/usr/bin/redis-server";
/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The same for MIGRATE, milliseconds.
const PATIENCE_MS: &str = "120000";

struct Node {
    _server: Server,
    client: Connection,
    port: String,
}

impl Node {
    fn of(program: &str, arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        let server = Server::start(Path::new(program), &arguments).expect("it starts");
        let endpoint = server.endpoint().clone();
        let Endpoint::Tcp { port, .. } = &endpoint else { unreachable!("it is asked for one") };
        let port = port.to_string();
        let client = Connection::connect(&endpoint, Some(PATIENCE)).expect("it listens");
        Self { _server: server, client, port }
    }

    fn ours(shards: &str, driver: &str) -> Self {
        let rest = ["--shards", shards, "--pin", "no", "--enable-debug-command", "yes"];
        Self::of(PROGRAM, &[&rest[..], &["--driver", driver]].concat())
    }

    /// None, said aloud, where there is no Redis.
    fn redis() -> Option<Self> {
        if !Path::new(REDIS).exists() {
            eprintln!("not checked against Redis: {REDIS} is not installed");
            return None;
        }
        Some(Self::of(REDIS, &[]))
    }

    fn ask(&mut self, words: &[&str]) -> Value {
        self.client.call(words).expect("it answers")
    }

    /// The answer as text.
    fn tell(&mut self, words: &[&str]) -> String {
        match self.ask(words) {
            Value::Simple(text) | Value::Bulk(text) => String::from_utf8_lossy(&text).into_owned(),
            Value::Int(number) => number.to_string(),
            Value::Error(text) => format!("-{}", String::from_utf8_lossy(&text)),
            other => format!("{other:?}"),
        }
    }

    fn digests(&mut self, keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| self.tell(&["DEBUG", "DIGEST-VALUE", key])).collect()
    }

    /// Gives keys to another.
    fn migrate(&mut self, to: &Self, keys: &[&str]) -> String {
        let words = ["MIGRATE", "127.0.0.1", &to.port, "", "0", PATIENCE_MS, "KEYS"];
        self.tell(&[&words[..], keys].concat())
    }
}

/// Small and large values of every type, made by scripts that any server runs.
const VALUES: [(&str, &str); 14] = [
    ("string", "redis.call('set', KEYS[1], 'value')"),
    ("integer", "redis.call('set', KEYS[1], '-1234567890123')"),
    ("long", "redis.call('set', KEYS[1], string.rep('0123456789', 300000))"),
    ("list", "redis.call('rpush', KEYS[1], 'a', '2', string.rep('x', 9000))"),
    ("queue", "for n = 1, 60000 do redis.call('rpush', KEYS[1], 'element:' .. n) end"),
    ("integers", "redis.call('sadd', KEYS[1], 1, 2, -70000)"),
    ("set", "redis.call('sadd', KEYS[1], 'a', 'b', 3)"),
    ("members", "for n = 1, 60000 do redis.call('sadd', KEYS[1], 'member:' .. n) end"),
    ("sorted", "redis.call('zadd', KEYS[1], 1.5, 'a', '-inf', 'b')"),
    ("scores", "for n = 1, 60000 do redis.call('zadd', KEYS[1], n % 977, 'm:' .. n) end"),
    ("hash", "redis.call('hset', KEYS[1], 'f', 'v', 'g', '7')"),
    ("fields", "for n = 1, 60000 do redis.call('hset', KEYS[1], 'field:' .. n, n) end"),
    ("stream", "for n = 1, 900 do redis.call('xadd', KEYS[1], n .. '-1', 'f', n) end"),
    ("sketch", "for n = 1, 3000 do redis.call('pfadd', KEYS[1], n) end"),
];

fn fill(node: &mut Node) -> Vec<&'static str> {
    for (key, script) in VALUES {
        assert_eq!(node.tell(&["EVAL", &format!("{script} return 1"), "1", key]), "1", "{key}");
    }
    assert_eq!(node.tell(&["PEXPIRE", "hash", "5000000"]), "1");
    VALUES.map(|(key, _)| key).to_vec()
}

#[test]
fn every_value_goes_from_one_server_to_another_and_back() {
    let mut one = Node::ours("2", "auto");
    let mut two = Node::ours("3", "poll");
    let keys = fill(&mut one);
    let was = one.digests(&keys);
    for _ in 0..2 {
        assert_eq!(one.migrate(&two, &keys), "OK");
        assert_eq!(one.tell(&["DBSIZE"]), "0");
        assert_eq!(two.digests(&keys), was);
        let ttl: i64 = two.tell(&["PTTL", "hash"]).parse().expect("a number");
        assert!((4_000_000..=5_000_000).contains(&ttl), "{ttl}");
        assert_eq!(two.migrate(&one, &keys), "OK");
        assert_eq!(two.tell(&["DBSIZE"]), "0");
        assert_eq!(one.digests(&keys), was);
    }
}

#[test]
fn redis_takes_what_it_is_given_and_gives_it_back() {
    let Some(mut redis) = Node::redis() else { return };
    let mut ours = Node::ours("2", "auto");
    let keys = fill(&mut ours);
    let was = ours.digests(&keys);
    assert_eq!(ours.migrate(&redis, &keys), "OK");
    assert_eq!(ours.tell(&["DBSIZE"]), "0");
    assert_eq!(redis.tell(&["DBSIZE"]), keys.len().to_string());
    assert_eq!(redis.tell(&["TYPE", "stream"]), "stream");
    assert_eq!(redis.migrate(&ours, &keys), "OK");
    assert_eq!(ours.digests(&keys), was);
    // What that Redis is too old for is refused by it, and stays.
    ours.tell(&["XGROUP", "CREATE", "stream", "group", "0"]);
    ours.tell(&["XREADGROUP", "GROUP", "group", "consumer", "STREAMS", "stream", ">"]);
    let version = redis.tell(&["INFO", "server"]);
    let is_old = ["6.", "7.0."].iter().any(|v| version.contains(&format!("redis_version:{v}")));
    let told = ours.migrate(&redis, &["stream", "set"]);
    if is_old {
        let refused = "-ERR Target instance replied with error: ERR ";
        assert!(told.starts_with(refused), "{told}");
        assert_eq!(ours.tell(&["EXISTS", "stream", "set"]), "1", "the other one went");
    } else {
        assert_eq!(told, "OK");
    }
}

#[test]
fn a_name_is_looked_up_and_a_closed_port_is_told_of() {
    let mut one = Node::ours("1", "auto");
    let two = Node::ours("1", "auto");
    assert_eq!(one.tell(&["SET", "k", "1"]), "OK");
    let words = ["MIGRATE", "no-such-host.invalid", &two.port, "k", "0", "20000"];
    let told = one.tell(&words);
    assert_eq!(told, "-IOERR error or timeout connecting to the client");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("bound").port().to_string();
    drop(free);
    let told = one.tell(&["MIGRATE", "127.0.0.1", &port, "k", "0", PATIENCE_MS]);
    assert_eq!(told, "-IOERR error or timeout writing to target instance");
    assert_eq!(one.tell(&["MIGRATE", "localhost", &two.port, "k", "0", PATIENCE_MS]), "OK");
    assert_eq!(one.tell(&["EXISTS", "k"]), "0");
}

#[test]
fn who_never_answers_holds_up_nobody_else() {
    let mut node = Node::ours("2", "auto");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("bound").port().to_string();
    node.tell(&["SET", "k", "1"]);
    node.client.send(&["MIGRATE", "127.0.0.1", &port, "k", "0", "300"]);
    let began = Instant::now();
    node.client.flush().expect("it reads");
    let (mut peer, _) = silent.accept().expect("the node connects");
    let Endpoint::Tcp { host, port } = local(&node.port) else { unreachable!("it is TCP") };
    let other = Endpoint::Tcp { host, port };
    let mut other = Connection::connect(&other, Some(PATIENCE)).expect("it listens");
    for n in 0..100 {
        let key = format!("other:{n}");
        let told = other.call(&["SET", key.as_str(), "1"]).expect("it answers");
        assert_eq!(told, Value::Simple(b"OK".to_vec()));
    }
    let told = node.client.receive().expect("an answer");
    let reading = "IOERR error or timeout reading to target instance";
    assert_eq!(told, Value::Error(reading.into()));
    assert!(began.elapsed() >= Duration::from_millis(300));
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).expect("the node closes it");
    assert!(heard.starts_with(b"*2\r\n$6\r\nSELECT\r\n"), "{heard:?}");
    assert_eq!(node.tell(&["GET", "k"]), "1");
}

fn local(port: &str) -> Endpoint {
    stoa_conformance::local(port.parse().expect("a port"))
}

#[test]
fn endless_garbage_is_not_listened_to() {
    let mut node = Node::ours("1", "auto");
    let peer = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = peer.local_addr().expect("bound").port().to_string();
    node.tell(&["SET", "k", "1"]);
    let talker = std::thread::spawn(move || {
        let (mut socket, _) = peer.accept().expect("the node connects");
        // Until it is cut off.
        while socket.write_all(&[b'+'; 65_536]).is_ok() {}
    });
    let told = node.tell(&["MIGRATE", "127.0.0.1", &port, "k", "0", PATIENCE_MS]);
    assert!(told.contains("no answer to RESTORE"), "{told}");
    talker.join().expect("it is cut off");
    assert_eq!(node.tell(&["GET", "k"]), "1");
}
