//! What clients may do to a node, on every driver: many, fast, slow, rude and half gone.

mod lines;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use lines::{CONNS_MAX, Counts, Node, PATIENCE, on_each_driver};
use socket2::{Domain, SockRef, Socket, Type};
use stoa_uring::{Options, UnixSocket};

/// Few and small receive buffers, so that everything has to wait for them.
fn starved(options: &mut Options) {
    options.tuning.recv_buffers = 2;
    options.tuning.recv_buffer_bytes = 4_096;
}

#[test]
fn each_of_many_connections_gets_its_own_answers() {
    on_each_driver(
        |_| {},
        |node| {
            // Twice, so that rows are used again.
            for round in 0..2 {
                let mut clients: Vec<_> = (0..200).map(|_| node.connect()).collect();
                for (n, client) in clients.iter_mut().enumerate() {
                    client.say(&format!("echo {round} {n}"));
                }
                for (n, client) in clients.iter_mut().enumerate() {
                    assert_eq!(client.hear(), format!("{round} {n}"), "{}", node.name);
                }
            }
            node.wait_until("all rows are free", |counts| Counts::get(&counts.open) == 1);
        },
    );
}

#[test]
fn a_node_connects_to_who_listens_and_hears_of_who_does_not() {
    on_each_driver(
        |_| {},
        |node| {
            let there = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = there.local_addr().expect("bound").port();
            let mut client = node.connect();
            client.say(&format!("dial {port}"));
            let (socket, _) = there.accept().expect("the node connects");
            assert_eq!(client.hear(), "Ok(\"linked\")", "{}", node.name);
            socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
            let mut lines = BufReader::new(socket.try_clone().expect("a second handle"));
            let mut line = String::new();
            lines.read_line(&mut line).expect("the node says hello");
            assert_eq!(line, "hello\n", "{}", node.name);
            // It is a connection like any other.
            (&socket).write_all(b"echo back\n").expect("the node reads");
            line.clear();
            lines.read_line(&mut line).expect("the node answers");
            assert_eq!(line, "back\n", "{}", node.name);
            drop((there, lines, socket));
            // Bound, so that nobody else gets the port, but nobody listens.
            let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            deaf.bind(&any.into()).expect("a free port");
            let port = deaf.local_addr().expect("bound").as_socket().expect("an address").port();
            client.say(&format!("dial {port}"));
            assert_eq!(client.hear(), "Err(Refused)", "{}", node.name);
            node.wait_until("its end is seen", |counts| Counts::get(&counts.ended) == 1);
        },
    );
}

#[test]
fn a_pipeline_larger_than_all_buffers_is_answered_in_order() {
    on_each_driver(starved, |node| {
        const COUNT: usize = 100_000;
        let mut client = node.connect();
        let mut socket = client.socket.try_clone().expect("a second handle");
        let writer = std::thread::spawn(move || {
            let all: String = (0..COUNT).map(|n| format!("echo {n}\n")).collect();
            socket.write_all(all.as_bytes()).expect("the node reads");
        });
        for n in 0..COUNT {
            assert_eq!(client.hear(), n.to_string(), "{}", node.name);
        }
        writer.join().expect("the writer does not panic");
    });
}

#[test]
fn many_connections_share_two_buffers() {
    on_each_driver(starved, |node| {
        let mut clients: Vec<_> = (0..50).map(|_| node.connect()).collect();
        let long = "y".repeat(3_000);
        for round in 0..20 {
            for client in &mut clients {
                client.say(&format!("echo {round} {long}"));
            }
            for client in &mut clients {
                assert_eq!(client.hear(), format!("{round} {long}"), "{}", node.name);
            }
        }
    });
}

