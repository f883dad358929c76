//! Keys given to another server, on any number of shards: what is asked of that server, what becomes of
//! the keys whatever it answers, and that nobody gets in between.

use stoa_resp::{Value, decode};
use stoa_shard::Unlinked;
use stoa_sim::{ClientId, Options, World};
use stoa_stdx::Rng;

const SHARDS: [u16; 3] = [1, 2, 3];
const STEPS_MAX: u64 = 20_000;

fn words(line: &str) -> Vec<Vec<u8>> {
    stoa_config::split_words(line.as_bytes()).expect("quotes match")
}

fn ask(world: &mut World, client: ClientId, line: &str) -> String {
    world.call(client, &words(line));
    answer(world, client).unwrap_or_else(|| panic!("{line} is not answered"))
}

fn answer(world: &mut World, client: ClientId) -> Option<String> {
    for _ in 0..STEPS_MAX {
        if let Some(reply) = world.next_reply(client) {
            return Some(String::from_utf8_lossy(&reply).trim_end().to_owned());
        }
        world.step();
    }
    None
}

/// A node that waits for somebody to listen, and a client of it.
fn world(shards: u16) -> (World, ClientId) {
    let mut world = World::new(&Options::calm(shards, 1));
    world.keep_dials(true);
    let client = world.connect();
    (world, client)
}

/// Another server, as far as it has heard.
struct Peer {
    id: ClientId,
    heard: Vec<u8>,
}

impl Peer {
    /// Listens where the node wants to connect to.
    fn of(world: &mut World) -> Self {
        for _ in 0..STEPS_MAX {
            if let Some(dial) = world.next_dial() {
                assert_eq!((dial.host.as_str(), dial.port), ("there", 7_000));
                return Self { id: world.accept(&dial), heard: Vec::new() };
            }
            world.step();
        }
        panic!("the node connects to nobody");
    }

    /// The next request.
    fn next(&mut self, world: &mut World) -> Vec<Vec<u8>> {
        for _ in 0..STEPS_MAX {
            self.heard.extend(world.heard(self.id));
            if let Some((Value::Array(items), len)) = decode(&self.heard).expect("requests") {
                self.heard.drain(..len);
                let word = |item: Value| item.as_bytes().expect("a word").to_vec();
                return items.into_iter().map(word).collect();
            }
            world.step();
        }
        panic!("the node asks for nothing");
    }

    /// Its first words.
    fn hears(&mut self, world: &mut World, start: &str) -> Vec<Vec<u8>> {
        let request = self.next(world);
        let said: Vec<_> = request.iter().map(|word| String::from_utf8_lossy(word)).collect();
        assert!(said.join(" ").starts_with(start), "{start:?} is not what {said:?} begins with");
        request
    }

    fn says(&self, world: &mut World, text: &str) {
        world.write(self.id, text.as_bytes());
    }
}

const VALUES: [&str; 9] = [
    "SET k value",
    "SET k 12",
    "RPUSH k a b c",
    "SADD k a b c",
    "SADD k 1 2 3",
    "ZADD k 1 a 2 b",
    "HSET k f v g w",
    "XADD k 1-1 f v",
    "EVAL \"for n = 1, 9000 do redis.call('hset', KEYS[1], n, n) end\" 1 k",
];

#[test]
fn a_key_goes_whole_and_is_gone_here() {
    for shards in SHARDS {
        for value in VALUES {
            let (mut world, client) = world(shards);
            ask(&mut world, client, value);
            ask(&mut world, client, "PEXPIRE k 9000");
            let was = ask(&mut world, client, "DEBUG DIGEST-VALUE k");
            let changes = changes(&mut world, client);
            world.call(client, &words("MIGRATE there 7000 k 3 1000 REPLACE"));
            let mut peer = Peer::of(&mut world);
            peer.hears(&mut world, "SELECT 3");
            let request = peer.hears(&mut world, "RESTORE k 9000 ");
            assert_eq!((request.len(), &request[4][..]), (5, &b"REPLACE"[..]));
            peer.says(&mut world, "+OK\r\n+OK\r\n");
            assert_eq!(answer(&mut world, client).as_deref(), Some("+OK"), "{value}");
            assert_eq!(ask(&mut world, client, "EXISTS k"), ":0");
            assert_eq!(self::changes(&mut world, client), changes + 1);
            world.call(client, &request);
            assert_eq!(answer(&mut world, client).as_deref(), Some("+OK"));
            assert_eq!(ask(&mut world, client, "DEBUG DIGEST-VALUE k"), was, "{value}");
            assert_eq!(ask(&mut world, client, "PTTL k"), ":9000");
        }
    }
}

