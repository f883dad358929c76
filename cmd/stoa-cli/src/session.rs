//! A connection as a user sees it: it survives the server's restart, remembers the database, and
//! prints what comes back.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use stoa_client::{Connection, Endpoint, Error, Proto, Value};

use crate::format::{self, Output};
use crate::options::Options;

/// Redirections followed for one command before giving up: a cluster that has settled needs one, one
/// that moves slots two.
const REDIRECTIONS_MAX: usize = 16;

/// Why the program ends; told on stderr unless empty.
#[derive(Debug)]
pub(crate) struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        // Nobody reads the output any more; there is no one to tell either.
        let closed = error.kind() == std::io::ErrorKind::BrokenPipe;
        Self(if closed { String::new() } else { format!("Error: {error}") })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(describe(&error))
    }
}

/// How every mode ends.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// An error as it is told: connecting names itself, everything else is introduced.
pub(crate) fn describe(error: &Error) -> String {
    match error {
        Error::Connect(..) | Error::Refused(..) => error.to_string(),
        Error::Io(_) | Error::Closed | Error::Decode(_) => format!("Error: {error}"),
    }
}

/// The user's connection.
pub(crate) struct Session {
    pub options: Options,
    connection: Option<Connection>,
    /// The database the user selected, to be selected again after reconnecting.
    pub db: u32,
    /// Whether MULTI is open.
    pub in_transaction: bool,
}

impl Session {
    pub(crate) fn new(options: Options) -> Self {
        let db = options.db;
        Self { options, connection: None, db, in_transaction: false }
    }

    pub(crate) const fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Where the prompt says the user is.
    pub(crate) fn prompt(&self) -> String {
        if !self.is_connected() {
            return "not connected> ".to_owned();
        }
        let mut prompt = match &self.options.endpoint {
            Endpoint::Unix(path) => format!("redis {}", path.display()),
            tcp @ Endpoint::Tcp { .. } => tcp.to_string(),
        };
        if self.db != 0 {
            prompt.push_str(&format!("[{}]", self.db));
        }
        if self.in_transaction {
            prompt.push_str("(TX)");
        }
        prompt + "> "
    }

    /// The connection, made if there is none. Refused logins and the like are told, not fatal: the
    /// server will say what it lets this user do.
    pub(crate) fn connect(&mut self) -> Result<&mut Connection, Error> {
        if self.connection.is_none() {
            let mut connection = Connection::connect(&self.options.endpoint, None)?;
            self.in_transaction = false;
            self.set_up(&mut connection)?;
            self.connection = Some(connection);
        }
        let Some(connection) = &mut self.connection else {
            unreachable!("a connection was just made")
        };
        Ok(connection)
    }

    /// Logs in, selects the database, sets the protocol. What follows a refused step would be
    /// refused as well, and is left out.
    fn set_up(&mut self, connection: &mut Connection) -> Result<(), Error> {
        if let Some(auth) = &self.options.auth
            && !tell_refusal(connection.login(auth))?
        {
            return Ok(());
        }
        if self.db != 0 && !tell_refusal(connection.select(self.db))? {
            self.db = 0;
            return Ok(());
        }
        if let Some((proto, told)) = self.options.proto {
            let outcome = connection.hello(proto);
            if told || !matches!(outcome, Err(Error::Refused(..))) {
                tell_refusal(outcome)?;
            }
        }
        Ok(())
    }

