//! The live check itself, in short: the server runs in this process, the clients talk TCP.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use stoa_client::{Connection, Endpoint, Value};
use stoa_config::Startup;
use stoa_conformance::{free_port, is_up, live, local};

/// Serves on a port until SHUTDOWN.
fn serve(port: u16, shards: u16) {
    let (port, shards) = (port.to_string(), shards.to_string());
    let arguments = ["--bind", "127.0.0.1", "--port", &port, "--shards", &shards];
    let arguments = [&arguments[..], &["--busy-reply-threshold", "50"]].concat();
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    let mut no_file = |_: &std::path::Path| Err(std::io::Error::other("there is no file"));
    match stoa_config::load(&arguments, &mut no_file) {
        Ok(Startup::Serve(launch)) => stoa_server::serve(*launch).expect("it serves"),
        Ok(Startup::PrintHelp | Startup::PrintVersion) => unreachable!("nobody asked for it"),
        Err(error) => panic!("{error}"),
    }
}

fn judge(endpoint: &Endpoint, txns: u64) -> Result<live::Tally, live::Failure> {
    let options = live::Options { seed: 7, txns, txns_per_portion: 5_000, clients: 8 };
    live::run(endpoint, &options)
}

/// Does something with a server of so many shards.
fn with_server<R>(shards: u16, does: impl FnOnce(&Endpoint) -> R) -> R {
    let port = free_port().expect("a port");
    let endpoint = local(port);
    std::thread::scope(|scope| {
        let server = scope.spawn(move || serve(port, shards));
        while !is_up(&endpoint) {
            assert!(!server.is_finished(), "the server ended at once");
            std::thread::yield_now();
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| does(&endpoint)));
        let mut last = Connection::connect(&endpoint, None).expect("a last client");
        // It ends without a reply.
        let _ = last.call(&["SHUTDOWN", "NOSAVE"]);
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn check(shards: u16) {
    let outcome = with_server(shards, |endpoint| judge(endpoint, 20_000));
    let tally = outcome.unwrap_or_else(|failure| panic!("{shards} shards: {failure}"));
    assert_eq!(tally.total(), 20_000);
    assert_eq!(tally.inconclusive, 0);
}

/// What the server says to this, in one text.
fn told(client: &mut Connection, words: &[&str]) -> String {
    text(&client.call(words).expect("the server answers"))
}

fn text(value: &Value) -> String {
    match value {
        Value::Error(text) | Value::Simple(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    }
}

/// Clients of a server of two shards, some of each.
fn clients_of_both(endpoint: &Endpoint) -> Vec<Vec<Connection>> {
    let mut clients = vec![Vec::new(), Vec::new()];
    while clients.iter().any(|some| some.len() < 2) {
        let mut client = Connection::connect(endpoint, None).expect("a client");
        let Ok(Value::Int(id)) = client.call(&["CLIENT", "ID"]) else { panic!("it has an id") };
        // Ids tell the shard.
        clients[(id as usize - 1) % 2].push(client);
    }
    clients
}

#[test]
fn a_script_without_end_is_heard_of_and_ended_by_clients_of_any_shard() {
    with_server(2, |endpoint| {
        let mut clients = clients_of_both(endpoint);
        let endless = "while true do redis.call('get', KEYS[1]) end";
        // Of both shards, from both shards, by both; the first run of a script is on all keys.
        for round in 0..3 {
            for (from, key) in [(0, "a"), (0, "b"), (1, "a"), (1, "b")] {
                let ends = (round + from) % 2;
                let mut runs = clients[from].pop().expect("two of each");
                runs.send(&["EVAL", endless, "1", key]);
                runs.flush().expect("the server reads");
                // What comes before the server says that it is busy waits till then.
                for client in clients.iter_mut().flatten() {
                    while !told(client, &["PING"]).contains("busy running a script") {}
                    assert!(told(client, &["GET", "a"]).contains("BUSY"));
                    assert!(told(client, &["FUNCTION", "KILL"]).contains("SCRIPT KILL"));
                }
                let began = std::time::Instant::now();
                assert!(told(&mut clients[ends][0], &["SCRIPT", "KILL"]).contains("OK"));
                let end = text(&runs.receive().expect("the script is over"));
                println!("ended after {:?}", began.elapsed());
                assert!(end.contains("Script killed by user"), "{end}");
                for client in clients.iter_mut().flatten() {
                    assert!(told(client, &["PING"]).contains("PONG"));
                    assert!(told(client, &["SCRIPT", "KILL"]).contains("NOTBUSY"));
                }
                clients[from].push(runs);
            }
        }
    });
}

#[test]
fn a_server_without_memory_refuses_what_needs_some_and_takes_it_when_there_is() {
    with_server(2, |endpoint| {
        let mut clients = clients_of_both(endpoint);
        let mut clients: Vec<&mut Connection> = clients.iter_mut().flatten().collect();
        assert!(told(clients[0], &["MSET", "a", "0", "b", "0"]).contains("OK"));
        assert!(told(clients[0], &["CONFIG", "SET", "maxmemory", "1"]).contains("OK"));
        let told_of_zeros = told(clients[0], &["MGET", "a", "b"]);
        for client in &mut clients {
            for line in [&["SET", "a", "1"][..], &["MSET", "a", "1", "b", "1"], &["COPY", "a", "c"]]
            {
                assert!(told(client, line).contains("OOM"), "{line:?}");
            }
            assert!(told(client, &["MGET", "a", "b"]).contains(&told_of_zeros), "both are 0");
        }
        assert!(told(clients[1], &["CONFIG", "SET", "maxmemory", "1gb"]).contains("OK"));
        for client in &mut clients {
            assert!(told(client, &["MSET", "a", "2", "b", "2"]).contains("OK"));
        }
        assert!(told(clients[0], &["CONFIG", "SET", "maxmemory", "4mb"]).contains("OK"));
        let value = "x".repeat(1_000);
        let taken = (0..10_000).take_while(|number| {
            let keys = [format!("{number}:a"), format!("{number}:b")];
            told(clients[number % 4], &["MSET", &keys[0], &value, &keys[1], &value]).contains("OK")
        });
        let taken = taken.count();
        assert!((500..2_100).contains(&taken), "{taken} times two thousand bytes");
        assert!(told(clients[0], &["FLUSHALL", "SYNC"]).contains("OK"));
        let mut again = || told(clients[3], &["MSET", "a", "3", "b", "3"]).contains("OK");
        assert!((0..100_000).any(|_| again()), "memory that was given back can be used");
    });
}

#[test]
fn twenty_thousand_transactions_on_one_shard_could_have_been_one_thread_s() {
    check(1);
}

#[test]
fn twenty_thousand_transactions_on_three_shards_could_have_been_one_thread_s() {
    check(3);
}
