//! Clients that wait for keys: served in the order in which they blocked, once each, on any number of
//! shards.

use stoa_sim::{ClientId, Options, World};

/// More is a node that goes round in circles.
const STEPS_MAX: u64 = 10_000;

fn call(world: &mut World, client: ClientId, line: &str) {
    let words = stoa_config::split_words(line.as_bytes()).expect("quotes match");
    let words: Vec<&str> = words.iter().map(|w| std::str::from_utf8(w).expect("text")).collect();
    world.call(client, &words);
    assert!(world.settle(STEPS_MAX), "it goes round in circles after {line}");
}

fn heard(world: &mut World, client: ClientId) -> String {
    assert!(world.settle(STEPS_MAX), "it goes round in circles");
    let mut all = Vec::new();
    while let Some(reply) = world.next_reply(client) {
        all.extend(reply);
    }
    String::from_utf8(all).expect("text")
}

const SHARDS: [u16; 5] = [1, 2, 3, 5, 8];

#[test]
fn who_blocked_first_is_served_first_wherever_its_keys_are() {
    for shards in SHARDS {
        for seed in 0..20 {
            let case = format!("{shards} shards, seed {seed}");
            let mut world = World::new(&Options::calm(shards, seed));
            let waiting: Vec<ClientId> = (0..4).map(|_| world.connect()).collect();
            // One key, several keys, one key, another end.
            call(&mut world, waiting[0], "BLPOP k 0");
            call(&mut world, waiting[1], "BLPOP other k last 0");
            call(&mut world, waiting[2], "BLMPOP 0 1 k LEFT COUNT 2");
            call(&mut world, waiting[3], "BLMOVE k to RIGHT LEFT 0");
            let pusher = world.connect();
            call(&mut world, pusher, "RPUSH k a b c d e");
            assert_eq!(heard(&mut world, pusher), ":5\r\n", "{case}");
            let all: Vec<String> =
                waiting.iter().map(|client| heard(&mut world, *client)).collect();
            assert_eq!(all[0], "*2\r\n$1\r\nk\r\n$1\r\na\r\n", "{case}");
            assert_eq!(all[1], "*2\r\n$1\r\nk\r\n$1\r\nb\r\n", "{case}");
            assert_eq!(all[2], "*2\r\n$1\r\nk\r\n*2\r\n$1\r\nc\r\n$1\r\nd\r\n", "{case}");
            assert_eq!(all[3], "$1\r\ne\r\n", "{case}");
            call(&mut world, pusher, "EXISTS k other last to");
            assert_eq!(heard(&mut world, pusher), ":1\r\n", "{case}");
            call(&mut world, pusher, "LRANGE to 0 -1");
            assert_eq!(heard(&mut world, pusher), "*1\r\n$1\r\ne\r\n", "{case}");
        }
    }
}

#[test]
fn waits_end_by_time_by_command_and_with_their_client() {
    for shards in SHARDS {
        for seed in 0..20 {
            let case = format!("{shards} shards, seed {seed}");
            let mut world = World::new(&Options::calm(shards, seed));
            let [one, several, moves, other] = [(); 4].map(|()| world.connect());
            call(&mut world, one, "BLPOP k 1");
            call(&mut world, several, "BRPOP a b c d e 1");
            call(&mut world, moves, "BLMOVE a b LEFT LEFT 1");
            world.advance(999);
            assert_eq!(heard(&mut world, one), "", "{case}");
            assert_eq!(heard(&mut world, several), "", "{case}");
            world.advance(2);
            assert_eq!(heard(&mut world, one), "*-1\r\n", "{case}");
            assert_eq!(heard(&mut world, several), "*-1\r\n", "{case}");
            assert_eq!(heard(&mut world, moves), "$-1\r\n", "{case}");
            // CLIENT UNBLOCK, of one that waits and one that does not.
            for (line, error) in [("BLPOP k 0", false), ("BLPOP a b c d e 0", true)] {
                call(&mut world, one, "CLIENT ID");
                let id = heard(&mut world, one);
                let id = id.trim_start_matches(':').trim_end();
                call(&mut world, other, &format!("CLIENT UNBLOCK {id}"));
                assert_eq!(heard(&mut world, other), ":0\r\n", "{case}");
                call(&mut world, one, line);
                let how = if error { "ERROR" } else { "TIMEOUT" };
                call(&mut world, other, &format!("CLIENT UNBLOCK {id} {how}"));
                assert_eq!(heard(&mut world, other), ":1\r\n", "{case}");
                let want = if error {
                    "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
                } else {
                    "*-1\r\n"
                };
                assert_eq!(heard(&mut world, one), want, "{case}: {line}");
            }
            // Who left takes nothing with it.
            call(&mut world, one, "BLPOP k 0");
            call(&mut world, several, "BLPOP a k c 0");
            world.disconnect(one);
            world.disconnect(several);
            assert!(world.settle(STEPS_MAX), "{case}");
            call(&mut world, other, "RPUSH k x");
            call(&mut world, other, "LPOP k");
            assert_eq!(heard(&mut world, other), ":1\r\n$1\r\nx\r\n", "{case}");
        }
    }
}