#[test]
fn the_time_on_the_way_is_part_of_a_keys_life() {
    for shards in SHARDS {
        for (ttl, left) in [(9_000, 8_600), (300, 1)] {
            let (mut world, client) = world(shards);
            ask(&mut world, client, &format!("SET k v PX {ttl}"));
            world.call(client, &words("MIGRATE there 7000 k 0 1000"));
            world.run(200);
            world.advance(400);
            let mut peer = Peer::of(&mut world);
            peer.hears(&mut world, "SELECT 0");
            peer.hears(&mut world, &format!("RESTORE k {left} "));
            peer.says(&mut world, "+OK\r\n+OK\r\n");
            assert_eq!(answer(&mut world, client).as_deref(), Some("+OK"));
        }
    }
}

fn changes(world: &mut World, client: ClientId) -> u64 {
    let info = ask(world, client, "INFO persistence");
    let line = info.lines().find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
    line.and_then(|count| count.parse().ok()).expect("INFO says it")
}

#[test]
fn of_several_keys_those_go_that_were_taken_and_the_first_error_is_told() {
    for shards in SHARDS {
        let (mut world, client) = world(shards);
        ask(&mut world, client, "MSET a 1 b 2 c 3 d 4");
        world.call(client, &words("MIGRATE there 7000 \"\" 0 1000 KEYS a none b c d"));
        let mut peer = Peer::of(&mut world);
        for start in ["SELECT 0", "RESTORE a 0 ", "RESTORE b 0 ", "RESTORE c 0 ", "RESTORE d 0 "] {
            peer.hears(&mut world, start);
        }
        peer.says(&mut world, "+OK\r\n+OK\r\n-BUSYKEY there\r\n-OOM no\r\n+OK\r\n");
        let told = "-ERR Target instance replied with error: BUSYKEY there";
        assert_eq!(answer(&mut world, client).as_deref(), Some(told));
        assert_eq!(ask(&mut world, client, "EXISTS a d"), ":0");
        assert_eq!(ask(&mut world, client, "EXISTS b c"), ":2");
        assert!(world.settle(STEPS_MAX), "it comes to rest");
    }
}

#[test]
fn a_copy_stays_and_without_keys_nobody_is_asked() {
    let (mut world, client) = world(2);
    assert_eq!(ask(&mut world, client, "MIGRATE there 7000 k 0 1000"), "+NOKEY");
    assert_eq!(ask(&mut world, client, "MIGRATE there 7000 \"\" 0 1000 KEYS a b"), "+NOKEY");
    assert_eq!(ask(&mut world, client, "MIGRATE there 7000 \"\" 0 1000 KEYS"), "+NOKEY");
    assert!(world.next_dial().is_none());
    ask(&mut world, client, "SET k 1");
    world.call(client, &words("MIGRATE there 7000 k 0 1000 COPY AUTH2 me secret"));
    let mut peer = Peer::of(&mut world);
    peer.hears(&mut world, "AUTH me secret");
    peer.says(&mut world, "+OK\r\n+OK\r\n+OK\r\n");
    assert_eq!(answer(&mut world, client).as_deref(), Some("+OK"));
    assert_eq!(ask(&mut world, client, "GET k"), "$1\r\n1");
}

