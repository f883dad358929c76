//! WebSockets, against the real program and with a client that others wrote.

#[expect(dead_code, reason = "this file uses its part")]
mod node;

use std::io::Write as _;
use std::net::TcpStream;

use node::Node;
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

struct Client(WebSocket<TcpStream>);

impl Client {
    fn connect(node: &Node, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{}/", node.addr).into_client_request().expect("a URL");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
        match tungstenite::client::client_with_config(request, node.connect(), Some(config)) {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tungstenite::HandshakeError::Failure(Error::Http(response))) => {
                Err(response.status().as_u16())
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn new(node: &Node) -> Self {
        Self::connect(node, &[]).expect("a WebSocket")
    }

    fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).expect("it reads");
    }

    fn hear(&mut self) -> String {
        loop {
            match self.0.read().expect("it answers") {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn ask(&mut self, text: &str) -> String {
        self.say(text);
        self.hear()
    }

    /// The code with which the other side closes.
    fn closed(&mut self) -> u16 {
        loop {
            match self.0.read() {
                Ok(Message::Close(frame)) => return frame.map_or(1005, |frame| frame.code.into()),
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn a_socket_is_one_session_for_as_long_as_it_lasts() {
    let node = Node::start("session", &[]);
    let mut client = Client::new(&node);
    assert_eq!(client.ask(r#"["SELECT","1"]"#), r#"{"result":"OK"}"#);
    assert_eq!(
        client.ask(r#"{"cmd":"SET","key":"k","value":"v","ttl":100}"#),
        r#"{"result":"OK"}"#
    );
    assert_eq!(node.resp("EXISTS k"), ":0\r\n");
    assert_eq!(client.ask(r#"["MULTI"]"#), r#"{"result":"OK"}"#);
    assert_eq!(client.ask(r#"["GET","k"]"#), r#"{"result":"QUEUED"}"#);
    assert_eq!(client.ask(r#"["INCR","n"]"#), r#"{"result":"QUEUED"}"#);
    assert_eq!(client.ask(r#"["EXEC"]"#), r#"{"result":["v",1]}"#);
    assert_eq!(
        client.ask(r#"[["GET","k"],{"cmd":"GET","key":"x"},["LPUSH","n","1"]]"#),
        r#"[{"result":"v"},{"result":null},{"error":"WRONGTYPE Operation against a key holding the wrong kind of value"}]"#
    );
    assert_eq!(client.ask(r#"["CLIENT","GETNAME"]"#), r#"{"result":null}"#);
}

#[test]
fn answers_keep_the_order_of_frames_refusals_included() {
    let node = Node::start("order", &[]);
    let mut client = Client::new(&node);
    for n in 0..3_000 {
        client.say(&format!(r#"["ECHO","{n}"]"#));
        if n % 3 == 0 {
            client.say("no JSON");
        }
        if n % 5 == 0 {
            client.say(&format!(r#"[["ECHO","{n}"],["NOSUCH"]]"#));
        }
    }
    for n in 0..3_000 {
        assert_eq!(client.hear(), format!(r#"{{"result":"{n}"}}"#));
        if n % 3 == 0 {
            assert!(client.hear().starts_with(r#"{"error":"ERR bad JSON"#));
        }
        if n % 5 == 0 {
            assert!(
                client.hear().starts_with(&format!(r#"[{{"result":"{n}"}},{{"error":"ERR unk"#))
            );
        }
    }
    client.0.send(Message::binary(vec![1])).expect("it reads");
    assert!(client.hear().contains("text frames"));
    assert!(client.ask(r#"["HELLO","2"]"#).contains("about RESP"));
    assert!(client.ask(r#"[["SUBSCRIBE","c"]]"#).contains("frames of their own"));
}

#[test]
fn messages_come_as_frames_of_their_own() {
    let node = Node::start("push", &["--notify-keyspace-events", "KEA"]);
    let mut client = Client::new(&node);
    client.say(r#"["SUBSCRIBE","a","b"]"#);
    assert_eq!(client.hear(), r#"{"push":["subscribe","a",1]}"#);
    assert_eq!(client.hear(), r#"{"push":["subscribe","b",2]}"#);
    let mut other = Client::new(&node);
    assert_eq!(other.ask(r#"["PUBLISH","b","héllo"]"#), r#"{"result":1}"#);
    assert_eq!(client.hear(), r#"{"push":["message","b","héllo"]}"#);
    node.resp("PUBLISH a plain");
    assert_eq!(client.hear(), r#"{"push":["message","a","plain"]}"#);
    // RESP3 lets a listener go on working.
    assert_eq!(client.ask(r#"["SET","k","v"]"#), r#"{"result":"OK"}"#);
    assert_eq!(client.ask(r#"["SUBSCRIBE"]"#).split('\'').nth(1), Some("subscribe"));
    client.say(r#"["UNSUBSCRIBE"]"#);
    let mut left = [client.hear(), client.hear()];
    left.sort();
    assert!(left[0].starts_with(r#"{"push":["unsubscribe","a","#), "{left:?}");
    assert_eq!(client.ask(r#"["PING"]"#), r#"{"result":"PONG"}"#);
    drop(client);
    node.wait_until("PUBSUB NUMSUB a", ":0");
}

#[test]
fn a_client_that_waits_still_hears_others() {
    let node = Node::start("waits", &[]);
    let mut client = Client::new(&node);
    client.say(r#"["SUBSCRIBE","c"]"#);
    client.hear();
    client.say(r#"["BLPOP","q","0"]"#);
    node.wait_until("INFO clients", "blocked_clients:1");
    node.resp("PUBLISH c hi");
    node.resp("RPUSH q x");
    let mut heard = [client.hear(), client.hear()];
    heard.sort();
    assert_eq!(heard, [r#"{"push":["message","c","hi"]}"#, r#"{"result":["q","x"]}"#]);
}

#[test]
fn a_page_logs_in_by_its_first_frames() {
    let node =
        Node::start("login", &["--requirepass", "secret", "--http-allow-origin", "http://p"]);
    let page = ("origin", "http://p");
    let mut client = Client::connect(&node, &[page]).expect("its origin is named");
    assert!(client.ask(r#"["GET","k"]"#).contains("NOAUTH"));
    assert!(client.ask("{").contains("bad JSON"));
    assert!(client.ask(r#"["AUTH","wrong"]"#).contains("WRONGPASS"));
    assert_eq!(
        client.ask(r#"[["AUTH","secret"],["SET","k","v"],["MULTI"]]"#),
        r#"[{"result":"OK"},{"result":"OK"},{"result":"OK"}]"#
    );
    assert_eq!(client.ask(r#"["GET","k"]"#), r#"{"result":"QUEUED"}"#);
    assert_eq!(client.ask(r#"["EXEC"]"#), r#"{"result":["v"]}"#);
    client.say(r#"["SUBSCRIBE","c"]"#);
    assert_eq!(client.hear(), r#"{"push":["subscribe","c",1]}"#);

    let bearer = |word| ("authorization", word);
    assert!(Client::connect(&node, &[bearer("Bearer secret")]).is_ok());
    assert_eq!(Client::connect(&node, &[bearer("Bearer wrong")]).err(), Some(401));
    assert_eq!(Client::connect(&node, &[("origin", "http://evil")]).err(), Some(403));
}

#[test]
fn who_does_not_log_in_is_let_go() {
    let node = Node::start("locked", &["--requirepass", "secret", "--http-timeout", "1"]);
    let mut client = Client::new(&node);
    assert_eq!(client.closed(), 1008);
    node.resp("AUTH secret");
}

#[test]
fn a_message_above_the_limit_and_a_server_that_leaves_are_told() {
    let node = Node::start("ends", &["--http-max-body", "1mb"]);
    let mut client = Client::new(&node);
    // Its head alone, RFC 6455 section 5.2: bytes that the server no longer reads might cut off its answer.
    let mut head = vec![0x81, 0x80 | 127];
    head.extend_from_slice(&(2_u64 << 20).to_be_bytes());
    head.extend_from_slice(&[0; 4]);
    client.0.get_mut().write_all(&head).expect("it reads");
    assert_eq!(client.closed(), 1009);
    let mut client = Client::new(&node);
    assert_eq!(client.ask(r#"["QUIT"]"#), r#"{"result":"OK"}"#);
    assert_eq!(client.closed(), 1001);
    let mut killed = Client::new(&node);
    let id = killed.ask(r#"["CLIENT","ID"]"#);
    let id: String = id.chars().filter(char::is_ascii_digit).collect();
    node.resp(&format!("CLIENT KILL ID {id}"));
    assert_eq!(killed.closed(), 1001);
}

#[test]
fn who_does_not_read_holds_back_only_itself() {
    let node = Node::start("slow", &[]);
    node.resp(&format!("SET big {}", "x".repeat(60_000)));
    let mut slow = Client::new(&node);
    for _ in 0..2_000 {
        slow.say(r#"["GET","big"]"#);
    }
    let mut quick = Client::new(&node);
    for _ in 0..100 {
        assert_eq!(quick.ask(r#"["PING"]"#), r#"{"result":"PONG"}"#);
    }
    for _ in 0..2_000 {
        assert_eq!(slow.hear().len(), 60_000 + r#"{"result":""}"#.len());
    }
}