#[test]
fn who_will_say_no_more_waits_no_more_and_hears_all_that_is_owed() {
    for shards in SHARDS {
        for seed in 0..20 {
            let case = format!("{shards} shards, seed {seed}");
            let mut world = World::new(&Options::rough(shards, seed));
            let [later, at_once, other] = [(); 3].map(|()| world.connect());
            call(&mut world, later, "BLPOP k 0");
            world.end(later);
            assert_eq!(heard(&mut world, later), "", "{case}");
            assert!(world.is_closed(later), "{case}");
            // All in one breath, as a shell pipe sends it; with keys of one shard and of several.
            let pipe = b"RPUSH q x\r\nBLPOP q 0\r\nBLPOP k 0\r\nBLPOP a b c d 0\r\nECHO end\r\n";
            world.write(at_once, pipe);
            world.end(at_once);
            // What waits ends it, as in Redis: nobody is sure to read what would come.
            let want = ":1\r\n*2\r\n$1\r\nq\r\n$1\r\nx\r\n";
            let mut said = heard(&mut world, at_once);
            // Where a key was held, it takes another try.
            for _ in 0..3 {
                world.advance(100);
                said += &heard(&mut world, at_once);
            }
            assert_eq!(said, want, "{case}");
            assert!(world.is_closed(at_once), "{case}");
            call(&mut world, other, "RPUSH k y");
            call(&mut world, other, "LPOP k");
            assert_eq!(heard(&mut world, other), ":1\r\n$1\r\ny\r\n", "{case}");
        }
    }
}

#[test]
fn an_answer_to_an_earlier_request_does_not_end_a_wait() {
    for shards in SHARDS {
        for seed in 0..40 {
            let case = format!("{shards} shards, seed {seed}");
            let mut world = World::new(&Options::rough(shards, seed));
            let (waits, other) = (world.connect(), world.connect());
            world.write(waits, b"RPUSH q x\r\nINCR n\r\nBLPOP k 0\r\nSET after 1\r\n");
            assert!(world.settle(STEPS_MAX), "{case}");
            call(&mut world, other, "EXISTS after");
            assert_eq!(heard(&mut world, other), ":0\r\n", "{case}");
            call(&mut world, other, "RPUSH k 1");
            let want = ":1\r\n:1\r\n*2\r\n$1\r\nk\r\n$1\r\n1\r\n+OK\r\n";
            assert_eq!(heard(&mut world, waits), want, "{case}");
        }
    }
}

#[test]
fn what_follows_a_blocked_command_waits_with_it() {
    for shards in SHARDS {
        let mut world = World::new(&Options::calm(shards, 1));
        let (waits, other) = (world.connect(), world.connect());
        call(&mut world, waits, "BLPOP k z 0");
        call(&mut world, waits, "SET after 1");
        call(&mut world, other, "EXISTS after");
        assert_eq!(heard(&mut world, other), ":0\r\n", "{shards} shards");
        call(&mut world, other, "MULTI");
        call(&mut world, other, "RPUSH k 1");
        call(&mut world, other, "DEL k");
        call(&mut world, other, "EXEC");
        let _ = heard(&mut world, other);
        assert_eq!(heard(&mut world, waits), "", "{shards} shards: EXEC left nothing");
        call(&mut world, other, "MULTI");
        call(&mut world, other, "BLPOP k 0");
        call(&mut world, other, "RPUSH z 2");
        call(&mut world, other, "EXEC");
        let told = heard(&mut world, other);
        assert!(told.ends_with("*2\r\n*-1\r\n:1\r\n"), "{shards} shards: {told}");
        assert_eq!(
            heard(&mut world, waits),
            "*2\r\n$1\r\nz\r\n$1\r\n2\r\n+OK\r\n",
            "{shards} shards"
        );
    }
}