#[test]
fn who_is_not_let_in_keeps_all_keys() {
    for (answers, why) in [
        ("-ERR not you\r\n+OK\r\n+OK\r\n", "ERR not you"),
        ("+OK\r\n-ERR no such place\r\n+OK\r\n", "ERR no such place"),
        ("-NOAUTH a\r\n-NOAUTH b\r\n-NOAUTH c\r\n", "NOAUTH a"),
    ] {
        let (mut world, client) = world(2);
        ask(&mut world, client, "SET k 1");
        world.call(client, &words("MIGRATE there 7000 k 9 1000 AUTH secret"));
        let mut peer = Peer::of(&mut world);
        for start in ["AUTH secret", "SELECT 9", "RESTORE k"] {
            peer.hears(&mut world, start);
        }
        peer.says(&mut world, answers);
        let told = format!("-ERR Target instance replied with error: {why}");
        assert_eq!(answer(&mut world, client), Some(told));
        assert_eq!(ask(&mut world, client, "GET k"), "$1\r\n1");
        // It is not known what is selected there.
        world.call(client, &words("MIGRATE there 7000 k 9 1000"));
        peer.hears(&mut world, "SELECT 9");
    }
}

#[test]
fn others_go_on_and_who_wants_the_keys_waits() {
    for shards in SHARDS {
        for keys in ["k 0 1000", "\"\" 0 1000 KEYS a b c k"] {
            let (mut world, client) = world(shards);
            let [two, three] = [0; 2].map(|_| world.connect());
            ask(&mut world, client, "MSET k 1 a 1 b 1 c 1");
            world.call(client, &words(&format!("MIGRATE there 7000 {keys}")));
            let mut peer = Peer::of(&mut world);
            peer.hears(&mut world, "SELECT 0");
            world.call(three, &["INCR", "k"]);
            assert_eq!(ask(&mut world, two, "SET other 1"), "+OK");
            assert_eq!(ask(&mut world, two, "GET other"), "$1\r\n1");
            assert_eq!(world.next_reply(client), None);
            assert_eq!(world.next_reply(three), None, "the key is held");
            peer.says(&mut world, &"+OK\r\n".repeat(if keys.contains("KEYS") { 5 } else { 2 }));
            assert_eq!(answer(&mut world, client).as_deref(), Some("+OK"));
            assert_eq!(answer(&mut world, three).as_deref(), Some(":1"), "it is gone by then");
        }
    }
}

#[test]
fn whatever_is_wrong_with_the_way_the_keys_stay() {
    let writing = "-IOERR error or timeout writing to target instance";
    let reading = "-IOERR error or timeout reading to target instance";
    let connecting = "-IOERR error or timeout connecting to the client";
    for shards in SHARDS {
        for (why, told) in [(Unlinked::Refused, writing), (Unlinked::Unreached, connecting)] {
            let (mut world, client) = world(shards);
            ask(&mut world, client, "MSET a 1 b 2 c 3");
            world.call(client, &words("MIGRATE there 7000 \"\" 0 1000 KEYS a b c"));
            world.run(200);
            let dial = world.next_dial().expect("it connects");
            world.refuse(&dial, why);
            assert_eq!(answer(&mut world, client).as_deref(), Some(told));
            assert_eq!(ask(&mut world, client, "EXISTS a b c"), ":3");
            assert!(world.settle(STEPS_MAX), "it comes to rest");
        }
        // Nobody answers: neither the connection, nor on it.
        let (mut world, client) = world(shards);
        ask(&mut world, client, "MSET a 1 b 2 c 3");
        world.call(client, &words("MIGRATE there 7000 \"\" 0 700 KEYS a b c"));
        world.run(200);
        let dial = world.next_dial().expect("it connects");
        world.advance(700);
        assert_eq!(answer(&mut world, client).as_deref(), Some(connecting));
        // Too late: it is not wanted any more.
        let late = world.accept(&dial);
        world.run(200);
        assert!(world.is_closed(late));
        world.call(client, &words("MIGRATE there 7000 \"\" 0 700 KEYS a b c"));
        let mut peer = Peer::of(&mut world);
        peer.hears(&mut world, "SELECT 0");
        peer.says(&mut world, "+OK\r\n+OK\r\n");
        world.run(400);
        assert_eq!(world.next_reply(client), None);
        world.advance(700);
        assert_eq!(answer(&mut world, client).as_deref(), Some(reading));
        assert!(world.is_closed(peer.id));
        assert_eq!(ask(&mut world, client, "EXISTS a b c"), ":2", "one was taken");
        assert!(world.settle(STEPS_MAX), "it comes to rest");
    }
}

