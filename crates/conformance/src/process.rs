//! A server program, started for a check and stopped after it.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stoa_client::Endpoint;

/// How long a server may take to answer after its start.
const START_MAX: Duration = Duration::from_secs(20);

/// A server in a process of its own, killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    endpoint: Endpoint,
}

impl Server {
    /// Starts `program` with `arguments` on a free port of this host, and waits until it answers.
    ///
    /// # Errors
    /// When it cannot be started, or does not answer.
    pub fn start(program: &Path, arguments: &[String]) -> io::Result<Self> {
        let port = free_port()?;
        let child = Command::new(program)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| io::Error::other(format!("{}: {error}", program.display())))?;
        let mut server = Self { child, endpoint: local(port) };
        server.wait()?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn wait(&mut self) -> io::Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < START_MAX {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("the server ended at once: {status}")));
            }
            if is_up(&self.endpoint) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(io::Error::other("the server does not answer; see what it wrote above"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a server answers there.
#[must_use]
pub fn is_up(endpoint: &Endpoint) -> bool {
    crate::connect(endpoint).is_ok_and(|mut connection| connection.call(&["PING"]).is_ok())
}

/// This host, at a port.
#[must_use]
pub fn local(port: u16) -> Endpoint {
    Endpoint::Tcp { host: Ipv4Addr::LOCALHOST.to_string(), port }
}

/// A port that nobody has, for now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
