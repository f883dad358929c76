//! Shards as neighbours: mail, full mailboxes, time, stopping, and what the executor gets wrong.

#[expect(dead_code, reason = "this file uses its part")]
mod lines;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use lines::{Client, Counts, DRIVERS, Node, PATIENCE, on_each_driver};
use stoa_uring::Options;

/// Connections until every shard has at least one.
fn one_on_each_shard(node: &Node, shards: usize) -> Vec<Client> {
    let mut found: Vec<Option<Client>> = (0..shards).map(|_| None).collect();
    let mut spare = Vec::new();
    while found.iter().any(Option::is_none) {
        let mut client = node.connect();
        let shard: usize = client.ask("shard").parse().expect("a number");
        match &mut found[shard] {
            empty @ None => *empty = Some(client),
            Some(_) => spare.push(client),
        }
        assert!(spare.len() < 200, "{}: the kernel uses only some shards", node.name);
    }
    found.into_iter().flatten().collect()
}

#[test]
fn every_question_to_another_shard_is_answered() {
    for shards in [1, 2, 3] {
        on_each_driver(
            |options| options.shards = shards,
            |node| {
                let mut clients: Vec<_> = (0..20).map(|_| node.connect()).collect();
                for n in 0..100 {
                    for client in &mut clients {
                        client.say(&format!("hop {n}"));
                    }
                    for client in &mut clients {
                        assert_eq!(client.hear(), n.to_string(), "{} {shards}", node.name);
                    }
                }
            },
        );
    }
}

#[test]
fn full_mailboxes_slow_clients_down_and_lose_nothing() {
    const COUNT: usize = 20_000;
    let options = |options: &mut Options| {
        options.shards = 3;
        options.tuning.mailbox_len = 1;
        options.tuning.recv_buffers = 4;
        options.tuning.recv_buffer_bytes = 4_096;
    };
    on_each_driver(options, |node| {
        let mut clients = one_on_each_shard(node, 3);
        std::thread::scope(|scope| {
            for client in &mut clients {
                let mut socket = client.socket.try_clone().expect("a second handle");
                scope.spawn(move || {
                    let all: String = (0..COUNT).map(|n| format!("hop {n}\n")).collect();
                    socket.write_all(all.as_bytes()).expect("the node reads");
                });
                scope.spawn(|| {
                    // Answers of one shard to one connection keep their order.
                    for n in 0..COUNT {
                        assert_eq!(client.hear(), n.to_string(), "{}", node.name);
                    }
                });
            }
        });
    });
}

#[test]
fn a_shard_that_sleeps_is_woken_by_mail_and_by_data() {
    // The other shards have nothing to do but this, so each hop wakes one, and each answer
    // another; a lost wake-up would end in the client's patience.
    on_each_driver(
        |options| options.shards = 2,
        |node| {
            let mut client = node.connect();
            for spins in 0..3_000 {
                (0..spins % 7 * 100).for_each(|_| std::hint::spin_loop());
                assert_eq!(client.ask("hop around"), "around", "{}", node.name);
            }
        },
    );
}

#[test]
fn deadlines_are_met_while_others_keep_the_shard_busy() {
    on_each_driver(
        |_| {},
        |node| {
            let over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        let mut noisy = node.connect();
                        while !over.load(Ordering::Relaxed) {
                            (0..100).for_each(|_| noisy.say("echo noise"));
                            (0..100).for_each(|_| drop(noisy.hear()));
                        }
                    });
                }
                let mut client = node.connect();
                for ms in [0, 1, 5, 30] {
                    assert_eq!(client.ask(&format!("later {ms}")), "now", "{}", node.name);
                }
                over.store(true, Ordering::Relaxed);
            });
            // And with nobody else about, when the deadline must wake it.
            let mut client = node.connect();
            client.say("later 60\nlater 20");
            assert_eq!((client.hear(), client.hear()), ("now".to_owned(), "now".to_owned()));
        },
    );
}

#[test]
fn work_in_portions_goes_on_while_sockets_are_served() {
    on_each_driver(
        |_| {},
        |node| {
            let mut worker = node.connect();
            worker.say("chore 20000");
            let mut other = node.connect();
            for n in 0..50 {
                assert_eq!(other.ask(&format!("echo {n}")), n.to_string(), "{}", node.name);
            }
            assert_eq!(worker.hear(), "done", "{}", node.name);
        },
    );
}

#[test]
fn a_node_stops_in_the_middle_of_work_and_sends_what_it_owes() {
    for shards in [1, 3] {
        on_each_driver(
            |options| options.shards = shards,
            |node| {
                std::thread::scope(|scope| {
                    for mut client in [(); 4].map(|()| node.connect()) {
                        scope.spawn(move || {
                            let mut all = String::new();
                            (0..1_000).for_each(|n| all.push_str(&format!("hop {n}\n")));
                            // Fails once the node has closed, which ends the loop.
                            while client.socket.write_all(all.as_bytes()).is_ok() {
                                let mut some = [0; 4_096];
                                if !matches!(client.socket.read(&mut some), Ok(1..)) {
                                    break;
                                }
                            }
                        });
                    }
                    let mut client = node.connect();
                    assert_eq!(client.ask("hop first"), "first", "{}", node.name);
                    assert_eq!(client.ask("shutdown"), "going", "{}", node.name);
                    assert_eq!(client.rest(), b"", "{} {shards}", node.name);
                });
            },
        );
    }
}

