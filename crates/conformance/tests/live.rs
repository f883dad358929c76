//! The live check itself, in short: the server runs in this process, the clients talk TCP.

use std::ffi::OsString;

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
        let outcome = does(&endpoint);
        let mut last = Connection::connect(&endpoint, None).expect("a last client");
        // It ends without a reply.
        let _ = last.call(&["SHUTDOWN", "NOSAVE"]);
        outcome
    })
}

fn check(shards: u16) {
    let outcome = with_server(shards, |endpoint| judge(endpoint, 20_000));
    let tally = outcome.unwrap_or_else(|failure| panic!("{shards} shards: {failure}"));
    assert_eq!(tally.total(), 20_000);
    assert_eq!(tally.inconclusive, 0);
}

/// What is said to the server, in one text.
fn told(client: &mut Connection, words: &[&str]) -> String {
    format!("{:?}", client.call(words).expect("the server answers"))
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
                let end = runs.receive();
                println!("ended after {:?}", began.elapsed());
                assert!(format!("{end:?}").contains("Script killed by user"), "{end:?}");
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
fn twenty_thousand_transactions_on_one_shard_could_have_been_one_thread_s() {
    check(1);
}

#[test]
fn twenty_thousand_transactions_on_three_shards_could_have_been_one_thread_s() {
    check(3);
}
