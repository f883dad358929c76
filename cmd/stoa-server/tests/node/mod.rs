//! The program, started for one test with HTTP on a free port and RESP on a unix socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest anything may be silent, so that a test that hangs fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const PROGRAM: &str = env!("CARGO_BIN_EXE_stoa-server");

pub(crate) struct Node {
    child: Child,
    pub(crate) addr: SocketAddr,
    socket: PathBuf,
}

fn dir(test: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("stoa-http-{test}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a directory for the test");
    dir
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["--shards", "2", "--pin", "no", "--port", "0", "--unixsocket", "s", "--dir"]);
    command.arg(dir).args(args).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a server that does not start says.
pub(crate) fn refused(test: &str, args: &[&str]) -> String {
    let output = command(&dir(test), args).output().expect("the program");
    assert!(!output.status.success(), "it started");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

impl Node {
    pub(crate) fn start(test: &str, args: &[&str]) -> Self {
        let dir = dir(test);
        // Between finding a port and taking it, another test may take it.
        (0..10).find_map(|_| Self::try_start(&dir, args)).expect("a free port and a server on it")
    }

    fn try_start(dir: &Path, args: &[&str]) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = free.local_addr().expect("bound");
        drop(free);
        let port = addr.port().to_string();
        let mut all = vec!["--http-port", &port, "--http-bind", "127.0.0.1"];
        all.extend(args);
        let mut child = command(dir, &all).spawn().expect("the program");
        let log = BufReader::new(child.stdout.take().expect("piped"));
        let ready = log.lines().map_while(Result::ok).any(|line| line.contains("Connect with: "));
        let node = Self { child, addr, socket: dir.join("s") };
        ready.then_some(node)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream
    }

    pub(crate) fn unix(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream
    }

    /// All that is answered to one command over RESP.
    pub(crate) fn resp(&self, line: &str) -> String {
        let mut stream = self.unix();
        stream.write_all(format!("{line}\r\nQUIT\r\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        answer.strip_suffix("+OK\r\n").expect("QUIT is answered").to_owned()
    }

    /// Asks until the answer contains `want`.
    pub(crate) fn wait_until(&self, line: &str, want: &str) {
        let start = Instant::now();
        loop {
            let answer = self.resp(line);
            if answer.contains(want) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "no {want:?} in {answer}");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended where the test had it end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of the answer to one POST.
pub(crate) fn post(node: &Node, body: &str) -> String {
    let mut stream = node.connect();
    let length = body.len();
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes()).expect("it reads");
    exchange(&mut stream).1.trim_end().to_owned()
}

/// Reads one response: its status and body.
pub(crate) fn exchange(stream: &mut TcpStream) -> (u16, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
    stream.read_exact(&mut body).expect("a whole body");
    (status(&head), String::from_utf8(body).expect("text"))
}

/// The status of a response; 0 if there is none.
pub(crate) fn status(response: &str) -> u16 {
    response.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}
