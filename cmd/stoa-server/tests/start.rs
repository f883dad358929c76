//! How the program starts: what it says, what it writes, and what it refuses. Each server listens on a
//! unix socket in a directory of its own, so that no test takes a port from another.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

/// Longest a server may be silent, so that one that hangs fails its test.
const SILENCE_MAX: Duration = Duration::from_secs(60);

const PROGRAM: &str = env!("CARGO_BIN_EXE_stoa-server");

/// An empty directory, named after the test.
fn dir(test: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("stoa-{test}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a directory for the test");
    dir.canonicalize().expect("just made")
}

/// A shell command that ends in the server with one shard and these arguments.
fn server(dir: &Path, before: &str, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{before} exec \"$0\" \"$@\"")).arg(PROGRAM);
    command.args(["--shards", "1", "--pin", "no", "--dir"]).arg(dir).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server that has said how to connect to it.
struct Running {
    child: Child,
    log: BufReader<ChildStdout>,
    said: Vec<String>,
    socket: PathBuf,
}

impl Running {
    fn start(dir: &Path, before: &str, args: &[&str]) -> Self {
        let mut all = vec!["--port", "0", "--unixsocket", "s"];
        all.extend(args);
        let mut child = server(dir, before, &all).spawn().expect("sh");
        let log = BufReader::new(child.stdout.take().expect("piped"));
        let mut server = Self { child, log, said: Vec::new(), socket: dir.join("s") };
        server.wait_for("Connect with: ");
        server
    }

    /// Reads the log up to the line that has `text`.
    fn wait_for(&mut self, text: &str) {
        let mut line = String::new();
        while self.log.read_line(&mut line).expect("text") > 0 {
            self.said.push(std::mem::take(&mut line));
            if self.said.last().is_some_and(|said| said.contains(text)) {
                return;
            }
        }
        panic!("no line with {text:?}: {:?}", self.said);
    }

    fn said(&self, text: &str) -> bool {
        self.said.iter().any(|line| line.contains(text))
    }

