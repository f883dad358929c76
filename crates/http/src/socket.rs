//! WebSockets: one session for as long as the socket lasts.
//!
//! Each text frame is a request and gets one frame, in order; what is pushed comes as frames of its
//! own in between. Two tasks in one, because each direction must move while the other waits: one reads
//! frames and notes what is owed for each, the other reads replies and pays.
//!
//! A page cannot send `Authorization` with a WebSocket, so one without it may log in by its first frame.
//! Until then nothing is pushed and frames are handled one at a time: after each command the session asks
//! for RESP3 again, which the server grants once it is logged in.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use stoa_json::{Argv, write_answer};
use stoa_resp::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::answer::{Answer, Refused, error_json};
use crate::serve::Conn;
use crate::session::{ANSWERS_LEN_MAX, Replies, Session, encoded};
use crate::wire::{self, Wire};

/// Frames that may wait for their answers; more are not read until some have left.
const OWED_MAX: usize = 1_024;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Answers the handshake; the socket begins once that has left.
pub(crate) async fn upgrade(
    request: Request<Incoming>,
    accept: &str,
    conn: Rc<Conn>,
) -> Result<Answer, Refused> {
    let (head, body) = request.into_parts();
    let (session, greeted) = conn.session(&head).await?;
    let is_locked = match greeted {
        Ok(()) => false,
        // A page could not have said who it is.
        Err(text) if text.starts_with(b"NOAUTH") => true,
        Err(text) => return Err(Refused::by_login(&text)),
    };
    let request = Request::from_parts(head, body);
    spawn_local(async move {
        // Else the peer went away instead.
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            let max = conn.shared.options.body_max;
            let config = WebSocketConfig::default()
                .max_message_size(Some(max))
                .max_frame_size(Some(max))
                .max_write_buffer_size(usize::MAX);
            let io = TokioIo::new(upgraded);
            let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
            serve(socket, session, is_locked, &conn).await;
        }
    });
    let mut answer = Response::new(Default::default());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(answer)
}

async fn serve(mut socket: Socket, mut session: Session, is_locked: bool, conn: &Conn) {
    let timeout = conn.shared.options.timeout;
    if is_locked {
        let unlocked = tokio::time::timeout(timeout, unlock(&mut socket, &mut session, conn)).await;
        match unlocked {
            Ok(Ok(())) => {}
            Ok(Err(ended)) => return end(socket, ended, conn).await,
            Err(_) => return end(socket, End::Locked, conn).await,
        }
    }
    let owed = Owed::default();
    let (mut sink, mut stream) = socket.split();
    let Session { mut replies, mut requests } = session;
    let ended = {
        let up = pin!(forward(&mut stream, &mut requests, &owed, conn));
        let down = pin!(pay(&mut replies, &mut sink, &owed));
        match select(up, down).await {
            Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
        }
    };
    // Its halves are of one socket.
    if let Ok(socket) = sink.reunite(stream) {
        end(socket, ended, conn).await;
    }
}

/// Why a socket ends.
enum End {
    /// The peer is gone, or broke the protocol, and was told where there was a way.
    Peer,
    /// A message above the limit.
    TooLong,
    /// The server closed the session.
    Server,
    /// Nobody logged in.
    Locked,
}

async fn end(mut socket: Socket, ended: End, conn: &Conn) {
    let frame = match ended {
        End::Peer => None,
        End::TooLong => Some((CloseCode::Size, "longer than 'http-max-body' allows")),
        End::Server => Some((CloseCode::Away, "the server ended the session")),
        End::Locked => Some((CloseCode::Policy, "nobody logged in")),
    };
    let frame = frame.map(|(code, reason)| CloseFrame { code, reason: reason.into() });
    // A peer that does not listen is left alone after a while.
    let _ = tokio::time::timeout(conn.shared.options.timeout, socket.close(frame)).await;
}

/// Handles frames one at a time until the session is logged in.
async fn unlock(socket: &mut Socket, session: &mut Session, conn: &Conn) -> Result<(), End> {
    let hello: Argv = vec![b"HELLO".to_vec(), b"3".to_vec()];
    loop {
        let request = match next_request(socket.next().await, conn)? {
            Some(Ok(request)) => request,
            Some(Err(refusal)) => {
                say(socket, refusal).await?;
                continue;
            }
            None => continue,
        };
        let is_list = matches!(request, stoa_json::Request::Many(_));
        let mut answers = Answers::new(is_list);
        let mut is_open = false;
        for argv in request.commands() {
            // Once logged in no more, for a transaction would take it in.
            let pair = [argv.clone(), hello.clone()];
            let commands = if is_open { &pair[..1] } else { &pair };
            let said = session.exchange(commands).await.map_err(|_| End::Server)?;
            answers.add(&said[0]);
            is_open |= said.get(1).is_some_and(|hello| !matches!(hello, Value::Error(_)));
        }
        say(socket, answers.take()).await?;
        if is_open {
            return Ok(());
        }
    }
}

