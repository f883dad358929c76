//! Transactions of thousands of commands over all shards, and very many clients at the same keys:
//! nobody sees a part of one, and nothing is lost or done twice.

use stoa_resp::{Value, decode};
use stoa_sim::{ClientId, Options, World};
use stoa_stdx::Rng;

const SHARDS: [u16; 3] = [1, 3, 8];
const STEPS_MAX: u64 = 5_000_000;

/// A reply that a client waits for, while the world goes on.
fn wait(world: &mut World, client: ClientId) -> Value {
    for _ in 0..STEPS_MAX {
        if let Some(reply) = world.next_reply(client) {
            return decode(&reply).expect("a reply").expect("all of it").0;
        }
        world.step();
    }
    panic!("client {client:?} is never answered");
}

fn counter(number: usize) -> String {
    format!("n:{number}")
}

/// Sends MULTI, INCR of so many counters, EXEC.
fn increment_all(world: &mut World, client: ClientId, counters: usize) {
    world.call(client, &["MULTI"]);
    for number in 0..counters {
        world.call(client, &["INCR", &counter(number)]);
    }
    world.call(client, &["EXEC"]);
}

/// Takes the replies to that: each counter stands at the same number.
fn incremented(world: &mut World, client: ClientId, counters: usize) -> i64 {
    assert_eq!(wait(world, client), Value::Simple(b"OK".to_vec()));
    for _ in 0..counters {
        assert_eq!(wait(world, client), Value::Simple(b"QUEUED".to_vec()));
    }
    let Value::Array(replies) = wait(world, client) else { panic!("EXEC answers an array") };
    assert_eq!(replies.len(), counters);
    let first = replies[0].clone();
    assert!(replies.iter().all(|reply| *reply == first), "counters differ within one EXEC");
    let Value::Int(number) = first else { panic!("{first:?} is no number") };
    number
}

#[test]
fn an_exec_of_ten_thousand_commands_over_all_shards_is_one_moment() {
    const COMMANDS: usize = 10_000;
    const ROUNDS: i64 = 3;
    let sample: Vec<String> = (0..COMMANDS).step_by(311).map(counter).collect();
    let mget: Vec<&str> =
        std::iter::once("MGET").chain(sample.iter().map(String::as_str)).collect();
    for shards in SHARDS {
        let mut world = World::new(&Options::calm(shards, u64::from(shards)));
        let (writer, reader) = (world.connect(), world.connect());
        let mut reads = Vec::new();
        for round in 1..=ROUNDS {
            increment_all(&mut world, writer, COMMANDS);
            // Reads overtake the transaction, meet it and follow it.
            for _ in 0..5 {
                world.call(reader, &mget);
                reads.push(wait(&mut world, reader));
            }
            assert_eq!(incremented(&mut world, writer, COMMANDS), round, "{shards} shards");
            world.call(reader, &mget);
            let last = wait(&mut world, reader);
            let all = vec![Value::Bulk(round.to_string().into_bytes()); sample.len()];
            assert_eq!(last, Value::Array(all), "{shards} shards: what was answered is there");
        }
        for read in reads {
            let Value::Array(seen) = read else { panic!("MGET answers an array") };
            assert!(seen.iter().all(|one| *one == seen[0]), "{shards} shards: a part was seen");
        }
    }
}

#[test]
fn transactions_of_many_connections_are_seen_whole_or_not_at_all() {
    const COUNTERS: usize = 40;
    const WRITERS: usize = 6;
    const ROUNDS: usize = 4;
    for shards in SHARDS {
        let mut world = World::new(&Options::rough(shards, 7 + u64::from(shards)));
        let writers: Vec<ClientId> = (0..WRITERS).map(|_| world.connect()).collect();
        let reader = world.connect();
        let mut numbers = Vec::new();
        for _ in 0..ROUNDS {
            for writer in &writers {
                increment_all(&mut world, *writer, COUNTERS);
            }
            world.call(reader, &["MULTI"]);
            (0..COUNTERS).for_each(|number| world.call(reader, &["GET", &counter(number)]));
            world.call(reader, &["EXEC"]);
            let seen = (0..COUNTERS + 2).map(|_| wait(&mut world, reader)).last();
            let Some(Value::Array(seen)) = seen else { panic!("EXEC answers an array") };
            assert!(seen.iter().all(|one| *one == seen[0]), "{shards} shards: {seen:?}");
            for writer in &writers {
                numbers.push(incremented(&mut world, *writer, COUNTERS));
            }
        }
        numbers.sort_unstable();
        let want: Vec<i64> = (1..=(WRITERS * ROUNDS) as i64).collect();
        assert_eq!(numbers, want, "{shards} shards: each has a place of its own");
    }
}

#[test]
fn scripts_of_sixty_four_clients_increment_foreign_keys_exactly() {
    const CLIENTS: usize = 64;
    const CALLS: usize = 8;
    const KEYS: usize = 6;
    let script = "return redis.call('INCR', ARGV[1] or KEYS[1])";
    for shards in SHARDS {
        let mut rng = Rng::new(u64::from(shards));
        let mut world = World::new(&Options::rough(shards, 11 + u64::from(shards)));
        let clients: Vec<ClientId> = (0..CLIENTS).map(|_| world.connect()).collect();
        let mut want = [0; KEYS];
        for client in &clients {
            for _ in 0..CALLS {
                let key = rng.below(KEYS as u64) as usize;
                want[key] += 1;
                let name = counter(key);
                if rng.one_in(4) {
                    // Undeclared: it runs where all keys are.
                    world.call(*client, &["EVAL", script, "0", &name]);
                } else {
                    world.call(*client, &["EVAL", script, "1", &name]);
                }
            }
        }
        for client in &clients {
            for _ in 0..CALLS {
                let reply = wait(&mut world, *client);
                assert!(matches!(reply, Value::Int(_)), "{shards} shards: {reply:?}");
            }
        }
        for (key, want) in want.iter().enumerate() {
            world.call(clients[0], &["GET", &counter(key)]);
            let got = wait(&mut world, clients[0]);
            assert_eq!(got, Value::Bulk(want.to_string().into_bytes()), "{shards} shards");
        }
    }
}
