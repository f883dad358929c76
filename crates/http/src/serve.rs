//! Connections: from the listener to an answer for each request.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use stoa_engine::Table;
use stoa_json::Forms;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::spawn_local;

use crate::answer::{Answer, Refused, preflight, readable_by, replies};
use crate::door::{self, Wants, too_long};
use crate::session::{ANSWERS_LEN_MAX, Session};
use crate::wire::{self, Wire};
use crate::{Bring, Options, socket};

/// Lines in the head of a request: twice what browsers send.
const HEADERS_MAX: usize = 64;

/// Bytes of a head; and of a body, what is read at once.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// After the system ran out of descriptors, accepting rests: at once it would fail the same way.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What one too many is told, without being read.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\
    content-type: application/json\r\ncontent-length: 86\r\n\r\n\
    {\"error\":\"ERR too many HTTP connections; close some or raise 'http-max-connections'\"}\n";

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) forms: Forms,
    bring: Bring,
    room: Arc<Semaphore>,
}

impl Shared {
    pub(crate) fn new(options: Options, table: &Table, bring: Bring) -> Self {
        let room = options.connections_max.min(Semaphore::MAX_PERMITS);
        Self {
            forms: Forms::of(table.entries().iter().map(|entry| &entry.spec)),
            room: Arc::new(Semaphore::new(room)),
            options,
            bring,
        }
    }
}

/// One connection, and its place among those that may be there.
pub(crate) struct Conn {
    pub(crate) shared: Rc<Shared>,
    peer: SocketAddr,
    local: SocketAddr,
    _place: OwnedSemaphorePermit,
}

/// Serves until told to stop.
pub(crate) async fn run(
    listeners: Vec<std::net::TcpListener>,
    shared: Shared,
    stopped: oneshot::Receiver<()>,
) {
    let shared = Rc::new(shared);
    for listener in listeners {
        match TcpListener::from_std(listener) {
            Ok(listener) => drop(spawn_local(accept(listener, Rc::clone(&shared)))),
            Err(error) => eprintln!("cannot serve HTTP: {error}; restart the server"),
        }
    }
    // An error means that whoever would stop us is gone.
    let _ = stopped.await;
}

async fn accept(listener: TcpListener, shared: Rc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Ok(place) = Arc::clone(&shared.room).try_acquire_owned() else {
                    // Nothing was sent on it yet, so this fits or the peer is gone.
                    let _ = stream.try_write(TOO_MANY);
                    continue;
                };
                // An error here means that the peer is gone already.
                if let Ok(local) = prepare(&stream, &shared.options) {
                    let shared = Rc::clone(&shared);
                    let conn = Rc::new(Conn { shared, peer, local, _place: place });
                    spawn_local(connection(stream, conn));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => tokio::time::sleep(ACCEPT_REST).await,
        }
    }
}

fn prepare(stream: &TcpStream, options: &Options) -> io::Result<SocketAddr> {
    let keepalive_s = options.tcp_keepalive_s;
    stream.set_nodelay(true)?;
    // Who takes nothing of an answer for so long is let go by the kernel, window open or not.
    SockRef::from(stream).set_tcp_user_timeout(Some(options.timeout))?;
    if keepalive_s > 0 {
        let idle = Duration::from_secs(u64::from(keepalive_s));
        let between = Duration::from_secs(u64::from((keepalive_s / 3).max(1)));
        let probe = TcpKeepalive::new().with_time(idle).with_interval(between).with_retries(3);
        SockRef::from(stream).set_tcp_keepalive(&probe)?;
    }
    stream.local_addr()
}

async fn connection(stream: TcpStream, conn: Rc<Conn>) {
    let timeout = conn.shared.options.timeout;
    let service = service_fn(move |request| {
        let conn = Rc::clone(&conn);
        async move { Ok::<_, Infallible>(respond(request, conn).await) }
    });
    // What goes wrong here is the peer's doing, and it has been told where HTTP has words for it.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

async fn respond(request: Request<Incoming>, conn: Rc<Conn>) -> Answer {
    let (head, body) = request.into_parts();
    let options = &conn.shared.options;
    let entry = match door::judge(&head, &options.origins, options.body_max) {
        Ok(entry) => entry,
        Err(refused) => return refused.into(),
    };
    let answer = match entry.wants {
        Wants::Preflight => Ok(preflight()),
        Wants::Run => run_body(&head, body, &conn).await,
        Wants::Socket { accept } => {
            let request = Request::from_parts(head, body);
            socket::upgrade(request, &accept, Rc::clone(&conn)).await
        }
    };
    readable_by(answer.unwrap_or_else(Answer::from), entry.origin)
}

async fn run_body(head: &Parts, body: Incoming, conn: &Conn) -> Result<Answer, Refused> {
    let (mut session, greeted) = conn.session(head).await?;
    greeted.map_err(|text| Refused::by_login(&text))?;
    let text = conn.body(body).await?;
    let request = stoa_json::read(&text, &conn.shared.forms)
        .map_err(|refusal| Refused::bad(refusal.to_string()))?;
    drop(text);
    for argv in request.commands() {
        match wire::of(argv) {
            Wire::Refused(text) => return Err(Refused::bad(text)),
            _ if wire::listens(argv) => {
                let text = "ERR listening needs a connection that stays: open a WebSocket";
                return Err(Refused::bad(text));
            }
            Wire::Answer | Wire::Pushes { .. } => {}
        }
    }
    let values =
        session.exchange(request.commands()).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::OutOfMemory => answers_too_long(),
            _ => lost(),
        })?;
    Ok(replies(&values, matches!(request, stoa_json::Request::Many(_))))
}

/// The answers are more than is held for one request.
fn answers_too_long() -> Refused {
    let text = format!(
        "ERR the answers are longer than {} MiB; ask for less at once, or over RESP",
        ANSWERS_LEN_MAX >> 20
    );
    Refused::new(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// The session ended in the middle: nobody can say how far it got.
fn lost() -> Refused {
    let text = "ERR the server ended the session before it had answered; it may have acted";
    Refused::new(StatusCode::SERVICE_UNAVAILABLE, text)
}

impl Conn {
    /// A session for a request, and what the server said to its login.
    pub(crate) async fn session(
        &self,
        head: &Parts,
    ) -> Result<(Session, Result<(), Vec<u8>>), Refused> {
        let login = door::login(&head.headers)?;
        let mut session = Session::open(&self.shared.bring, self.peer, self.local)
            .map_err(|problem| unavailable(&problem))?;
        let greeted = session.greet(login.as_ref()).await.map_err(|_| lost())?;
        Ok((session, greeted))
    }

    async fn body(&self, body: Incoming) -> Result<bytes::Bytes, Refused> {
        let Options { timeout, body_max, .. } = self.shared.options;
        let whole = Limited::new(body, body_max).collect();
        match tokio::time::timeout(timeout, whole).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(problem)) if problem.is::<LengthLimitError>() => Err(too_long()),
            Ok(Err(_)) => Err(Refused::bad("ERR the body ended early")),
            Err(_) => {
                let text = "ERR the body took longer to come than 'http-timeout' allows";
                Err(Refused::new(StatusCode::REQUEST_TIMEOUT, text))
            }
        }
    }
}

fn unavailable(problem: &io::Error) -> Refused {
    let text = format!("ERR no session can be made: {problem}; try again later");
    Refused::new(StatusCode::SERVICE_UNAVAILABLE, text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn who_is_too_many_gets_a_whole_response() {
        let text = std::str::from_utf8(super::TOO_MANY).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
    }
}