#[test]
fn who_waits_for_what_comes_next_in_a_stream_gets_it() {
    for shards in SHARDS {
        for seed in 0..20 {
            for key in ["a", "b", "c", "k12-$"] {
                let case = format!("{shards} shards, seed {seed}, {key}");
                let mut world = World::new(&Options::calm(shards, seed));
                let (reads, adds) = (world.connect(), world.connect());
                if seed % 2 == 0 {
                    call(&mut world, adds, &format!("XADD {key} 1-1 f v"));
                    let _ = heard(&mut world, adds);
                }
                call(&mut world, reads, &format!("XREAD BLOCK 1000 STREAMS {key} $"));
                assert_eq!(heard(&mut world, reads), "", "{case}");
                call(&mut world, adds, &format!("XADD {key} 2-1 f v"));
                assert_eq!(heard(&mut world, adds), "$3\r\n2-1\r\n", "{case}");
                let got = heard(&mut world, reads);
                assert!(got.contains("2-1") && !got.contains("1-1"), "{case}: {got}");
                call(&mut world, reads, &format!("XREAD BLOCK 1000 STREAMS {key} $"));
                world.advance(1_001);
                assert_eq!(heard(&mut world, reads), "*-1\r\n", "{case}");
            }
        }
    }
}

#[test]
fn a_client_that_ends_while_it_waits_gets_nothing_that_others_want() {
    for shards in SHARDS {
        for line in ["BLPOP k 0", "BLPOP a b c d k 0", "BLMOVE k to LEFT LEFT 0"] {
            let case = format!("{shards} shards, {line}");
            let mut world = World::new(&Options::calm(shards, 1));
            let [leaves, stays, pushes] = [(); 3].map(|()| world.connect());
            call(&mut world, leaves, line);
            call(&mut world, stays, "BLPOP k 0");
            // It may only have ended its own half: the reference takes it for gone as well.
            world.end(leaves);
            assert!(world.settle(STEPS_MAX), "{case}");
            assert!(world.is_closed(leaves), "{case}");
            call(&mut world, pushes, "RPUSH k x");
            assert_eq!(heard(&mut world, stays), "*2\r\n$1\r\nk\r\n$1\r\nx\r\n", "{case}");
            assert_eq!(heard(&mut world, leaves), "", "{case}");
        }
    }
}

#[test]
fn what_a_script_or_sort_puts_there_is_served_at_once_wherever_it_ran() {
    for shards in SHARDS {
        for number in 0..8 {
            let key = format!("{{{number}}}to");
            let case = format!("{shards} shards, {key}");
            let mut world = World::new(&Options::calm(shards, 1));
            let [waits, acts] = [(); 2].map(|()| world.connect());
            call(&mut world, acts, &format!("RPUSH {{{number}}}from x"));
            // The second run of a script may take another way than the first.
            let script = "EVAL \"return redis.call('RPUSH', KEYS[1], 'x')\" 1";
            let lines = [
                format!("SORT {{{number}}}from ALPHA STORE {key}"),
                format!("{script} {key}"),
                format!("{script} {key}"),
            ];
            for line in lines {
                call(&mut world, waits, &format!("BLPOP {key} 0"));
                call(&mut world, acts, &line);
                let want = format!("*2\r\n${}\r\n{key}\r\n$1\r\nx\r\n", key.len());
                assert_eq!(heard(&mut world, waits), want, "{case}, {line}");
            }
        }
    }
}

#[test]
fn messages_reach_a_client_that_waits_for_a_key() {
    for shards in SHARDS {
        for seed in 0..20 {
            let case = format!("{shards} shards, seed {seed}");
            for keys in ["k", "k other last"] {
                let mut world = World::new(&Options::calm(shards, seed));
                let [waits, other] = [(); 2].map(|()| world.connect());
                call(&mut world, waits, "HELLO 3");
                call(&mut world, waits, "SUBSCRIBE c");
                heard(&mut world, waits);
                call(&mut world, waits, &format!("BLPOP {keys} 0"));
                call(&mut world, other, "PUBLISH c told");
                assert_eq!(heard(&mut world, other), ":1\r\n", "{case}, {keys}");
                let message = ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\ntold\r\n";
                assert_eq!(heard(&mut world, waits), message, "{case}, {keys}");
                call(&mut world, other, "RPUSH k v");
                assert_eq!(
                    heard(&mut world, waits),
                    "*2\r\n$1\r\nk\r\n$1\r\nv\r\n",
                    "{case}, {keys}"
                );
            }
        }
    }
}

