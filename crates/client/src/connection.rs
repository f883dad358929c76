//! One connection: requests out, replies in, in order.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::time::Duration;

use stoa_resp::{Framer, Proto, Value, decode, write_request};

use crate::{Endpoint, Error, Stream};

/// Bytes asked of the socket at once.
const READ_LEN: usize = 16 * 1024;

/// Bytes of requests a pipeline has under way before it reads replies. Kernel buffers hold this much,
/// so neither side can be stuck writing while the other writes too.
const PIPELINE_LEN: usize = 64 * 1024;

/// Who to log in as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// User; `None` is the default user, in the form servers before ACLs know.
    pub user: Option<String>,
    /// Password.
    pub password: String,
}

/// How to open a connection.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the server is.
    pub endpoint: Endpoint,
    /// Login, if any.
    pub auth: Option<Auth>,
    /// Protocol to ask for with HELLO; `None` says nothing and stays at RESP2.
    pub proto: Option<Proto>,
    /// Database to select, unless 0.
    pub db: u32,
    /// Bound on connecting.
    pub connect_timeout: Option<Duration>,
    /// Bound on each read and write.
    pub timeout: Option<Duration>,
}

/// A connection in use.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// Requests not yet written.
    out: Vec<u8>,
    /// Bytes read, from `read_at` on not yet given away.
    input: Vec<u8>,
    read_at: usize,
    framer: Framer,
    pushes: VecDeque<Value>,
}

impl Connection {
    /// Connects, logs in, sets the protocol and the database. A refusal of any step is an error.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let mut connection = Self::connect(&options.endpoint, options.connect_timeout)?;
        connection.set_timeout(options.timeout)?;
        if let Some(auth) = &options.auth {
            connection.login(auth)?;
        }
        if let Some(proto) = options.proto {
            connection.hello(proto)?;
        }
        if options.db != 0 {
            connection.select(options.db)?;
        }
        Ok(connection)
    }

    /// Connects and says nothing.
    pub fn connect(endpoint: &Endpoint, timeout: Option<Duration>) -> Result<Self, Error> {
        Ok(Self {
            stream: Stream::connect(endpoint, timeout)?,
            out: Vec::new(),
            input: Vec::new(),
            read_at: 0,
            framer: Framer::new(),
            pushes: VecDeque::new(),
        })
    }

    /// Logs in.
    pub fn login(&mut self, auth: &Auth) -> Result<Value, Error> {
        let password = auth.password.as_str();
        match &auth.user {
            Some(user) => self.step("AUTH", &["AUTH", user, password]),
            None => self.step("AUTH", &["AUTH", password]),
        }
    }

    /// Sets the protocol.
    pub fn hello(&mut self, proto: Proto) -> Result<Value, Error> {
        let version = match proto {
            Proto::Resp2 => "2",
            Proto::Resp3 => "3",
        };
        self.step(&format!("HELLO {version}"), &["HELLO", version])
    }

    /// Sets the database.
    pub fn select(&mut self, db: u32) -> Result<Value, Error> {
        let db = db.to_string();
        self.step(&format!("SELECT {db}"), &["SELECT", &db])
    }

    /// How long a read or a write may wait; `None` is for ever. A read that ran out of time may be
    /// repeated: nothing is lost.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        self.stream.set_read_timeout(timeout)?;
        Ok(self.stream.set_write_timeout(timeout)?)
    }

    /// As [`set_timeout`](Self::set_timeout), for reads only.
    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        Ok(self.stream.set_read_timeout(timeout)?)
    }

    /// Sends a request and waits for its reply. An error reply is a value.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Value, Error> {
        self.send(args);
        self.flush()?;
        self.receive()
    }

    /// Sends many requests, and waits for the replies of all.
    pub fn pipeline<A: AsRef<[u8]>>(&mut self, requests: &[Vec<A>]) -> Result<Vec<Value>, Error> {
        let mut replies = Vec::with_capacity(requests.len());
        for (sent, request) in requests.iter().enumerate() {
            self.send(request);
            if self.out.len() >= PIPELINE_LEN {
                self.flush()?;
                while replies.len() <= sent {
                    replies.push(self.receive()?);
                }
            }
        }
        self.flush()?;
        while replies.len() < requests.len() {
            replies.push(self.receive()?);
        }
        Ok(replies)
    }

    /// Puts a request behind those already waiting for [`flush`](Self::flush).
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) {
        write_request(&mut self.out, args);
    }

    /// Puts bytes that already are requests behind those waiting.
    pub fn send_raw(&mut self, requests: &[u8]) {
        self.out.extend_from_slice(requests);
    }

    /// Writes what waits.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    /// The next reply. Pushes that come before it are set aside for [`take_push`](Self::take_push).
    pub fn receive(&mut self) -> Result<Value, Error> {
        loop {
            match self.next()? {
                push @ Value::Push(_) => self.pushes.push_back(push),
                reply => return Ok(reply),
            }
        }
    }

    /// The next message of any kind, in the order they came.
    pub fn receive_any(&mut self) -> Result<Value, Error> {
        match self.take_push() {
            Some(push) => Ok(push),
            None => self.next(),
        }
    }

    /// The oldest push set aside.
    pub fn take_push(&mut self) -> Option<Value> {
        self.pushes.pop_front()
    }

    /// The socket, for those who read and write it themselves.
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// The socket itself.
    pub const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Sends one step of opening, and turns a refusal into an error that names it.
    fn step(&mut self, name: &str, args: &[&str]) -> Result<Value, Error> {
        match self.call(args)? {
            Value::Error(text) => {
                Err(Error::Refused(name.to_owned(), String::from_utf8_lossy(&text).into_owned()))
            }
            reply => Ok(reply),
        }
    }

    fn next(&mut self) -> Result<Value, Error> {
        loop {
            let unread = &self.input[self.read_at..];
            if let Some(len) = self.framer.advance(unread).map_err(Error::Decode)? {
                let decoded = decode(&unread[..len]).map_err(Error::Decode)?;
                let Some((value, _)) = decoded else {
                    unreachable!("the framer and the decoder agree on where a reply ends")
                };
                self.read_at += len;
                return Ok(value);
            }
            self.fill()?;
        }
    }

    /// Reads once, behind what is unread.
    fn fill(&mut self) -> Result<(), Error> {
        self.input.drain(..self.read_at);
        self.read_at = 0;
        let len = self.input.len();
        self.input.resize(len + READ_LEN.max(len / 2), 0);
        let outcome = self.stream.read(&mut self.input[len..]);
        self.input.truncate(len + outcome.as_ref().map_or(0, |&read| read));
        match outcome {
            Ok(0) => Err(Error::Closed),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Err(Error::Closed),
            Err(error) => Err(error.into()),
        }
    }
}
