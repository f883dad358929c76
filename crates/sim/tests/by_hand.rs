//! Orders of messages and requests that no short run of seeds brings about, by hand.

use std::collections::VecDeque;
use std::sync::Arc;

use stoa_config::Config;
use stoa_engine::Facts;
use stoa_shard::{Action, Message, Moment, Pass, PeerFacts, Setup, Shard};
use stoa_stdx::{ConnId, HashSeed, MonoNs, ShardId, UnixMs, key_slot, owner_of};

const SHARDS: u16 = 3;

/// Three shards, one client each, and what is on its way between them.
struct Node {
    shards: Vec<Shard>,
    links: Vec<VecDeque<Message>>,
    outputs: Vec<String>,
    now: Moment,
}

impl Node {
    fn new() -> Self {
        let now = Moment { mono: MonoNs(1_000_000_000), unix: UnixMs(1_700_000_000_000) };
        let shards = (0..SHARDS).map(|number| {
            let setup = Setup {
                id: ShardId(number),
                shards: SHARDS,
                table: stoa_commands::table(),
                config: Config::default(),
                facts: Arc::new(Facts::default()),
                seed: HashSeed::new([1, 2, 3, 4]),
                chance: u64::from(number),
                now,
                clock: || MonoNs(0),
            };
            let mut shard = Shard::new(setup);
            for index in 0..2 {
                let peer = PeerFacts { is_local: true, clients: 1, ..PeerFacts::default() };
                shard.open(conn(index), peer, now, &mut Vec::new());
            }
            shard
        });
        Self {
            shards: shards.collect(),
            links: (0..SHARDS * SHARDS).map(|_| VecDeque::new()).collect(),
            outputs: (0..SHARDS * 2).map(|_| String::new()).collect(),
            now,
        }
    }

    fn pass(&mut self, at: usize, data: &[(ConnId, &[u8])], mut messages: Vec<(ShardId, Message)>) {
        self.now.mono.0 += 1_000;
        let (sent, ended, closed) = (&[], &[], &[]);
        let mut pass = Pass { data, sent, ended, closed, messages: &mut messages };
        self.shards[at].pass(&mut pass, self.now);
        self.act(at);
    }

    /// Carries out what a shard wants done.
    fn act(&mut self, at: usize) {
        while let Some(action) = self.shards[at].poll() {
            match action {
                Action::Send(conn) => {
                    let out = self.shards[at].take_output(conn, Vec::new());
                    let text = String::from_utf8(out).expect("replies of this test are text");
                    self.outputs[at * 2 + conn.index as usize] += &text;
                }
                Action::Request { to, message } | Action::Reply { to, message } => {
                    self.links[at * usize::from(SHARDS) + usize::from(to.0)].push_back(message);
                }
                other => panic!("nothing else was asked for: {other:?}"),
            }
        }
    }

    /// A client is gone.
    fn leave(&mut self, at: usize, client: u32) {
        let closed = [conn(client)];
        let mut messages = Vec::new();
        let (data, sent, ended) = (&[], &[], &[]);
        let mut pass = Pass { data, sent, ended, closed: &closed, messages: &mut messages };
        self.shards[at].pass(&mut pass, self.now);
        self.act(at);
    }

    /// A client says something.
    fn say(&mut self, at: usize, client: u32, line: &str) {
        self.pass(at, &[(conn(client), format!("{line}\r\n").as_bytes())], Vec::new());
    }

    /// What is on its way from one shard to another arrives, in one pass.
    fn deliver(&mut self, from: usize, to: usize) {
        let link = &mut self.links[from * usize::from(SHARDS) + to];
        let messages = link.drain(..).map(|message| (ShardId(from as u16), message)).collect();
        self.pass(to, &[], messages);
    }

    /// Everything between these shards arrives, until nothing is on its way.
    fn settle(&mut self, among: &[usize]) {
        for _ in 0..50 {
            for (from, to) in among.iter().flat_map(|from| among.iter().map(move |to| (*from, *to)))
            {
                if from != to {
                    self.deliver(from, to);
                }
            }
        }
    }

    fn heard(&mut self, at: usize, client: u32) -> String {
        std::mem::take(&mut self.outputs[at * 2 + client as usize])
    }
}

const fn conn(index: u32) -> ConnId {
    ConnId { index, generation: 0 }
}

/// A key of each shard.
fn keys() -> [String; SHARDS as usize] {
    std::array::from_fn(|shard| {
        let is_there =
            |key: &String| usize::from(owner_of(key_slot(key.as_bytes()), SHARDS).0) == shard;
        (0..).map(|n| format!("k{n}")).find(is_there).expect("slots are spread")
    })
}

