//! A connection against a server that says what the test wants, on a real socket.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stoa_client::{Auth, Connection, Endpoint, Error, Options, Proto, Value};

/// Longest a test waits for the other side before it fails instead of hanging.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(30));

/// Serves one connection: for each exchange, reads exactly the request and writes the reply.
fn serve(exchanges: &[(&str, &str)]) -> (Endpoint, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let exchanges = owned(exchanges);
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(PATIENCE).expect("a timeout");
        exchange(stream, &exchanges);
    });
    (Endpoint::Tcp { host: "127.0.0.1".to_owned(), port }, server)
}

fn owned(exchanges: &[(&str, &str)]) -> Vec<(String, String)> {
    exchanges.iter().map(|&(request, reply)| (request.to_owned(), reply.to_owned())).collect()
}

fn exchange(mut stream: impl Read + Write, exchanges: &[(String, String)]) {
    for (request, reply) in exchanges {
        let mut got = vec![0; request.len()];
        stream.read_exact(&mut got).expect("a request");
        assert_eq!(String::from_utf8_lossy(&got), *request);
        stream.write_all(reply.as_bytes()).expect("a client that listens");
    }
}

fn open(endpoint: &Endpoint) -> Connection {
    let options = Options { endpoint: endpoint.clone(), timeout: PATIENCE, ..Options::default() };
    Connection::open(&options).expect("a connection")
}

fn bulk(text: &str) -> Value {
    Value::Bulk(text.as_bytes().to_vec())
}

const PING: &str = "*1\r\n$4\r\nPING\r\n";

#[test]
fn opening_logs_in_then_says_hello_then_selects() {
    let (endpoint, server) = serve(&[
        ("*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n", "+OK\r\n"),
        ("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", "%0\r\n"),
        ("*2\r\n$6\r\nSELECT\r\n$1\r\n5\r\n", "+OK\r\n"),
        (PING, "+PONG\r\n"),
    ]);
    let options = Options {
        endpoint,
        auth: Some(Auth { user: Some("u".to_owned()), password: "p".to_owned() }),
        proto: Some(Proto::Resp3),
        db: 5,
        connect_timeout: PATIENCE,
        timeout: PATIENCE,
    };
    let mut connection = Connection::open(&options).expect("a connection");
    assert_eq!(connection.call(&["PING"]).expect("a reply"), Value::Simple(b"PONG".to_vec()));
    server.join().expect("the server saw what it expected");
}

#[test]
fn a_refused_step_names_itself() {
    let (endpoint, server) =
        serve(&[("*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n", "-WRONGPASS no such user\r\n")]);
    let auth = Some(Auth { user: None, password: "p".to_owned() });
    let error = Connection::open(&Options { endpoint, auth, ..Options::default() })
        .expect_err("the password is wrong");
    assert_eq!(error.to_string(), "AUTH failed: WRONGPASS no such user");
    server.join().expect("the server saw what it expected");
}

#[test]
fn an_error_reply_is_a_value() {
    let (endpoint, server) = serve(&[(PING, "-ERR no\r\n")]);
    let reply = open(&endpoint).call(&["PING"]).expect("a reply");
    assert_eq!(reply, Value::Error(b"ERR no".to_vec()));
    server.join().expect("the server saw what it expected");
}

#[test]
fn pushes_are_set_aside_and_kept_in_order() {
    let (endpoint, server) = serve(&[(PING, ">1\r\n+a\r\n>1\r\n+b\r\n+PONG\r\n>1\r\n+c\r\n")]);
    let mut connection = open(&endpoint);
    assert_eq!(connection.call(&["PING"]).expect("a reply"), Value::Simple(b"PONG".to_vec()));
    let push = |text: &str| Value::Push(vec![Value::Simple(text.as_bytes().to_vec())]);
    assert_eq!(connection.take_push(), Some(push("a")));
    assert_eq!(connection.receive_any().expect("a push"), push("b"));
    assert_eq!(connection.receive_any().expect("a push"), push("c"));
    assert_eq!(connection.take_push(), None);
    server.join().expect("the server saw what it expected");
}

#[test]
fn a_long_pipeline_gets_each_reply_in_its_place() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let requests: Vec<Vec<String>> =
        (0..20_000).map(|i| vec!["ECHO".to_owned(), format!("message-{i:08}")]).collect();
    let request_len = "*2\r\n$4\r\nECHO\r\n$16\r\nmessage-00000000\r\n".len();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(PATIENCE).expect("a timeout");
        let mut request = vec![0; request_len];
        for _ in 0..20_000 {
            stream.read_exact(&mut request).expect("a request");
            stream.write_all(&request[request_len - 23..]).expect("a client that listens");
        }
    });
    let endpoint = Endpoint::Tcp { host: "127.0.0.1".to_owned(), port };
    let replies = open(&endpoint).pipeline(&requests).expect("replies");
    assert_eq!(replies.len(), requests.len());
    for (request, reply) in requests.iter().zip(replies) {
        assert_eq!(reply, bulk(&request[1]));
    }
    server.join().expect("the server saw what it expected");
}

#[test]
fn a_reply_that_is_late_times_out_and_may_be_waited_for_again() {
    let (endpoint, server) = serve(&[(PING, "+PO"), (PING, "NG\r\n")]);
    let mut connection = open(&endpoint);
    connection.send(&["PING"]);
    connection.flush().expect("a server that listens");
    connection.set_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    let error = connection.receive().expect_err("only half a reply was sent");
    assert!(error.is_timeout(), "{error:?}");
    connection.set_timeout(PATIENCE).expect("a timeout");
    assert_eq!(connection.call(&["PING"]).expect("a reply"), Value::Simple(b"PONG".to_vec()));
    server.join().expect("the server saw what it expected");
}

#[test]
fn a_closed_connection_and_a_closed_port_are_told_apart() {
    let (endpoint, server) = serve(&[(PING, "")]);
    let error = open(&endpoint).call(&["PING"]).expect_err("the server hangs up");
    assert!(matches!(error, Error::Closed), "{error:?}");
    server.join().expect("the server saw what it expected");

    let error = Connection::connect(&endpoint, PATIENCE).expect_err("nobody listens there now");
    let want = format!("Could not connect to Redis at {endpoint}: Connection refused");
    assert_eq!(error.to_string(), want);
}

#[test]
fn unix_sockets_work_alike() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("server.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(PATIENCE).expect("a timeout");
        exchange(stream, &owned(&[(PING, "+PONG\r\n")]));
    });
    let reply = open(&Endpoint::Unix(path)).call(&["PING"]).expect("a reply");
    assert_eq!(reply, Value::Simple(b"PONG".to_vec()));
    server.join().expect("the server saw what it expected");
}
