//! JSON over HTTP, against the real program: what is promised to people, and what rude ones get.

mod node;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use node::{Node, PATIENCE, exchange, post, status};

#[test]
fn the_examples_of_the_page_answer_as_it_says() {
    let node = Node::start("page", &[]);
    let page = include_str!("../../../docs/http.md");
    let blocks =
        page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap_or(""));
    let mut lines = blocks.flat_map(str::lines).peekable();
    let mut count = 0;
    while let Some(command) = lines.next() {
        let command = command.strip_prefix("$ ").expect("a command, then its answer");
        let command = command.replace("127.0.0.1:8080", &node.addr.to_string());
        let output =
            Command::new("sh").arg("-c").arg(command.replace("curl", "curl -s -m 60")).output();
        let output = output.expect("a shell with curl");
        let want = lines.next().expect("an answer");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim_end(),
            want,
            "{command}: {output:?}"
        );
        count += 1;
    }
    assert!(count > 15, "only {count} examples were found");
}

#[test]
fn what_is_set_in_json_is_read_over_resp_and_back() {
    let node = Node::start("both", &[]);
    assert_eq!(
        post(&node, r#"{"cmd":"SET","key":"k","value":"v","ttl":100}"#),
        r#"{"result":"OK"}"#
    );
    assert_eq!(node.resp("GET k"), "$1\r\nv\r\n");
    let ttl: i64 = node.resp("TTL k").trim_start_matches(':').trim().parse().expect("a number");
    assert!((1..=100).contains(&ttl), "{ttl}");
    node.resp("SET other 7");
    assert_eq!(post(&node, r#"["GET","other"]"#), r#"{"result":"7"}"#);
}

#[test]
fn nothing_of_one_request_is_left_for_the_next_on_its_connection() {
    let node = Node::start("apart", &["--requirepass", "secret"]);
    let mut stream = node.connect();
    let mut ask = |auth: &str, body: &str| {
        let length = body.len();
        let head = format!("POST / HTTP/1.1\r\nhost: x\r\n{auth}content-length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{body}").as_bytes()).expect("it reads");
        exchange(&mut stream)
    };
    let auth = "authorization: Bearer secret\r\n";
    let (code, body) =
        ask(auth, r#"[["SET","k","zero"],["SELECT","1"],["SET","k","one"],["MULTI"]]"#);
    assert_eq!(code, 200, "{body}");
    assert_eq!(ask(auth, r#"["GET","k"]"#), (200, "{\"result\":\"zero\"}\n".to_owned()));
    let (code, body) = ask("", r#"["GET","k"]"#);
    assert!(code == 401 && body.contains("NOAUTH"), "{body}");
    assert!(body.contains("Authorization: Bearer") && !body.contains("HELLO"), "{body}");
    let (code, body) = ask("authorization: Basic ZGVmYXVsdDpub25lCg==\r\n", r#"["GET","k"]"#);
    assert!(code == 401 && body.contains("WRONGPASS"), "{body}");
    let (code, _) = ask("authorization: Basic OnNlY3JldA==\r\n", r#"["GET","k"]"#);
    assert_eq!(code, 200);
}

#[test]
fn who_is_not_logged_in_is_told_so_before_the_body_is_read() {
    let node = Node::start("before", &["--requirepass", "secret"]);
    let mut stream = node.connect();
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("it reads");
    assert_eq!(exchange(&mut stream).0, 401);
}

#[test]
fn a_command_that_waits_is_answered_and_one_nobody_waits_for_takes_nothing() {
    let node = Node::start("wait", &[]);
    let send = |body: &str| {
        let mut stream = node.connect();
        let length = body.len();
        let text = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).expect("it reads");
        stream
    };
    let mut waiting = send(r#"["BLPOP","q","0"]"#);
    node.wait_until("INFO clients", "blocked_clients:1");
    node.resp("RPUSH q a");
    assert_eq!(exchange(&mut waiting), (200, "{\"result\":[\"q\",\"a\"]}\n".to_owned()));

    let gone = send(r#"["BLPOP","q","0"]"#);
    node.wait_until("INFO clients", "blocked_clients:1");
    drop(gone);
    node.wait_until("INFO clients", "blocked_clients:0");
    node.resp("RPUSH q b");
    assert_eq!(node.resp("LLEN q"), ":1\r\n");
}

#[test]
fn commands_that_need_another_wire_are_refused_and_say_which() {
    let node = Node::start("wire", &[]);
    for (body, want) in [
        (r#"["SUBSCRIBE","c"]"#, "WebSocket"),
        (r#"[["MULTI"],["SUBSCRIBE","c"]]"#, "WebSocket"),
        (r#"["HELLO","2"]"#, "about RESP"),
        (r#"["CLIENT","REPLY","OFF"]"#, "each request gets its answer"),
    ] {
        let answer = post(&node, body);
        assert!(answer.contains(want), "{body}: {answer}");
    }
    assert!(post(&node, r#"["QUIT"]"#).contains("OK"));
}

#[test]
fn a_long_pipeline_and_a_long_value_pass_whole() {
    let node = Node::start("long", &[]);
    let pipeline = format!("[{}]", vec![r#"["INCR","n"]"#; 20_000].join(","));
    let answer = post(&node, &pipeline);
    assert!(answer.ends_with(r#"{"result":20000}]"#), "{}", answer.len());
    let value = "é".repeat(2_000_000);
    assert_eq!(post(&node, &format!(r#"["SET","k","{value}"]"#)), r#"{"result":"OK"}"#);
    assert_eq!(post(&node, r#"["GET","k"]"#), format!(r#"{{"result":"{value}"}}"#));
}

/// Sends bytes, says no more, and gives the status of what comes back; 0 if it is closed.
fn rude(node: &Node, bytes: &[u8]) -> u16 {
    let mut stream = node.connect();
    // It may be refused in the middle.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    status(&String::from_utf8_lossy(&answer))
}

#[test]
fn hostile_requests_are_refused_and_disturb_nobody() {
    let node = Node::start("rude", &["--http-timeout", "1", "--http-max-body", "1mb"]);
    let post_of = |headers: &str, body: &[u8]| {
        let length = body.len();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    };
    let big_header = format!("x: {}\r\n", "y".repeat(100_000));
    let many_headers: String = (0..200).map(|n| format!("x{n}: y\r\n")).collect();
    let chunk = "fffff\r\n".to_owned() + &" ".repeat(0xfffff) + "\r\n";
    let chunked = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    let cases: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("no HTTP", b"\x16\x03\x01\x00\xff\r\n\r\n".to_vec(), &[0, 400]),
        ("RESP", b"*1\r\n$4\r\nPING\r\n".to_vec(), &[0, 400]),
        ("a long first line", [b"GET /", &[b'a'; 100_000][..]].concat(), &[0, 400, 414, 431]),
        ("a long header", post_of(&big_header, b"[]"), &[0, 431]),
        ("many headers", post_of(&many_headers, b"[]"), &[0, 431]),
        ("half a head", b"POST / HTTP/1.1\r\nhost:".to_vec(), &[0, 408]),
        (
            "half a body",
            post_of("", b"[]")[..].strip_suffix(b"]").expect("a body").to_vec(),
            &[0, 400, 408],
        ),
        ("two lengths", post_of("content-length: 7\r\n", b"[]"), &[400]),
        ("length and chunks", post_of("transfer-encoding: chunked\r\n", b"0\r\n\r\n"), &[0, 400]),
        ("bad chunks", format!("{chunked}zz\r\n").into_bytes(), &[400]),
        ("endless chunks", (chunked + &chunk.repeat(3)).into_bytes(), &[413]),
        ("a long body", post_of("", &[b' '; 1_100_000]), &[413]),
        ("bad JSON", post_of("", b"{\"cmd\":"), &[400]),
        ("deep JSON", post_of("", &[b'['; 500_000]), &[400]),
        ("no UTF-8", post_of("", b"[\"GET\",\"\xff\"]"), &[400]),
        ("an empty body", post_of("", b""), &[400]),
        ("a form", post_of("content-type: text/plain\r\n", b"[\"PING\"]"), &[415]),
        ("a page", post_of("origin: http://evil\r\n", b"[\"PING\"]"), &[403]),
        ("a page of old", post_of("sec-fetch-site: cross-site\r\n", b"[\"PING\"]"), &[403]),
        (
            "another path",
            b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(),
            &[404],
        ),
        (
            "another method",
            b"PUT / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(),
            &[405],
        ),
    ];
    for (what, bytes, wants) in cases {
        let got = rude(&node, &bytes);
        assert!(wants.contains(&got), "{what}: {got}, not {wants:?}");
        assert_eq!(post(&node, r#"["PING"]"#), r#"{"result":"PONG"}"#, "after {what}");
    }
    assert_eq!(node.resp("CONFIG GET http-timeout"), "*2\r\n$12\r\nhttp-timeout\r\n$1\r\n1\r\n");
    node.wait_until("INFO clients", "connected_clients:1");
}

#[test]
fn connections_and_clients_beyond_the_limits_are_told_so() {
    let node = Node::start("limits", &["--http-max-connections", "2", "--maxclients", "2"]);
    let mut idle: Vec<TcpStream> = (0..2).map(|_| node.connect()).collect();
    let mut third = node.connect();
    let (code, body) = exchange(&mut third);
    assert!(code == 503 && body.contains("http-max-connections"), "{body}");
    drop(third);
    let mut ask = |body: &str| {
        let length = body.len();
        let text = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
        idle[0].write_all(text.as_bytes()).expect("it reads");
        exchange(&mut idle[0])
    };
    // An idle connection is no client; a request in work is.
    assert_eq!(ask(r#"["PING"]"#).0, 200);
    // The server may be a moment behind in letting go of the one that did that request.
    let come_in = || {
        let mut client = node.unix();
        let mut said = [0; 7];
        let asked = client.write_all(b"PING\r\n").and_then(|()| client.read_exact(&mut said));
        (asked.is_ok() && said == *b"+PONG\r\n").then_some(client)
    };
    let clients = [(); 2].map(|()| {
        let came_in = (0..10_000).find_map(|_| come_in());
        came_in.expect("there is room for two")
    });
    let (code, body) = ask(r#"["PING"]"#);
    assert!(code == 503 && body.contains("max number of clients"), "{code} {body}");
    assert!(clients[0].read_timeout().expect("a socket") == Some(PATIENCE));
}

#[test]
fn a_page_whose_origin_is_named_may_ask() {
    let node = Node::start("cors", &["--http-allow-origin", "https://a.example https://b.example"]);
    let mut stream = node.connect();
    let head = "OPTIONS / HTTP/1.1\r\nhost: x\r\norigin: https://b.example\r\n\
                access-control-request-method: POST\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    assert_eq!(status(&answer), 204, "{answer}");
    assert!(answer.contains("access-control-allow-origin: https://b.example"), "{answer}");
    assert!(answer.contains("vary: Origin"), "{answer}");
}

#[test]
fn a_taken_port_keeps_the_server_from_starting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let output = node::refused("taken", &["--http-port", &port]);
    assert!(output.contains("cannot listen for HTTP") && output.contains("http-port"), "{output}");
}

#[test]
fn who_never_reads_an_answer_is_let_go() {
    let node = Node::start("deaf", &["--http-timeout", "1", "--http-max-connections", "1"]);
    node.resp(&format!("SET big {}", "x".repeat(60_000)));
    let mut deaf = node.connect();
    let body = format!("[{}]", vec![r#"["GET","big"]"#; 1_000].join(","));
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    deaf.write_all((head + &body).as_bytes()).expect("it reads");
    // Its place is taken until then.
    let start = std::time::Instant::now();
    let knock = || {
        let mut stream = node.connect();
        // Refused, it may be closed before it has read this.
        let _ = stream.write_all(b"PUT / HTTP/1.1\r\nhost: x\r\n\r\n");
        let mut first = [0; 12];
        stream.read_exact(&mut first).is_ok_and(|()| &first == b"HTTP/1.1 405")
    };
    while !knock() {
        assert!(start.elapsed() < PATIENCE, "it is still waited for");
    }
    drop(deaf);
}