#[test]
fn a_client_that_closed_its_side_is_still_answered() {
    on_each_driver(
        |options| options.shards = 3,
        |node| {
            let mut client = node.connect();
            client.say("echo one\nhop two\necho three\nhop four");
            client.socket.shutdown(Shutdown::Write).expect("connected");
            let rest = String::from_utf8(client.rest()).expect("text");
            let mut lines: Vec<_> = rest.lines().collect();
            lines.sort_unstable();
            assert_eq!(lines, ["four", "one", "three", "two"], "{}", node.name);
            assert_eq!(Counts::get(&node.counts.ended), 1, "{}", node.name);
        },
    );
}

#[test]
fn a_reset_in_the_middle_of_a_request_frees_the_connection() {
    on_each_driver(
        |_| {},
        |node| {
            for _ in 0..50 {
                let mut client = node.connect();
                assert_eq!(client.ask("echo here"), "here");
                client.socket.write_all(b"echo half a li").expect("connected");
                // Zero linger makes the close a reset.
                let linger = Some(std::time::Duration::ZERO);
                SockRef::from(&client.socket).set_linger(linger).expect("a socket");
            }
            node.wait_until("resets are noticed", |counts| {
                Counts::get(&counts.lost) == 50 && Counts::get(&counts.open) == 1
            });
        },
    );
}

#[test]
fn a_client_that_never_reads_stops_nobody_and_can_be_closed() {
    on_each_driver(
        |_| {},
        |node| {
            let mut slow = node.connect();
            assert_eq!(slow.ask("echo first"), "first");
            slow.say("big 60000000");
            slow.say("echo after");
            let mut other = node.connect();
            for n in 0..100 {
                assert_eq!(other.ask(&format!("echo {n}")), n.to_string(), "{}", node.name);
            }
            assert_eq!(other.ask("killfirst"), "killed", "{}", node.name);
            assert!(slow.rest().len() < 60_000_000, "{}", node.name);
            node.wait_until("only the other is open", |counts| Counts::get(&counts.open) == 2);
        },
    );
}

#[test]
fn a_large_reply_arrives_whole_and_is_counted() {
    on_each_driver(
        |_| {},
        |node| {
            let mut client = node.connect();
            for _ in 0..3 {
                assert_eq!(client.ask("big 5000000").len(), 5_000_000, "{}", node.name);
            }
            let owed = 3 * 5_000_001;
            node.wait_until("every byte is counted", |counts| Counts::get(&counts.sent) >= owed);
        },
    );
}

#[test]
fn a_close_after_flush_sends_what_is_owed_first() {
    on_each_driver(
        |_| {},
        |node| {
            let mut client = node.connect();
            client.say("big 3000000\nquit\necho not any more");
            let rest = client.rest();
            assert_eq!(rest.len(), 3_000_001 + 4, "{}", node.name);
            assert!(rest.ends_with(b"\nbye\n"), "{}", node.name);
            let mut again = node.connect();
            assert_eq!(again.ask("quit"), "bye");
            assert_eq!(again.rest(), b"", "{}", node.name);
        },
    );
}

#[test]
fn a_closed_client_that_does_not_read_its_last_output_is_given_up() {
    on_each_driver(
        |options| options.tuning.flush_grace_ms = 50,
        |node| {
            let mut slow = node.connect();
            slow.say("big 60000000\nquit");
            // The service has forgotten it at once; the end of the stream shows that the driver has too.
            let mut first = [0; 1];
            slow.socket.read_exact(&mut first).expect("the beginning");
            let mut other = node.connect();
            assert_eq!(other.ask("later 200"), "now", "{}", node.name);
            assert!(slow.rest().len() < 60_000_000, "{}", node.name);
        },
    );
}

#[test]
fn a_close_at_once_drops_what_is_owed() {
    on_each_driver(
        |_| {},
        |node| {
            let mut client = node.connect();
            client.say("kill");
            assert_eq!(client.rest(), b"", "{}", node.name);
        },
    );
}

#[test]
fn a_refused_connection_is_told_why() {
    on_each_driver(
        |_| {},
        |node| {
            let mut clients: Vec<_> = (0..CONNS_MAX).map(|_| node.connect()).collect();
            for client in &mut clients {
                assert_eq!(client.ask("echo in"), "in", "{}", node.name);
            }
            assert_eq!(node.connect().rest(), b"too many\n", "{}", node.name);
            assert_eq!(clients.pop().expect("one").ask("quit"), "bye");
            assert_eq!(node.connect().ask("echo room"), "room", "{}", node.name);
        },
    );
}

