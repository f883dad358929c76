//! A connected socket, of either kind.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::{Endpoint, Error};

/// TCP or unix.
#[derive(Debug)]
pub enum Stream {
    /// A TCP connection, without Nagle's delay.
    Tcp(TcpStream),
    /// A unix socket connection.
    Unix(UnixStream),
}

impl Stream {
    /// Connects. `timeout` bounds each address of a name; unix sockets connect at once or not at all.
    pub fn connect(endpoint: &Endpoint, timeout: Option<Duration>) -> Result<Self, Error> {
        match endpoint {
            Endpoint::Tcp { host, port } => connect_tcp(host, *port, timeout).map(Self::Tcp),
            Endpoint::Unix(path) => UnixStream::connect(path).map(Self::Unix),
        }
        .map_err(|error| Error::Connect(endpoint.clone(), error))
    }

    /// How long a read may wait; `None` is for ever.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(at_least_one(timeout)),
            Self::Unix(stream) => stream.set_read_timeout(at_least_one(timeout)),
        }
    }

    /// How long a write may wait; `None` is for ever.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(at_least_one(timeout)),
            Self::Unix(stream) => stream.set_write_timeout(at_least_one(timeout)),
        }
    }

    /// A second handle on the same socket, to read in one thread and write in another.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
        }
    }

    /// Ends both directions, which wakes whoever reads.
    pub fn shutdown(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        }
    }
}

/// Zero would be refused; the shortest wait is what it means.
fn at_least_one(timeout: Option<Duration>) -> Option<Duration> {
    timeout.map(|timeout| timeout.max(Duration::from_micros(1)))
}

fn connect_tcp(host: &str, port: u16, timeout: Option<Duration>) -> io::Result<TcpStream> {
    let mut last = None;
    for address in (host, port).to_socket_addrs()? {
        let tried = match timeout {
            Some(timeout) => TcpStream::connect_timeout(&address, timeout),
            None => TcpStream::connect(address),
        };
        match tried {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("the name has no address")))
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buf),
            Self::Unix(stream) => stream.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buf),
            Self::Unix(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