#[test]
fn a_service_that_is_never_done_cannot_keep_a_node_from_stopping() {
    let options = |options: &mut Options| {
        options.shards = 2;
        options.tuning.stop_grace_ms = 50;
    };
    on_each_driver(options, |node| {
        let mut client = node.connect();
        client.say("chore 4000000000\necho at it");
        assert_eq!(client.hear(), "at it", "{}", node.name);
        // The harness stops the node and waits for its end.
    });
}

#[test]
fn a_node_that_owes_nothing_does_not_wait_for_its_grace() {
    for shards in [1, 3] {
        let options = |options: &mut Options| {
            options.shards = shards;
            options.tuning.stop_grace_ms = 3_600_000;
        };
        on_each_driver(options, |node| {
            let mut client = node.connect();
            assert_eq!(client.ask("hop here"), "here", "{}", node.name);
            // The harness stops the node and waits for its end.
        });
    }
}

#[test]
fn a_stopping_node_tells_its_service_once_a_shard() {
    on_each_driver(
        |options| options.shards = 3,
        |node| {
            node.stop.stop();
            let start = std::time::Instant::now();
            while Counts::get(&node.counts.stopping) < 3 && start.elapsed() < PATIENCE {
                std::thread::yield_now();
            }
            assert_eq!(Counts::get(&node.counts.stopping), 3, "{}", node.name);
        },
    );
}

#[test]
fn a_shard_that_panics_ends_the_node_and_is_named() {
    for (name, driver) in DRIVERS {
        let listeners = vec![([127, 0, 0, 1], 0).into()];
        let options = Options { shards: 3, driver, listeners, pin: false, ..Options::default() };
        let node = Node::start(name, options);
        let mut client = node.connect();
        let shard = client.ask("shard");
        client.say("panic");
        assert_eq!(client.rest(), b"", "{name}");
        let error = node.join().expect_err("it panicked").to_string();
        assert!(error.contains(&format!("shard-{shard} panicked: asked to")), "{name}: {error}");
    }
}

#[test]
fn unread_sockets_are_served_although_the_cores_are_taken() {
    // Falling asleep is several steps, and a shard can be kept from its core between any two. Here
    // more threads than cores fight for them while two shards wake each other; a shard that
    // overslept would end in the client's patience.
    on_each_driver(
        |options| options.shards = 2,
        |node| {
            let over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        while !over.load(Ordering::Relaxed) {
                            std::hint::spin_loop();
                        }
                    });
                }
                let mut clients: Vec<_> = (0..4).map(|_| node.connect()).collect();
                for n in 0..100 {
                    for client in &mut clients {
                        client.say(&format!("hop {n}"));
                    }
                    for client in &mut clients {
                        assert_eq!(client.hear(), n.to_string(), "{}", node.name);
                    }
                }
                over.store(true, Ordering::Relaxed);
            });
        },
    );
}

#[test]
fn a_node_can_start_again_at_once_on_the_same_port() {
    let mut port = 0;
    for _ in 0..3 {
        on_each_driver(
            |options| options.listeners = vec![([127, 0, 0, 1], port).into()],
            |node| {
                // The side that closes first keeps the port in TIME_WAIT: here the node.
                assert_eq!(node.connect().ask("quit"), "bye");
            },
        );
        if port == 0 {
            let node = Node::start(
                "to find a port",
                Options { listeners: vec![([127, 0, 0, 1], 0).into()], ..Options::default() },
            );
            port = node.addr.port();
            assert_eq!(node.connect().ask("quit"), "bye");
            node.end();
        }
    }
}

#[test]
fn a_second_node_on_the_same_port_is_refused() {
    on_each_driver(
        |_| {},
        |node| {
            let options = Options { listeners: vec![node.addr], ..Options::default() };
            let second = stoa_uring::run(options, |_| -> NoService { unreachable!("never made") });
            let error = second.expect_err("the port is taken").to_string();
            assert!(error.contains("choose another"), "{}: {error}", node.name);
        },
    );
}

/// Never made.
struct NoService;

impl stoa_uring::Service for NoService {
    type Message = ();
    fn open(
        &mut self,
        _: stoa_stdx::ConnId,
        _: &stoa_uring::Peer,
        _: stoa_uring::Now,
        _: &mut Vec<u8>,
    ) -> bool {
        false
    }
    fn pass(&mut self, _: &mut stoa_uring::Pass<'_, ()>, _: stoa_uring::Now) {}
    fn poll(&mut self) -> Option<stoa_uring::Action<()>> {
        None
    }
    fn take_output(&mut self, _: stoa_stdx::ConnId, spare: Vec<u8>) -> Vec<u8> {
        spare
    }
    fn poll_timeout(&self) -> Option<stoa_stdx::MonoMs> {
        None
    }
    fn busy(&self) -> bool {
        false
    }
}