    /// All that is answered to a pipeline that ends in QUIT.
    fn ask(&self, requests: &str) -> String {
        let mut stream = UnixStream::connect(&self.socket).expect("the server listens");
        stream.set_read_timeout(Some(SILENCE_MAX)).expect("a socket");
        stream.write_all(format!("{requests}\r\nQUIT\r\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers in text");
        answer
    }

    /// Has it end, and waits until it has.
    fn stop(mut self) -> Vec<String> {
        let mut stream = UnixStream::connect(&self.socket).expect("the server listens");
        stream.write_all(b"SHUTDOWN NOSAVE\r\n").expect("it reads");
        self.wait_for("bye bye");
        assert!(self.child.wait().expect("a child").success());
        std::mem::take(&mut self.said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended where `stop` was called.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// More clients than any system has files for: even a privileged server then has to make do.
const VERY_MANY: [&str; 2] = ["--maxclients", "4000000"];

fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "it started");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn fewer_open_files_mean_fewer_clients_and_a_line_that_says_so() {
    let dir = dir("files");
    let server = Running::start(&dir, "ulimit -n 200 &&", &VERY_MANY);
    assert!(server.said("maxclients has been reduced to 1"), "{:?}", server.said);
    let answer = server.ask("CONFIG GET maxclients");
    let fits: u32 = answer.lines().nth(4).and_then(|line| line.parse().ok()).expect(&answer);
    assert!((100..200).contains(&fits), "{answer}");
    let answer = server.ask("CONFIG SET maxclients 5000000");
    assert!(answer.contains(&format!("try with {fits}")), "{answer}");
    server.stop();

    let few = [&VERY_MANY[..], &["--port", "0", "--unixsocket", "s"]].concat();
    let few = server_output(&dir, "ulimit -n 30 &&", &few);
    assert!(refusal(&few).contains("raise 'ulimit -n'"), "{few:?}");
}

fn server_output(dir: &Path, before: &str, args: &[&str]) -> Output {
    server(dir, before, args).output().expect("sh")
}

#[test]
fn a_terminal_that_closes_does_not_end_the_server() {
    let dir = dir("hangup");
    let server = Running::start(&dir, "", &[]);
    let pid = server.child.id().to_string();
    let sent = Command::new("kill").args(["-HUP", &pid]).status().expect("kill");
    assert!(sent.success());
    assert!(server.ask("PING").starts_with("+PONG"));
    server.stop();
}

#[test]
fn every_client_that_maxclients_promises_can_come() {
    let dir = dir("promise");
    let server = Running::start(&dir, "ulimit -n 100 &&", &VERY_MANY);
    let answer = server.ask("CONFIG GET maxclients");
    let fits: usize = answer.lines().nth(4).and_then(|line| line.parse().ok()).expect(&answer);
    let mut clients = Vec::new();
    for number in 0..=fits {
        let mut client = UnixStream::connect(&server.socket).expect("the backlog has room");
        client.set_read_timeout(Some(SILENCE_MAX)).expect("a socket");
        // Who is one too many is told so before saying anything.
        let _ = client.write_all(b"PING\r\n");
        let mut answer = [0; 5];
        client.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, if number < fits { b"+PONG" } else { b"-ERR " }, "{number} of {fits}");
        clients.push(client);
    }
    drop(clients);
}

#[test]
fn the_directory_is_answered_whole_however_it_was_named() {
    let dir = dir("dir");
    std::fs::create_dir(dir.join("sub")).expect("a directory");
    let allowed = ["--enable-protected-configs", "yes", "--shards", "3"];
    let server = Running::start(&dir, "", &allowed);
    let shown = dir.display().to_string();
    assert!(server.ask("CONFIG GET dir").contains(&format!("\r\n{shown}\r\n")));
    // Relative, and answered by every shard's copy: none may go deeper than the others.
    let answer = server.ask("CONFIG SET dir sub\r\nCONFIG GET dir\r\nCONFIG SET dir nosuch");
    assert!(answer.starts_with("+OK\r\n"), "{answer}");
    assert!(answer.contains(&format!("\r\n{shown}/sub\r\n")), "{answer}");
    let refused = "-ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or \
                   directory";
    assert!(answer.contains(refused), "{answer}");
    for _ in 0..8 {
        assert!(server.ask("CONFIG GET dir").contains(&format!("\r\n{shown}/sub\r\n")));
    }
    // The socket was named from the first directory and is gone all the same.
    server.stop();
    assert!(!dir.join("s").exists(), "the socket stays behind");
}

#[test]
fn what_it_listens_on_is_said_once_it_does() {
    let dir = dir("listens");
    let said = Running::start(&dir, "", &[]).stop();
    let at = |text: &str| said.iter().position(|line| line.contains(text));
    assert!(at("listening on /").is_some(), "{said:?}");
    assert!(at("Ready to accept connections unix") < at("Connect with: redis-cli -s "), "{said:?}");
    assert!(at("Ready to accept connections tcp").is_none(), "{said:?}");
}

#[test]
fn what_a_shard_has_to_say_is_in_the_log_before_the_end() {
    let dir = dir("says");
    let server = Running::start(&dir, "", &[]);
    let mut browser = UnixStream::connect(&server.socket).expect("the server listens");
    browser.set_read_timeout(Some(SILENCE_MAX)).expect("a socket");
    browser.write_all(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    let mut answer = Vec::new();
    // The rest of the request may be unread when the connection ends.
    let _ = browser.read_to_end(&mut answer);
    assert_eq!(answer, b"");
    let said = server.stop();
    let attack = said.iter().find(|line| line.contains("SECURITY ATTACK"));
    assert!(attack.is_some_and(|line| line.contains(" # ")), "{said:?}");
}

#[test]
fn it_says_at_the_start_what_a_cache_would_lose() {
    let dir = dir("cautions");
    let saved = "nothing is saved to disk yet";
    let evicted = "no key is evicted yet";
    let server = Running::start(&dir, "", &[]);
    assert!(server.said(saved) && !server.said(evicted), "{:?}", server.said);
    server.stop();
    let server = Running::start(&dir, "", &["--save", ""]);
    assert!(!server.said(saved) && !server.said("'save'"), "{:?}", server.said);
    server.stop();
    let cache = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    let server = Running::start(&dir, "", &cache);
    assert!(server.said(evicted), "{:?}", server.said);
}

#[test]
fn the_process_id_is_in_its_file_while_it_serves() {
    let dir = dir("pid");
    let path = dir.join("pid");
    let server = Running::start(&dir, "", &["--pidfile", "pid"]);
    assert_eq!(
        std::fs::read_to_string(&path).expect("written"),
        format!("{}\n", server.child.id())
    );
    assert!(server.ask("CONFIG GET pidfile").contains("\r\npid\r\n"));
    server.stop();
    assert!(!path.exists(), "it stays behind");
    // One that cannot be written is worth a line, and no more.
    let server = Running::start(&dir, "", &["--pidfile", "no/such/folder"]);
    assert!(server.said("can't write the process id to"), "{:?}", server.said);
}

#[test]
fn in_the_background_it_serves_once_the_caller_goes_on() {
    let dir = dir("background");
    let log = dir.join("log");
    let args = ["--port", "0", "--unixsocket", "s", "--daemonize", "yes", "--pidfile", "pid"];
    // Its streams are pipes here: the server must let go of them, or this would wait for its end.
    let output = server_output(&dir, "", &[&args[..], &["--logfile", "log"]].concat());
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    let pid = std::fs::read_to_string(dir.join("pid")).expect("written");
    let mut stream = UnixStream::connect(dir.join("s")).expect("it listens");
    stream.set_read_timeout(Some(SILENCE_MAX)).expect("a socket");
    stream.write_all(b"INFO server\r\n").expect("it reads");
    let mut info = vec![0; 400];
    stream.read_exact(&mut info).expect("it answers");
    let info = String::from_utf8_lossy(&info);
    assert!(info.contains(&format!("process_id:{}\r\n", pid.trim())), "{info}");
    stream.write_all(b"SHUTDOWN NOSAVE\r\n").expect("it reads");
    // The end of the connection is the end of its shard.
    let _ = stream.read_to_end(&mut Vec::new());
    assert!(std::fs::read_to_string(log).expect("a log").contains("Ready to accept"));
}

#[test]
fn what_goes_wrong_in_the_background_is_told_in_front() {
    let dir = dir("wrong");
    let text = refusal(&server_output(&dir, "", &["--port", "0", "--daemonize", "yes"]));
    assert!(text.contains("nowhere to listen"), "{text}");
    assert!(text.contains("did not start in the background"), "{text}");
    let text = refusal(&server_output(&dir, "", &["--daemonize", "yes", "-"]));
    assert!(text.contains("standard input"), "{text}");
}

#[test]
fn under_the_profile_of_the_container_it_serves_and_drives_rings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let run = root.join("scripts/deploy/under_seccomp.py");
    let profile = root.join("deploy/seccomp.json");
    // Where libseccomp is missing the script says so and there is nothing to show.
    let tried = Command::new(&run).arg(&profile).arg("true").output();
    if !tried.as_ref().is_ok_and(|output| output.status.success()) {
        println!("not shown here: {tried:?}");
        return;
    }
    let under = format!("exec {} {} \"$0\" \"$@\";", run.display(), profile.display());
    let dir = dir("profile");
    for driver in ["auto", "poll"] {
        let args = ["--driver", driver, "--pidfile", "pid"];
        let driven_by = |before: &str| {
            let server = Running::start(&dir, before, &args);
            let calls = "SET k v\r\nGET k\r\nMEMORY PURGE\r\nCONFIG GET dir\r\nINFO server";
            let answer = server.ask(calls);
            server.stop();
            assert!(answer.starts_with("+OK\r\n$1\r\nv\r\n"), "{driver}: {answer}");
            let line = answer.lines().find(|line| line.starts_with("multiplexing_api:"));
            line.expect(&answer).to_owned()
        };
        assert_eq!(driven_by(&under), driven_by(""), "{driver}");
    }
}

#[test]
fn a_server_with_nowhere_to_listen_says_what_to_do() {
    let dir = dir("nowhere");
    let none = server_output(&dir, "", &["--port", "0", "--tls-port", "6380"]);
    let text = refusal(&none);
    assert!(text.contains("nowhere to listen") && text.contains("TLS is not supported"), "{text}");
}

#[test]
fn what_keeps_it_from_starting_is_in_the_logfile_too() {
    let dir = dir("fatal");
    for (args, why) in [
        (&["--port", "0"][..], "nowhere to listen"),
        (&["--port", "0", "--unixsocket", "none/s"], "none/s"),
    ] {
        let args = [args, &["--logfile", "log"]].concat();
        let said = refusal(&server_output(&dir, "", &args));
        let log = std::fs::read_to_string(dir.join("log")).expect("a log");
        let last = log.lines().last().unwrap_or_default();
        let text = said.trim().strip_prefix("stoa-server: ").expect("who says it");
        assert!(text.contains(why), "{text}");
        assert!(last.contains(" # ") && last.ends_with(text), "{last}\n{text}");
    }
}