#[test]
fn a_paused_connection_loses_nothing() {
    on_each_driver(starved, |node| {
        let mut client = node.connect();
        let mut expected = Vec::new();
        for n in 0..40 {
            // What follows in the same write may be received before the pause takes effect.
            client.say(&format!("pause 5\necho a{n}\necho b{n}"));
            client.say(&format!("echo c{n}"));
            expected.extend(["a", "b", "c"].map(|letter| format!("{letter}{n}")));
        }
        client.socket.shutdown(Shutdown::Write).expect("connected");
        let heard = String::from_utf8(client.rest()).expect("text");
        assert_eq!(heard.lines().collect::<Vec<_>>(), expected, "{}", node.name);
    });
}

#[test]
fn paused_connections_do_not_hold_the_buffers_of_others() {
    on_each_driver(starved, |node| {
        let mut paused: Vec<_> = (0..20).map(|_| node.connect()).collect();
        for client in &mut paused {
            client.say("pause 3600000");
            client.say(&"z".repeat(10_000));
        }
        let mut other = node.connect();
        for n in 0..50 {
            assert_eq!(other.ask(&format!("echo {n}")), n.to_string(), "{}", node.name);
        }
    });
}

#[test]
fn a_unix_socket_is_served_by_shard_0_and_removed_at_the_end() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, driver) in lines::DRIVERS {
        let path = dir.path().join("stoa.sock");
        let mode = Some(0o600);
        let unix = Some(UnixSocket { path: path.clone(), mode });
        let listeners = vec![([127, 0, 0, 1], 0).into()];
        let options = Options { shards: 2, driver, unix, listeners, ..Options::default() };
        let node = Node::start(name, options);
        let found = std::fs::metadata(&path).expect("the socket's file").permissions();
        assert_eq!(found.mode() & 0o777, 0o600, "{name}");
        let mut socket = UnixStream::connect(&path).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.write_all(b"shard\nquit\n").expect("the node reads");
        let mut heard = String::new();
        socket.read_to_string(&mut heard).expect("the node answers");
        assert_eq!(heard, "0\nbye\n", "{name}");
        node.end();
        assert!(!path.exists(), "{name}");
    }
}

#[test]
fn a_socket_that_another_thread_brings_is_a_client_like_any_other() {
    on_each_driver(
        |options| options.shards = 2,
        |node| {
            let mut shards = Vec::new();
            for n in 0..200 {
                let mut guest = node.guest();
                let mut ask = |line: &str| {
                    guest.get_mut().write_all(line.as_bytes()).expect("the node reads");
                    let mut answer = String::new();
                    guest.read_line(&mut answer).expect("the node answers");
                    answer.trim_end().to_owned()
                };
                // The shards sleep between guests, so each one has to wake its own.
                assert_eq!(ask(&format!("hop {n}\n")), n.to_string(), "{}", node.name);
                shards.push(ask("shard\n"));
                assert_eq!(ask(&format!("big {}\n", 1 << 20)).len(), 1 << 20, "{}", node.name);
                if n % 2 == 0 {
                    assert_eq!(ask("quit\n"), "bye");
                    let mut rest = Vec::new();
                    assert_eq!(guest.read_to_end(&mut rest).expect("closed"), 0, "{}", node.name);
                }
            }
            assert!(shards.contains(&"0".to_owned()) && shards.contains(&"1".to_owned()));
        },
    );
}

#[test]
fn a_node_that_stops_takes_nobody_in() {
    on_each_driver(
        |_| {},
        |node| {
            let mut guest = node.guest();
            node.stop.stop();
            // Let in or not, it is not left hanging.
            let mut rest = Vec::new();
            let _ = guest.read_to_end(&mut rest);
        },
    );
}
