//! A server that gives each request the one reply the transcript has for it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use stoa_resp::{Encoder, Limits, Parsed, Parser, Proto};

/// Longest a connection may be silent, so that a client that hangs is cut off.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Replies by request, its words joined by spaces. A reply that ends in `<close>` ends the connection.
pub(crate) type Replies = BTreeMap<Vec<u8>, Vec<u8>>;

/// A server on a port of its own, until the test process ends.
pub(crate) struct Server {
    pub port: u16,
}

impl Server {
    pub(crate) fn start(replies: &Replies) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let replies = Arc::new(replies.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let replies = Arc::clone(&replies);
                let stream = stream.expect("a client");
                thread::spawn(move || serve(stream, &replies));
            }
        });
        Self { port }
    }
}

/// Serves a connection until either side ends it.
fn serve(mut stream: TcpStream, replies: &Replies) -> Option<()> {
    stream.set_read_timeout(Some(SILENCE_MAX)).ok()?;
    let (mut buf, mut parser) = (Vec::new(), Parser::new());
    loop {
        let mut args = Vec::new();
        match parser.parse(&buf, 0, &Limits::default(), &mut args) {
            Ok(Parsed::Request { consumed, .. }) => {
                let words: Vec<_> =
                    args.iter().map(|&arg| parser.arg(&buf, arg).to_vec()).collect();
                buf.drain(..consumed);
                let reply = reply(&words, replies);
                let last = reply.strip_suffix(b"<close>");
                stream.write_all(last.unwrap_or(&reply)).ok()?;
                if last.is_some() {
                    return None;
                }
            }
            Ok(Parsed::Empty { consumed }) => drop(buf.drain(..consumed)),
            Ok(Parsed::Incomplete { .. }) => {
                let mut read = [0; 4_096];
                let len = stream.read(&mut read).ok().filter(|&len| len > 0)?;
                buf.extend_from_slice(&read[..len]);
            }
            Err(error) => panic!("the client sent no request: {error}"),
        }
    }
}

fn reply(words: &[Vec<u8>], replies: &Replies) -> Vec<u8> {
    let request = words.join(&b' ');
    if let Some(reply) = replies.get(&request) {
        return reply.clone();
    }
    let mut out = Vec::new();
    let mut to = Encoder::new(&mut out, Proto::Resp2);
    match words {
        [echo, text] if echo.eq_ignore_ascii_case(b"echo") => to.bulk(text),
        _ => to.error(&[b"ERR no reply for ", request.as_slice()].concat()),
    }
    out
}