    /// Forgets the connection; the next command makes another.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
        self.in_transaction = false;
    }

    /// Gives the connection away, for modes that use the socket themselves.
    pub(crate) fn into_connection(mut self) -> Result<Connection, Error> {
        self.connect()?;
        self.connection.take().ok_or(Error::Closed)
    }

    /// Runs a command for the program's own use.
    pub(crate) fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Value, Error> {
        let outcome = self.connect()?.call(args);
        if outcome.is_err() {
            self.disconnect();
        }
        outcome
    }

    /// Runs a command for the program's own use that must succeed.
    pub(crate) fn must<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Value, Failure> {
        match self.call(args)? {
            Value::Error(text) => Err(Failure(String::from_utf8_lossy(&text).into_owned())),
            value => Ok(value),
        }
    }

    /// Runs the user's command and prints the reply. `Err` is of the connection.
    pub(crate) fn issue(&mut self, args: &[Vec<u8>]) -> Result<Issued, Error> {
        let started = Instant::now();
        let reply = match self.request(args) {
            Ok(reply) => reply,
            // A server that shuts down does not answer.
            Err(Error::Closed) if is(args, 0, b"shutdown") => {
                self.disconnect();
                return Ok(Issued { failed: None, elapsed: started.elapsed() });
            }
            Err(error) => {
                self.disconnect();
                return Err(error);
            }
        };
        self.print_pushes();
        let streams = streams(args) && !matches!(reply, Value::Error(_));
        if streams && !is(args, 0, b"monitor") && self.options.output != Output::Raw {
            print(b"Reading messages... (press Ctrl-C to quit)\n");
        }
        self.remember(args, &reply);
        if let (Value::Error(text), true) = (&reply, self.options.exit_on_error) {
            let failed = Some(String::from_utf8_lossy(text).into_owned());
            return Ok(Issued { failed, elapsed: started.elapsed() });
        }
        self.print(args, &reply);
        if streams {
            return Err(self.stream(args));
        }
        Ok(Issued { failed: None, elapsed: started.elapsed() })
    }

    /// Prints a reply in the form asked for.
    pub(crate) fn print(&self, args: &[Vec<u8>], reply: &Value) {
        print(&if is_page(args) {
            format::page(reply, &self.options.delimiters)
        } else {
            format::reply(reply, self.options.output, &self.options.delimiters)
        });
    }

    /// Sends a command and gets its reply, following redirections if asked to.
    fn request(&mut self, args: &[Vec<u8>]) -> Result<Value, Error> {
        let mut asking = false;
        for _ in 0..REDIRECTIONS_MAX {
            let subscribes = streams(args);
            let connection = self.connect()?;
            if asking {
                connection.call(&["ASKING"])?;
            }
            connection.send(args);
            connection.flush()?;
            // The answer to a subscription is a push in RESP3.
            let reply =
                if subscribes { connection.receive_any()? } else { connection.receive()? };
            let Some((endpoint, slot)) = redirection(&reply, &self.options.endpoint) else {
                return Ok(reply);
            };
            if !self.options.follow {
                return Ok(reply);
            }
            if matches!(self.options.output, Output::Human) {
                print(format!("-> Redirected to slot [{slot}] located at {endpoint}\n").as_bytes());
            }
            asking = matches!(&reply, Value::Error(text) if text.starts_with(b"ASK"));
            self.options.endpoint = endpoint;
            self.disconnect();
        }
        Ok(Value::Error(b"ERR Too many Cluster redirections?".to_vec()))
    }

    /// Prints messages until the connection ends; says why it did.
    fn stream(&mut self, args: &[Vec<u8>]) -> Error {
        loop {
            let message = match self.connect().and_then(Connection::receive_any) {
                Ok(message) => message,
                Err(error) => {
                    self.disconnect();
                    return error;
                }
            };
            self.print(args, &message);
        }
    }

    fn print_pushes(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        while let Some(push) = connection.take_push() {
            if self.options.show_pushes {
                let text = format::invalidation(&push).unwrap_or_else(|| {
                    format::reply(&push, Output::Human, &self.options.delimiters)
                });
                print(&text);
            }
        }
    }

    /// Keeps track of what the prompt shows and a new connection must repeat.
    fn remember(&mut self, args: &[Vec<u8>], reply: &Value) {
        if matches!(reply, Value::Error(_)) {
            // A transaction that cannot run is over nevertheless.
            if is(args, 0, b"exec") && !starts_with(reply, b"ERR EXEC without MULTI") {
                self.in_transaction = false;
            }
            return;
        }
        if is(args, 0, b"select") && args.len() == 2 && !self.in_transaction {
            let db = std::str::from_utf8(&args[1]).ok().and_then(|db| db.parse().ok());
            self.db = db.unwrap_or(self.db);
        } else if is(args, 0, b"multi") {
            self.in_transaction = true;
        } else if is(args, 0, b"exec") || is(args, 0, b"discard") {
            self.in_transaction = false;
        } else if is(args, 0, b"reset") {
            (self.db, self.in_transaction) = (0, false);
            self.options.auth = None;
            self.options.proto = None;
        } else if is(args, 0, b"hello") {
            let version = args.get(1).map(Vec::as_slice);
            self.options.proto = match version {
                Some(b"3") => Some((Proto::Resp3, true)),
                Some(b"2") => None,
                Some(_) | None => self.options.proto,
            };
        }
    }
}

