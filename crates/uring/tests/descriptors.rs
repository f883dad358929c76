//! Running out of descriptors. Alone in its file, because the limit is that of the process.

#[expect(dead_code, reason = "this file uses its part")]
mod lines;

use std::net::TcpStream;

use lines::{Counts, DRIVERS, Node, PATIENCE};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stoa_uring::Options;

#[test]
fn without_descriptors_the_node_rests_and_accepts_again_once_there_are_some() {
    for (name, driver) in DRIVERS {
        let listeners = vec![([127, 0, 0, 1], 0).into()];
        let options = Options { driver, listeners, pin: false, ..Options::default() };
        let node = Node::start(name, options);
        let mut first = node.connect();
        assert_eq!(first.ask("echo here"), "here", "{name}");
        // Clients that connected while the limit lay below what was open already: the kernel
        // completes their handshake, the node cannot accept them.
        let before = getrlimit(Resource::Nofile);
        let waiting: Vec<_> = (0..5)
            .map(|_| {
                setrlimit(Resource::Nofile, before).expect("its own limit");
                let client = TcpStream::connect(node.addr).expect("the backlog has room");
                setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..before }).expect("lower");
                client
            })
            .collect();
        let passes = Counts::get(&node.counts.passes);
        first.say("later 250");
        assert_eq!(first.hear(), "now", "{name}: the rest of the node goes on");
        let spent = Counts::get(&node.counts.passes) - passes;
        assert!(spent < 100, "{name}: {spent} passes in a quarter of a second: it does not rest");
        setrlimit(Resource::Nofile, before).expect("its own limit");
        let start = std::time::Instant::now();
        while Counts::get(&node.counts.open) < 6 {
            assert!(start.elapsed() < PATIENCE, "{name}: {:?}", node.counts);
            assert_eq!(first.ask("later 10"), "now", "{name}");
        }
        drop(waiting);
        node.end();
    }
}