async fn say(socket: &mut Socket, json: Vec<u8>) -> Result<(), End> {
    socket.send(text(json)).await.map_err(|_| End::Peer)
}

fn text(json: Vec<u8>) -> Message {
    // What we write is UTF-8: the JSON crate writes bytes that are none in base64.
    Message::text(String::from_utf8_lossy(&json).into_owned())
}

type Refusal = Vec<u8>;

/// What a frame asks for, or the frame that refuses it; nothing if it is about the socket itself.
fn next_request(
    frame: Option<Result<Message, Error>>,
    conn: &Conn,
) -> Result<Option<Result<stoa_json::Request, Refusal>>, End> {
    let message = match frame {
        Some(Ok(message)) => message,
        Some(Err(Error::Capacity(_))) => return Err(End::TooLong),
        Some(Err(_)) | None => return Err(End::Peer),
    };
    let text = match &message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(_) => {
            return Ok(Some(Err(error_json("ERR send text frames: the text is JSON"))));
        }
        // The library answers these.
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
            return Ok(None);
        }
    };
    let refuse = |text: &str| Ok(Some(Err(error_json(text))));
    let request = match stoa_json::read(text, &conn.shared.forms) {
        Ok(request) => request,
        Err(refusal) => return refuse(&refusal.to_string()),
    };
    let is_list = matches!(request, stoa_json::Request::Many(_));
    for argv in request.commands() {
        if let Wire::Refused(text) = wire::of(argv) {
            return refuse(text);
        }
        if is_list && wire::listens(argv) {
            return refuse("ERR send commands that listen in frames of their own");
        }
    }
    Ok(Some(Ok(request)))
}

/// What is owed to the peer, in order.
#[derive(Default)]
struct Owed {
    queue: RefCell<VecDeque<Debt>>,
    grown: Notify,
    shrunk: Notify,
}

enum Debt {
    /// Written already: a refusal of our own.
    Ready(Vec<u8>),
    /// That many answers in one frame.
    Answers { left: usize, so_far: Answers },
    /// Confirmations of that kind, or one error instead.
    Pushes { kind: Vec<u8>, left: Option<usize> },
}

/// Reads frames, hands on what they ask for, and notes what is owed.
async fn forward(
    stream: &mut SplitStream<Socket>,
    requests: &mut OwnedWriteHalf,
    owed: &Owed,
    conn: &Conn,
) -> End {
    loop {
        while owed.queue.borrow().len() >= OWED_MAX {
            owed.shrunk.notified().await;
        }
        let request = match next_request(stream.next().await, conn) {
            Ok(Some(Ok(request))) => request,
            Ok(Some(Err(refusal))) => {
                owed.add(Debt::Ready(refusal));
                continue;
            }
            Ok(None) => continue,
            Err(ended) => return ended,
        };
        let commands = request.commands();
        let is_list = matches!(request, stoa_json::Request::Many(_));
        owed.add(match commands {
            [argv] if !is_list => match wire::of(argv) {
                Wire::Pushes { kind, count } => Debt::Pushes { kind, left: count },
                Wire::Answer | Wire::Refused(_) => {
                    Debt::Answers { left: 1, so_far: Answers::new(false) }
                }
            },
            _ => Debt::Answers { left: commands.len(), so_far: Answers::new(true) },
        });
        if requests.write_all(&encoded(commands)).await.is_err() {
            // The server has closed; what it still said is being paid out.
            std::future::pending::<()>().await;
        }
    }
}

/// Reads replies and pays what is owed, until the server ends the session.
async fn pay(replies: &mut Replies, sink: &mut SplitSink<Socket, Message>, owed: &Owed) -> End {
    loop {
        while let Some(json) = owed.take_ready() {
            if sink.send(text(json)).await.is_err() {
                return End::Peer;
            }
        }
        let value = {
            // Losing this future loses nothing: what was read stays with the session.
            // Each is told on at once.
            replies.taken = 0;
            let next = pin!(replies.next());
            match select(next, pin!(owed.grown.notified())).await {
                Either::Left((Ok(value), _)) => value,
                Either::Left((Err(_), _)) => return End::Server,
                Either::Right(_) => continue,
            }
        };
        if let Some(json) = owed.settle(&value)
            && sink.send(text(json)).await.is_err()
        {
            return End::Peer;
        }
    }
}

impl Owed {
    fn add(&self, debt: Debt) {
        self.queue.borrow_mut().push_back(debt);
        self.grown.notify_one();
    }