/// What came of a command whose reply was read.
pub(crate) struct Issued {
    /// The error it answered, if errors end the program.
    pub failed: Option<String>,
    pub elapsed: Duration,
}

/// Writes to stdout at once. A reader that went away ends the program, as it would end `cat`.
pub(crate) fn print(text: &[u8]) {
    let mut out = std::io::stdout().lock();
    if out.write_all(text).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

/// Writes a line to stderr. If nobody reads it any more, nobody misses it.
pub(crate) fn complain(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether word `i` is `name`, in any case.
pub(crate) fn is(args: &[Vec<u8>], i: usize, name: &[u8]) -> bool {
    args.get(i).is_some_and(|word| word.eq_ignore_ascii_case(name))
}

/// Whether messages without end follow the reply.
fn streams(args: &[Vec<u8>]) -> bool {
    let names: [&[u8]; 4] = [b"subscribe", b"psubscribe", b"ssubscribe", b"monitor"];
    names.iter().any(|name| is(args, 0, name))
}

/// Whether the reply is a page of text, to be printed as it is.
fn is_page(args: &[Vec<u8>]) -> bool {
    const PAGES: [(&[u8], &[u8]); 12] = [
        (b"client", b"info"),
        (b"client", b"list"),
        (b"cluster", b"info"),
        (b"cluster", b"nodes"),
        (b"debug", b"client-eviction"),
        (b"debug", b"htstats"),
        (b"debug", b"htstats-key"),
        (b"latency", b"doctor"),
        (b"latency", b"graph"),
        (b"memory", b"doctor"),
        (b"memory", b"malloc-stats"),
        (b"proxy", b"info"),
    ];
    is(args, 0, b"info")
        || is(args, 0, b"lolwut")
        || PAGES.iter().any(|&(command, sub)| is(args, 0, command) && is(args, 1, sub))
}

fn starts_with(reply: &Value, text: &[u8]) -> bool {
    matches!(reply, Value::Error(error) if error.starts_with(text))
}

/// Where `-MOVED slot host:port` or `-ASK slot host:port` sends the command.
fn redirection(reply: &Value, here: &Endpoint) -> Option<(Endpoint, String)> {
    let Value::Error(text) = reply else { return None };
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split(' ');
    if !matches!(words.next()?, "MOVED" | "ASK") {
        return None;
    }
    let slot = words.next()?.to_owned();
    let (host, port) = words.next()?.rsplit_once(':')?;
    let host = match (host, here) {
        // An unknown host is the one that answered.
        ("", Endpoint::Tcp { host, .. }) => host.clone(),
        (host, _) => host.to_owned(),
    };
    Some((Endpoint::Tcp { host, port: port.parse().ok()? }, slot))
}

/// Tells a step the server refused, and goes on; whether it was accepted.
fn tell_refusal(outcome: Result<Value, Error>) -> Result<bool, Error> {
    match outcome {
        Ok(_) => Ok(true),
        Err(refused @ Error::Refused(..)) => {
            complain(refused);
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Value, redirection};

    #[test]
    fn redirections_say_where_to() {
        let here = Endpoint::Tcp { host: "here".to_owned(), port: 1 };
        let tcp = |host: &str, port| Endpoint::Tcp { host: host.to_owned(), port };
        for (text, want) in [
            ("MOVED 5 10.0.0.1:7000", Some((tcp("10.0.0.1", 7000), "5"))),
            ("ASK 16383 fd00::1:7001", Some((tcp("fd00::1", 7001), "16383"))),
            ("MOVED 5 :7000", Some((tcp("here", 7000), "5"))),
            ("MOVED 5", None),
            ("MOVED 5 host:port", None),
            ("ERR MOVED 5 10.0.0.1:7000", None),
        ] {
            let got = redirection(&Value::Error(text.as_bytes().to_vec()), &here);
            assert_eq!(got, want.map(|(endpoint, slot)| (endpoint, slot.to_owned())), "{text}");
        }
        assert_eq!(redirection(&Value::Simple(b"MOVED 5 h:1".to_vec()), &here), None);
    }
}
