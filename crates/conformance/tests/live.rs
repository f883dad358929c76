//! The live check itself, in short: the server runs in this process, the clients talk TCP.

use std::ffi::OsString;

use stoa_client::{Connection, Endpoint};
use stoa_config::Startup;
use stoa_conformance::{free_port, is_up, live, local};

/// Serves on a port until SHUTDOWN.
fn serve(port: u16, shards: u16) {
    let arguments =
        ["--bind", "127.0.0.1", "--port", &port.to_string(), "--shards", &shards.to_string()]
            .map(OsString::from);
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

fn check(shards: u16) {
    let port = free_port().expect("a port");
    let endpoint = local(port);
    let outcome = std::thread::scope(|scope| {
        let server = scope.spawn(move || serve(port, shards));
        while !is_up(&endpoint) {
            assert!(!server.is_finished(), "the server ended at once");
            std::thread::yield_now();
        }
        let outcome = judge(&endpoint, 20_000);
        let mut last = Connection::connect(&endpoint, None).expect("a last client");
        // It ends without a reply.
        let _ = last.call(&["SHUTDOWN", "NOSAVE"]);
        outcome
    });
    let tally = outcome.unwrap_or_else(|failure| panic!("{shards} shards: {failure}"));
    assert_eq!(tally.total(), 20_000);
    assert_eq!(tally.inconclusive, 0);
}

#[test]
fn twenty_thousand_transactions_on_one_shard_could_have_been_one_thread_s() {
    check(1);
}

#[test]
fn twenty_thousand_transactions_on_three_shards_could_have_been_one_thread_s() {
    check(3);
}