    fn pop(&self) -> Option<Debt> {
        self.shrunk.notify_one();
        self.queue.borrow_mut().pop_front()
    }

    /// A refusal whose turn has come.
    fn take_ready(&self) -> Option<Vec<u8>> {
        let is_ready = matches!(self.queue.borrow().front(), Some(Debt::Ready(_)));
        match is_ready.then(|| self.pop()).flatten() {
            Some(Debt::Ready(json)) => Some(json),
            _ => None,
        }
    }

    /// What to send now that the server has said `value`.
    fn settle(&self, value: &Value) -> Option<Vec<u8>> {
        let mut is_paid = false;
        let mut frame = None;
        match (self.queue.borrow_mut().front_mut(), value) {
            (front, Value::Push(items)) => {
                if let Some(Debt::Pushes { kind, left }) = front
                    && items.first().and_then(Value::as_bytes) == Some(&kind[..])
                {
                    *left = left.map(|left| left.saturating_sub(1));
                    is_paid = left.is_none_or(|left| left == 0);
                }
                frame = Some(answer(value));
            }
            (Some(Debt::Answers { left, so_far }), _) => {
                so_far.add(value);
                *left -= 1;
                if *left == 0 {
                    is_paid = true;
                    frame = Some(so_far.take());
                }
            }
            // Queued by MULTI, or an error; or the last words of a server that closes.
            (Some(Debt::Pushes { .. }), _) => {
                is_paid = true;
                frame = Some(answer(value));
            }
            (Some(Debt::Ready(_)) | None, _) => frame = Some(answer(value)),
        }
        if is_paid {
            self.pop();
        }
        frame
    }
}

fn answer(value: &Value) -> Vec<u8> {
    let mut json = Vec::new();
    write_answer(value, &mut json);
    json
}

/// The answers of one frame, written as they come.
struct Answers {
    json: Vec<u8>,
    is_list: bool,
}

impl Answers {
    const fn new(is_list: bool) -> Self {
        Self { json: Vec::new(), is_list }
    }

    fn add(&mut self, value: &Value) {
        if self.is_list {
            self.json.push(if self.json.is_empty() { b'[' } else { b',' });
        }
        if self.json.len() > ANSWERS_LEN_MAX {
            let text = b"ERR the answers of this list are too long; ask for less at once".to_vec();
            return write_answer(&Value::Error(text), &mut self.json);
        }
        write_answer(value, &mut self.json);
    }

    fn take(&mut self) -> Vec<u8> {
        if self.is_list {
            self.json.push(b']');
        }
        std::mem::take(&mut self.json)
    }
}

#[cfg(test)]
mod tests {
    use stoa_resp::Value;

    use super::{Answers, Debt, Owed};

    fn text(frame: Option<Vec<u8>>) -> Option<String> {
        frame.map(|json| String::from_utf8(json).expect("text"))
    }

    fn push(kind: &str, channel: &str) -> Value {
        Value::Push(vec![Value::Bulk(kind.into()), Value::Bulk(channel.into()), Value::Int(1)])
    }

    #[test]
    fn pushes_between_answers_do_not_stand_in_for_them() {
        let owed = Owed::default();
        owed.add(Debt::Answers { left: 2, so_far: Answers::new(true) });
        assert_eq!(owed.settle(&Value::Int(1)), None);
        let frame = text(owed.settle(&push("message", "c")));
        assert_eq!(frame.as_deref(), Some(r#"{"push":["message","c",1]}"#));
        let frame = text(owed.settle(&Value::Int(2)));
        assert_eq!(frame.as_deref(), Some(r#"[{"result":1},{"result":2}]"#));
        assert!(owed.queue.borrow().is_empty());
    }

    #[test]
    fn a_subscription_is_paid_by_its_confirmations_or_by_one_error() {
        let owed = Owed::default();
        for _ in 0..2 {
            owed.add(Debt::Pushes { kind: b"subscribe".to_vec(), left: Some(2) });
        }
        owed.add(Debt::Ready(b"x".to_vec()));
        assert!(owed.settle(&push("message", "other")).is_some());
        assert!(owed.settle(&push("subscribe", "a")).is_some());
        assert_eq!(owed.take_ready(), None, "the second confirmation is still to come");
        assert!(owed.settle(&push("subscribe", "b")).is_some());
        assert_eq!(owed.take_ready(), None);
        let frame = text(owed.settle(&Value::Error(b"ERR no".to_vec())));
        assert_eq!(frame.as_deref(), Some(r#"{"error":"ERR no"}"#));
        assert_eq!(owed.take_ready(), Some(b"x".to_vec()));
    }
}