#[test]
fn a_client_hears_what_woke_it_before_what_it_did_itself() {
    for shards in SHARDS {
        for seed in 0..20 {
            let case = format!("{shards} shards, seed {seed}");
            let mut world = World::new(&Options::calm(shards, seed));
            let [waits, other] = [(); 2].map(|()| world.connect());
            call(&mut world, other, "CONFIG SET notify-keyspace-events El");
            call(&mut world, waits, "HELLO 3");
            call(&mut world, waits, "PSUBSCRIBE __keyevent*");
            heard(&mut world, waits);
            call(&mut world, waits, "BLPOP k other last 0");
            call(&mut world, other, "RPUSH k v w");
            let heard = heard(&mut world, waits);
            let at = |what: &str| heard.find(what).unwrap_or_else(|| panic!("{case}: {heard}"));
            assert!(at(":rpush") < at(":lpop"), "{case}: {heard}");
            assert!(at("$1\r\nk\r\n$1\r\nv") < at(":lpop"), "{case}: {heard}");
        }
    }
}

#[test]
fn who_waits_is_counted_once() {
    for shards in SHARDS {
        for seed in 0..20 {
            let case = format!("{shards} shards, seed {seed}");
            let mut world = World::new(&Options::calm(shards, seed));
            let waiting: Vec<ClientId> = (0..4).map(|_| world.connect()).collect();
            let other = world.connect();
            call(&mut world, waiting[0], "BLPOP k 0");
            call(&mut world, waiting[1], "BLPOP other k last 0");
            call(&mut world, waiting[2], "BLMOVE a b LEFT LEFT 0");
            call(&mut world, waiting[3], "XREAD BLOCK 0 STREAMS s1 s2 $ $");
            call(&mut world, other, "RPUSH k v");
            heard(&mut world, other);
            call(&mut world, other, "INFO clients");
            let info = heard(&mut world, other);
            assert!(info.contains("blocked_clients:3\r\n"), "{case}: {info}");
        }
    }
}

#[test]
fn watched_keys_are_counted_until_the_client_watches_them_no_more() {
    for shards in SHARDS {
        let mut world = World::new(&Options::calm(shards, 1));
        let [one, two] = [(); 2].map(|()| world.connect());
        let seen = |world: &mut World, want: [&str; 3]| {
            call(world, two, "CLIENT LIST");
            call(world, two, "INFO clients");
            let text = heard(world, two);
            for (name, value) in
                ["watch=", "watching_clients:", "total_watched_keys:"].iter().zip(want)
            {
                assert!(
                    text.contains(&format!("{name}{value}")),
                    "{shards} shards: {name}{value} {text}"
                );
            }
        };
        seen(&mut world, ["0", "0", "0"]);
        call(&mut world, one, "WATCH a b c a");
        call(&mut world, one, "WATCH c d");
        seen(&mut world, ["4", "1", "4"]);
        call(&mut world, one, "UNWATCH");
        seen(&mut world, ["0", "0", "0"]);
        for end in ["EXEC", "DISCARD", "RESET"] {
            call(&mut world, one, "WATCH a b c");
            seen(&mut world, ["3", "1", "3"]);
            call(&mut world, one, "MULTI");
            call(&mut world, one, "GET b");
            call(&mut world, one, end);
            seen(&mut world, ["0", "0", "0"]);
        }
    }
}

#[test]
fn the_watches_of_a_client_that_left_are_forgotten_wherever_it_stood() {
    for shards in SHARDS {
        for seed in 0..40 {
            let case = format!("{shards} shards, seed {seed}");
            let mut world = World::new(&Options::calm(shards, seed));
            let [busy, other] = [(); 2].map(|()| world.connect());
            // It leaves while its WATCH waits behind a transaction, or is on its way, or has its reply.
            for steps in 0..30 {
                let leaves = world.connect();
                world.call(busy, &["MSET", "a", "1", "b", "2", "c", "3"]);
                world.call(leaves, &["WATCH", "a", "b", "c"]);
                (0..steps).for_each(|_| _ = world.step());
                world.disconnect(leaves);
                assert!(world.settle(STEPS_MAX), "{case}, {steps} steps");
            }
            call(&mut world, other, "INFO clients");
            let info = heard(&mut world, other);
            assert!(info.contains("total_watched_keys:0\r\n"), "{case}: {info}");
        }
    }
}
