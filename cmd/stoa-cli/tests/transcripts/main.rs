//! Golden transcripts: what the client prints and how it exits, against a server that answers as the
//! transcript says.
//!
//! The same transcripts are held against redis-cli 7.0 where it is installed, so that they are its
//! words and not our memory of them; where we differ on purpose, the case says why. To write the
//! expectations of new cases, set `TRANSCRIPTS_FROM` to the program to take them from.

mod script;
mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{fs, io::Write as _};

use script::{Case, Script};
use server::Server;

fn transcripts() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .expect("the folder of transcripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are transcripts");
    paths
}

#[test]
fn every_transcript_holds() {
    check(env!("CARGO_BIN_EXE_stoa-cli"), |_| true);
}

#[test]
fn the_transcripts_are_what_redis_cli_says_too() {
    let version = Command::new("redis-cli").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    if !version.as_ref().is_ok_and(|version| version.starts_with("redis-cli 7.0")) {
        println!("not compared: redis-cli 7.0 is not installed ({version:?})");
        return;
    }
    check("redis-cli", |case| !case.differs);
}

#[test]
fn a_reader_that_went_away_ends_it_quietly() {
    let server = Server::start(&server::Replies::default());
    let port = server.port.to_string();
    for args in [&["--help"][..], &["--version"], &["-p", &port, "PING"], &["--nosuch"]] {
        let closed = || {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            writer
        };
        let run = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_stoa-cli"));
            command.args(args).stdin(Stdio::null());
            command
        };
        let output = run().stdout(closed()).stderr(Stdio::piped()).output().expect("it starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!text.contains("panicked"), "{args:?}: {text}");
        let output = run().stdout(Stdio::piped()).stderr(closed()).output().expect("it starts");
        assert!(output.status.code().is_some_and(|code| code < 2), "{args:?}: {}", output.status);
    }
}

/// Runs every case that `wanted` picks with `program`, and tells all that differ at once.
fn check(program: &str, wanted: impl Fn(&Case) -> bool) {
    let writing = std::env::var("TRANSCRIPTS_FROM").ok();
    let mut wrong = String::new();
    for path in transcripts() {
        let mut script = Script::parse(&fs::read_to_string(&path).expect("a transcript"));
        let server = Server::start(&script.replies);
        for case in script.cases.iter_mut().filter(|case| wanted(case)) {
            let program = writing.as_deref().filter(|_| !case.differs).unwrap_or(program);
            let got = script::render(&run(program, case, &server));
            if writing.is_some() {
                case.want = got;
            } else if got != case.want {
                let (line, want) = (&case.line, &case.want);
                wrong.push_str(&format!(
                    "{}: {line}\n--- want\n{want}--- got\n{got}\n",
                    path.display()
                ));
            }
        }
        if writing.is_some() {
            fs::write(&path, script.to_text()).expect("a transcript that can be written");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn run(program: &str, case: &Case, server: &Server) -> Output {
    let home = tempfile::tempdir().expect("a home");
    let mut child = Command::new(program)
        .args(["-h", "127.0.0.1", "-p", &server.port.to_string()])
        .args(&case.args)
        .env("HOME", home.path())
        .env_remove("REDISCLI_AUTH")
        .env_remove("FAKETTY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program to start");
    // It may have ended without reading.
    let _ = child.stdin.take().expect("a pipe").write_all(&case.stdin);
    child.wait_with_output().expect("the program to end")
}