/// A write that waits for lent keys is not passed by a reader who comes later. 200,000 seeds found it five
/// times. A request that comes while its shard has lent all keys takes a place in the order, and writes there when
/// the keys are back. A transaction with a later place then sees that write; so must whoever knows of
/// that transaction.
#[test]
fn who_knows_of_a_later_transaction_sees_the_write_that_it_saw() {
    let [a, b, c] = keys();
    let mut node = Node::new();
    // A script at shard 1 wants all keys, and has them; those of shard 0 are still on their way back.
    node.say(
        1,
        1,
        &format!("eval \"redis.call('set',ARGV[1],'x');return redis.call('del',ARGV[1])\" 0 {c}"),
    );
    let mut links = [(1, 0), (1, 2), (0, 1), (2, 1)].into_iter().cycle();
    while node.heard(1, 1).is_empty() {
        let (from, to) = links.next().expect("they go round");
        node.deliver(from, to);
    }
    node.deliver(1, 2);
    // A write at shard 0 waits for them.
    node.say(0, 0, &format!("set {a} 1"));
    assert_eq!(node.heard(0, 0), "", "the keys are not back");
    // A transaction reads here and at shard 1, where it has run; here it is not committed yet.
    node.say(2, 0, &format!("mget {a} {b}"));
    [(2, 0), (2, 1), (0, 2), (1, 2), (2, 1)]
        .into_iter()
        .for_each(|(from, to)| node.deliver(from, to));
    // Somebody writes at shard 1, after it, and then reads here, as the keys come back.
    node.say(1, 0, &format!("set {b} 9"));
    assert_eq!(node.heard(1, 0), "+OK\r\n");
    node.say(1, 0, &format!("get {a}"));
    node.deliver(1, 0);
    node.settle(&[0, 1, 2]);
    assert_eq!(node.heard(0, 0), "+OK\r\n");
    assert_eq!(node.heard(2, 0), "*2\r\n$1\r\n1\r\n$-1\r\n", "the write, and not what came later");
    assert_eq!(node.heard(1, 0), "$1\r\n1\r\n", "the write that the transaction before it saw");
}

/// News about cached keys may stand behind the reply that a client waits for, which ends the wait all the
/// same, and more news is told meanwhile.
#[test]
fn who_waits_for_a_stream_hears_news_and_goes_on_afterwards() {
    let [a, stream, c] = keys();
    let all = [0, 1, 2];
    let mut node = Node::new();
    for line in ["hello 3", "client tracking on", &format!("get {a}"), &format!("get {c}")] {
        node.say(0, 0, line);
        node.settle(&all);
    }
    node.say(0, 0, &format!("xread block 0 streams {stream} $"));
    node.settle(&all);
    node.heard(0, 0);
    for key in [&a, &c] {
        node.say(2, 0, &format!("set {key} 1"));
        node.settle(&all);
        let heard = node.heard(0, 0);
        assert!(heard.contains("invalidate") && heard.contains(key), "{key}: {heard}");
    }
    node.say(2, 0, &format!("xadd {stream} 1-1 f v"));
    node.settle(&all);
    let heard = node.heard(0, 0);
    assert!(heard.contains("1-1"), "{heard}");
    node.say(0, 0, "ping");
    node.settle(&all);
    assert_eq!(node.heard(0, 0), "+PONG\r\n");
}

/// What EXEC has selected stays selected though its client leaves while other shards are asked.
#[test]
fn exec_goes_on_in_the_database_it_selected_though_its_client_left() {
    let [a, b, _] = keys();
    let mut node = Node::new();
    for line in ["multi", "select 5", &format!("set {a} 1"), "info", &format!("set {b} 1"), "exec"]
    {
        node.say(0, 0, line);
    }
    // It has begun, and asks the others.
    for (from, to) in [(0, 1), (0, 2), (1, 0), (2, 0), (0, 1), (0, 2), (1, 0), (2, 0)] {
        node.deliver(from, to);
    }
    node.leave(0, 0);
    node.settle(&[0, 1, 2]);
    node.say(1, 0, &format!("exists {a} {b}"));
    node.settle(&[0, 1, 2]);
    assert_eq!(node.heard(1, 0), ":0\r\n");
    node.say(1, 0, "select 5");
    node.say(1, 0, &format!("exists {a} {b}"));
    node.settle(&[0, 1, 2]);
    assert_eq!(node.heard(1, 0), "+OK\r\n:2\r\n");
}