#[test]
fn who_never_answers_is_given_up_however_busy_the_shard_is() {
    for shards in SHARDS {
        let (mut world, client) = world(shards);
        let other = world.connect();
        ask(&mut world, client, "SET a 1");
        world.call(client, &words("MIGRATE there 7000 a 0 700"));
        let mut peer = Peer::of(&mut world);
        peer.hears(&mut world, "SELECT 0");
        for _ in 0..10 {
            assert_eq!(ask(&mut world, other, "PING"), "+PONG");
            world.advance(100);
        }
        let told = answer(&mut world, client);
        assert_eq!(told.as_deref(), Some("-IOERR error or timeout reading to target instance"));
        assert!(world.is_closed(peer.id));
        assert_eq!(ask(&mut world, client, "EXISTS a"), ":1");
    }
}

#[test]
fn what_is_no_answer_ends_the_connection() {
    let long = format!("+{}", "x".repeat(5_000));
    for garbage in ["HTTP/1.1 400 Bad Request\r\n", "$5\r\nhello\r\n", "\r\n", "*1\r\n", &long] {
        let (mut world, client) = world(2);
        ask(&mut world, client, "SET k 1");
        world.call(client, &words("MIGRATE there 7000 k 0 1000"));
        let peer = Peer::of(&mut world);
        peer.says(&mut world, garbage);
        let told = answer(&mut world, client).expect("an answer");
        assert!(told.starts_with("-IOERR error or timeout reading"), "{garbage:?}: {told}");
        assert!(told.contains("no answer to RESTORE"), "{told}");
        assert!(world.is_closed(peer.id), "{garbage:?}");
        assert_eq!(ask(&mut world, client, "GET k"), "$1\r\n1");
    }
    // Whoever says yes to what nobody asked is not trusted with the next.
    let (mut world, client) = world(1);
    ask(&mut world, client, "SET k 1");
    world.call(client, &words("MIGRATE there 7000 k 0 1000 COPY"));
    let mut peer = Peer::of(&mut world);
    peer.hears(&mut world, "SELECT 0");
    peer.hears(&mut world, "RESTORE k");
    peer.says(&mut world, "+OK\r\n+OK\r\n+OK\r\n");
    assert_eq!(answer(&mut world, client).as_deref(), Some("+OK"));
    world.run(100);
    assert!(world.is_closed(peer.id));
}

fn kept(world: &mut World, client: ClientId) -> String {
    let info = ask(world, client, "INFO stats");
    let line = info.lines().find_map(|line| line.strip_prefix("migrate_cached_sockets:"));
    line.expect("INFO says it").to_owned()
}

#[test]
fn a_connection_is_kept_for_ten_seconds() {
    let (mut world, client) = world(1);
    ask(&mut world, client, "MSET a 1 b 2 c 3 d 4");
    world.call(client, &words("MIGRATE there 7000 a 5 1000"));
    let mut peer = Peer::of(&mut world);
    peer.hears(&mut world, "SELECT 5");
    peer.hears(&mut world, "RESTORE a");
    peer.says(&mut world, "+OK\r\n+OK\r\n");
    assert_eq!(answer(&mut world, client).as_deref(), Some("+OK"));
    assert_eq!(kept(&mut world, client), "1");
    world.advance(9_000);
    world.call(client, &words("MIGRATE there 7000 b 5 1000"));
    peer.hears(&mut world, "RESTORE b");
    peer.says(&mut world, "+OK\r\n");
    assert_eq!(answer(&mut world, client).as_deref(), Some("+OK"));
    assert!(world.next_dial().is_none(), "it has a connection");
    // The other server has had enough; the next is not told of it.
    world.disconnect(peer.id);
    world.call(client, &words("MIGRATE there 7000 c 5 1000"));
    let mut peer = Peer::of(&mut world);
    peer.hears(&mut world, "SELECT 5");
    peer.hears(&mut world, "RESTORE c");
    peer.says(&mut world, "+OK\r\n+OK\r\n");
    assert_eq!(answer(&mut world, client).as_deref(), Some("+OK"));
    assert_eq!(kept(&mut world, client), "1");
    world.advance(10_000);
    world.run(10);
    assert_eq!(kept(&mut world, client), "0");
    assert!(world.is_closed(peer.id));
}

