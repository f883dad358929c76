//! One client of a shard, spoken for by us: RESP3 over a socket pair.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use futures_util::future::join;
use stoa_json::Argv;
use stoa_resp::{Framer, Value, decode, write_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::Bring;
use crate::door::Login;

/// Room for what is read at once: what a shard sends at once is mostly shorter.
const READ_AT_ONCE: usize = 16 * 1024;

/// The two halves, to be used apart where both have to move at once.
pub(crate) struct Session {
    pub(crate) replies: Replies,
    pub(crate) requests: OwnedWriteHalf,
}

/// What the shard says.
pub(crate) struct Replies {
    half: OwnedReadHalf,
    unread: BytesMut,
    framer: Framer,
    /// Bytes of answers since the last request.
    pub(crate) taken: usize,
}

/// Bytes of the answers to one request: they are held here until the last has come.
pub(crate) const ANSWERS_LEN_MAX: usize = 512 << 20;

impl Session {
    /// A new client, who comes from `peer` as far as the shard knows.
    pub(crate) fn open(bring: &Bring, peer: SocketAddr, local: SocketAddr) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        bring(theirs, peer, local)?;
        ours.set_nonblocking(true)?;
        let (half, requests) = UnixStream::from_std(ours)?.into_split();
        let replies = Replies { half, unread: BytesMut::new(), framer: Framer::new(), taken: 0 };
        Ok(Self { replies, requests })
    }

    /// Logs in, if there is a login, and agrees on RESP3. The server's error if it refuses.
    pub(crate) async fn greet(&mut self, login: Option<&Login>) -> io::Result<Result<(), Vec<u8>>> {
        let mut hello: Argv = vec![b"HELLO".to_vec(), b"3".to_vec()];
        if let Some((user, password)) = login {
            hello.extend([b"AUTH".to_vec(), user.clone(), password.clone()]);
        }
        let said = self.exchange(&[hello]).await?;
        Ok(match said.into_iter().next() {
            Some(Value::Error(text)) => Err(text),
            _ => Ok(()),
        })
    }

    /// Sends commands and waits for as many answers; what is pushed meanwhile is for nobody.
    pub(crate) async fn exchange(&mut self, commands: &[Argv]) -> io::Result<Vec<Value>> {
        let Self { replies, requests } = self;
        let bytes = encoded(commands);
        replies.taken = 0;
        let read = async {
            let mut values = Vec::new();
            while values.len() < commands.len() {
                match replies.next().await? {
                    Value::Push(_) => {}
                    value => values.push(value),
                }
            }
            Ok(values)
        };
        // Both at once: a long pipeline is answered before all of it is sent. If it cannot be sent, the
        // answers say why.
        let (_, values) = join(requests.write_all(&bytes), read).await;
        values
    }
}

impl Replies {
    /// The next value, whole.
    pub(crate) async fn next(&mut self) -> io::Result<Value> {
        let bad = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        loop {
            if let Some(len) = self.framer.advance(&self.unread).map_err(bad)? {
                let value = decode(&self.unread[..len]).map_err(bad)?;
                self.unread.advance(len);
                self.taken += len;
                if let Some((value, _)) = value {
                    return Ok(value);
                }
            }
            if self.taken + self.unread.len() > ANSWERS_LEN_MAX {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            self.unread.reserve(READ_AT_ONCE);
            if self.half.read_buf(&mut self.unread).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Commands as a shard reads them.
pub(crate) fn encoded(commands: &[Argv]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for argv in commands {
        write_request(&mut bytes, argv);
    }
    bytes
}