#[test]
fn a_kept_connection_that_ends_under_a_request_is_made_anew() {
    for shards in SHARDS {
        let (mut world, client) = world(shards);
        ask(&mut world, client, "MSET a 1 b 2 c 3");
        world.call(client, &words("MIGRATE there 7000 \"\" 0 1000 COPY KEYS a b c"));
        let mut peer = Peer::of(&mut world);
        peer.hears(&mut world, "SELECT 0");
        peer.says(&mut world, "+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
        for start in ["RESTORE a", "RESTORE b", "RESTORE c"] {
            peer.hears(&mut world, start);
        }
        assert_eq!(answer(&mut world, client).as_deref(), Some("+OK"));
        world.call(client, &words("MIGRATE there 7000 \"\" 0 1000 KEYS a b c"));
        peer.hears(&mut world, "RESTORE a");
        world.disconnect(peer.id);
        let mut peer = Peer::of(&mut world);
        peer.hears(&mut world, "SELECT 0");
        for start in ["RESTORE a", "RESTORE b", "RESTORE c"] {
            peer.hears(&mut world, start);
        }
        peer.says(&mut world, "+OK\r\n+OK\r\n");
        world.run(100);
        // This one was made for it, and has answered: there is no third time.
        world.disconnect(peer.id);
        let told = answer(&mut world, client);
        assert_eq!(told.as_deref(), Some("-IOERR error or timeout reading to target instance"));
        assert_eq!(ask(&mut world, client, "EXISTS a b c"), ":2");
    }
}

#[test]
fn more_migrations_than_connections_take_turns() {
    let (mut world, client) = world(1);
    let clients: Vec<ClientId> = (0..70).map(|_| world.connect()).collect();
    for (number, one) in clients.iter().enumerate() {
        ask(&mut world, client, &format!("SET k{number} 1"));
        world.call(*one, &words(&format!("MIGRATE there 7000 k{number} 0 1000")));
    }
    world.run(1_000);
    let dials: Vec<_> = std::iter::from_fn(|| world.next_dial()).collect();
    assert_eq!(dials.len(), 64, "the others wait");
    let peers: Vec<ClientId> = dials.iter().map(|dial| world.accept(dial)).collect();
    peers.iter().for_each(|peer| world.write(*peer, b"+OK\r\n"));
    world.run(2_000);
    for peer in &peers {
        let heard = world.heard(*peer);
        assert!(heard.windows(7).any(|word| word == b"RESTORE"), "{heard:?}");
        world.write(*peer, b"+OK\r\n");
    }
    world.run(2_000);
    // Those that are used again are asked for one key more.
    for peer in &peers {
        if !world.heard(*peer).is_empty() {
            world.write(*peer, b"+OK\r\n");
        }
    }
    for one in clients {
        assert_eq!(answer(&mut world, one).as_deref(), Some("+OK"));
    }
    assert_eq!(ask(&mut world, client, "DBSIZE"), ":0");
}

#[test]
fn who_waits_for_a_connection_is_given_up_in_its_own_time() {
    for shards in SHARDS {
        let (mut world, client) = world(shards);
        let clients: Vec<ClientId> = (0..70).map(|_| world.connect()).collect();
        for (number, one) in clients.iter().enumerate() {
            let timeout = [10_000, 900, 500][usize::from(number > 63) + usize::from(number > 66)];
            ask(&mut world, client, &format!("SET {{t}}{number} 1"));
            world.call(*one, &words(&format!("MIGRATE there 7000 {{t}}{number} 0 {timeout}")));
            // So many are on their way before the last come.
            world.run(if number == 63 { 3_000 } else { 0 });
        }
        world.run(3_000);
        let dials: Vec<_> = std::iter::from_fn(|| world.next_dial()).collect();
        assert_eq!(dials.len(), 64, "the others wait");
        let mut given_up = Vec::new();
        for (passed, gone) in [(400, 70..70), (200, 67..70), (400, 64..70)] {
            world.advance(passed);
            world.run(2_000);
            for (number, one) in clients.iter().enumerate() {
                let Some(reply) = world.next_reply(*one) else { continue };
                assert_eq!(reply, b"-IOERR error or timeout connecting to the client\r\n");
                given_up.push(number);
            }
            given_up.sort_unstable();
            assert_eq!(given_up, gone.collect::<Vec<_>>(), "{shards} shards, {passed} ms later");
        }
        // They have left the queue: nobody asks for more than the first wanted.
        let peers: Vec<ClientId> = dials.iter().map(|dial| world.accept(dial)).collect();
        world.run(2_000);
        peers.iter().for_each(|peer| world.write(*peer, b"+OK\r\n+OK\r\n"));
        for one in &clients[..64] {
            assert_eq!(answer(&mut world, *one).as_deref(), Some("+OK"));
        }
        assert!(world.next_dial().is_none());
        assert_eq!(ask(&mut world, client, "DBSIZE"), ":6");
        assert!(world.settle(STEPS_MAX), "it comes to rest");
    }
}

#[test]
fn keys_that_are_due_on_their_way_wake_nobody_and_others_end_in_time() {
    for shards in SHARDS {
        let (mut world, client) = world(shards);
        let keys: Vec<String> = (0..300).map(|number| format!("held{number}")).collect();
        for key in &keys {
            ask(&mut world, client, &format!("SET {key} v PX 200"));
            ask(&mut world, client, &format!("SET other:{key} v PX 300"));
        }
        world.call(
            client,
            &words(&format!("MIGRATE there 7000 \"\" 0 9000 KEYS {}", keys.join(" "))),
        );
        let mut peer = Peer::of(&mut world);
        peer.hears(&mut world, "SELECT 0");
        world.advance(250);
        assert!(world.settle(STEPS_MAX), "what is due is looked at");
        let mut turns = 0;
        for _ in 0..40 {
            world.advance(1);
            turns += usize::from(world.step());
        }
        // The wheels move down what is due later, 64 a turn.
        assert!(turns <= 10, "{shards} shards: {turns} turns for nothing");
        world.advance(100);
        assert!(world.settle(STEPS_MAX), "what is due is looked at");
        let other = world.connect();
        let info = ask(&mut world, other, "INFO stats");
        assert!(info.contains("\nexpired_keys:300\r"), "{shards} shards: {info}");
        peer.says(&mut world, &format!("+OK\r\n{}", "-ERR no\r\n".repeat(300)));
        let told = answer(&mut world, client);
        assert_eq!(told.as_deref(), Some("-ERR Target instance replied with error: ERR no"));
        // Nobody has taken them, and their time is over.
        world.advance(2);
        assert!(world.settle(STEPS_MAX), "it comes to rest");
        assert_eq!(ask(&mut world, client, "DBSIZE"), ":0", "{shards} shards");
    }
}

#[test]
fn nothing_waits_for_another_server_inside_multi_or_a_script() {
    let (mut world, client) = world(2);
    ask(&mut world, client, "SET k 1");
    ask(&mut world, client, "MULTI");
    ask(&mut world, client, "MIGRATE there 7000 k 0 1000");
    let told = ask(&mut world, client, "EXEC");
    assert!(told.contains("-ERR MIGRATE waits for another server"), "{told}");
    let script = "EVAL \"return redis.call('migrate', 'there', '7000', KEYS[1], '0', '9')\" 1 k";
    let told = ask(&mut world, client, script);
    assert!(told.contains("ERR MIGRATE waits for another server"), "{told}");
    assert_eq!(ask(&mut world, client, "GET k"), "$1\r\n1");
}

/// Clients count, a key a counter, while keys are given away again and again. What was counted is in the
/// values that were given away, and in those that are left.
#[test]
fn no_change_is_lost_or_seen_twice() {
    for seed in 0..150 {
        let mut rng = Rng::new(seed);
        let shards = 1 + rng.below(3) as u16;
        let mut world = World::new(&Options::rough(shards, seed));
        world.keep_dials(true);
        let clients: Vec<ClientId> = (0..4).map(|_| world.connect()).collect();
        let movers: Vec<ClientId> = (0..2).map(|_| world.connect()).collect();
        let (mut peers, mut given): (Vec<Peer>, i64) = (Vec::new(), 0);
        let mut counted = 0;
        for _ in 0..120 {
            let key = |rng: &mut Rng| (*rng.pick(&["a", "b", "c", "d"])).to_owned();
            match rng.below(4) {
                0 => {
                    let mover = *rng.pick(&movers);
                    let (one, two) = (key(&mut rng), key(&mut rng));
                    let wait = 1_000_000;
                    // The peer would take a key twice.
                    let request = match one == two {
                        true => format!("MIGRATE there 7000 {one} 0 {wait}"),
                        _ => format!("MIGRATE there 7000 \"\" 0 {wait} KEYS {one} {two}"),
                    };
                    world.call(mover, &words(&request));
                }
                1 => {
                    let client = *rng.pick(&clients);
                    let (one, two) = (key(&mut rng), key(&mut rng));
                    for word in ["MULTI".to_owned(), format!("INCR {one}"), format!("INCR {two}")] {
                        world.call(client, &words(&word));
                    }
                    world.call(client, &["EXEC"]);
                    counted += 2;
                }
                _ => {
                    let key = key(&mut rng);
                    world.call(*rng.pick(&clients), &["INCR", &key]);
                    counted += 1;
                }
            }
            world.run(rng.below(30));
            serve(&mut world, &mut peers, &mut rng, &mut given);
        }
        for _ in 0..400 {
            world.run(20);
            serve(&mut world, &mut peers, &mut rng, &mut given);
        }
        let reader = world.connect();
        let mut left = 0;
        for key in ["a", "b", "c", "d"] {
            let value = ask(&mut world, reader, &format!("GET {key}"));
            left += value.lines().nth(1).map_or(0, |count| count.parse::<i64>().expect(&value));
        }
        assert_eq!(given + left, counted, "seed {seed}, {shards} shards");
    }
}

/// Lets the other servers answer, some of it with no.
fn serve(world: &mut World, peers: &mut Vec<Peer>, rng: &mut Rng, given: &mut i64) {
    while let Some(dial) = world.next_dial() {
        if rng.one_in(5) {
            world.refuse(&dial, Unlinked::Refused);
        } else {
            peers.push(Peer { id: world.accept(&dial), heard: Vec::new() });
        }
    }
    for peer in peers {
        peer.heard.extend(world.heard(peer.id));
        while let Some((Value::Array(words), len)) = decode(&peer.heard).expect("requests") {
            peer.heard.drain(..len);
            let word = |at: usize| words[at].as_bytes().expect("a word");
            if word(0) == b"RESTORE" && rng.one_in(4) {
                world.write(peer.id, b"-BUSYKEY no\r\n");
                continue;
            }
            if word(0) == b"RESTORE" {
                *given += value_of(word(3));
            }
            world.write(peer.id, b"+OK\r\n");
        }
    }
}

/// A small integer as a payload has it.
fn value_of(payload: &[u8]) -> i64 {
    match payload {
        [0, 0xc0, value, ..] => i64::from(*value as i8),
        [0, 0xc1, low, high, ..] => i64::from(i16::from_le_bytes([*low, *high])),
        _ => panic!("{payload:?} is no small integer"),
    }
}

#[test]
fn who_waits_for_a_connection_is_not_overtaken() {
    let (mut world, client) = world(1);
    let clients: Vec<ClientId> = (0..66).map(|_| world.connect()).collect();
    for number in 0..66 {
        ask(&mut world, client, &format!("SET k{number} 1"));
    }
    for (number, client) in clients[..64].iter().enumerate() {
        world.call(*client, &words(&format!("MIGRATE there 7000 k{number} 0 100000")));
    }
    world.run(2_000);
    world.call(clients[64], &words("MIGRATE there 7000 k64 0 1000"));
    world.run(500);
    let dials: Vec<_> = std::iter::from_fn(|| world.next_dial()).collect();
    assert_eq!(dials.len(), 64);
    let peers: Vec<ClientId> = dials.iter().map(|dial| world.accept(dial)).collect();
    world.run(2_000);
    peers.iter().for_each(|peer| drop(world.heard(*peer)));
    world.write(peers[0], b"+OK\r\n+OK\r\n");
    world.call(clients[65], &words("MIGRATE there 7000 k65 0 1000"));
    world.run(2_000);
    let heard = world.heard(peers[0]);
    let text = String::from_utf8_lossy(&heard);
    assert!(text.contains("k64"), "overtaken: {text:?}");
}
