//! Transcripts: what a client says and hears, in a text file beside the command it shows.
//!
//! ```text
//! # A comment.
//! > SET k "two words" PX 100      a request, quoted as in redis-cli
//! OK                              its reply, see `page`
//! @ +101                          moves the clock, milliseconds
//! > GET k
//! (nil)
//! ```
//!
//! Also `@ config NAME VALUE` sets a directive, `@ client NAME` lets another client speak (a new name
//! connects one), `@ resp3` and `@ resp2` choose the protocol, `@ dirty N` says how many changes were
//! counted since the last such line (or the beginning), `@ fresh` empties the shard and forgets all
//! of that. A file is one test: it starts empty, and blank lines say nothing.
//!
//! With `STOA_TRANSCRIPTS=write` the files get the replies there are, to be read before they are
//! committed.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its transcripts, and writes them on demand"
)]

use std::fs;
use std::path::{Path, PathBuf};

use stoa_config::EventClasses;
use stoa_engine::Proto;

use crate::bench::Bench;

/// A transcript's text as it ought to be: the requests of `text` with the replies they get.
fn played(text: &str, place: &str) -> String {
    let mut bench = Bench::new();
    let mut dirty = 0;
    let mut out = String::new();
    let mut spoken = false;
    for line in text.lines() {
        let reply = if let Some(request) = line.strip_prefix("> ") {
            Some(bench.run(request))
        } else if let Some(words) = line.strip_prefix("@ ") {
            let line = direct(&mut bench, words, &mut dirty, place);
            out.push_str(&line);
            out.push('\n');
            spoken = false;
            continue;
        } else {
            None
        };
        // What follows a request up to the next line of another kind is its old reply.
        spoken &= reply.is_none() && !line.is_empty() && !line.starts_with("# ");
        if !spoken {
            out.push_str(line);
            out.push('\n');
        }
        if let Some(reply) = reply {
            out.push_str(&reply);
            out.push_str(if reply.is_empty() { "" } else { "\n" });
            spoken = true;
        }
    }
    out
}

/// Follows an `@` line; gives it back as it ought to be.
fn direct(bench: &mut Bench, words: &str, dirty: &mut u64, place: &str) -> String {
    let parts: Vec<&str> = words.split_whitespace().collect();
    match parts[..] {
        [step] if step.starts_with('+') => bench.advance(step[1..].parse().expect(place)),
        ["config", name] => bench.config(name, ""),
        ["config", name, ..] => {
            let value = words.split_once(name).map_or("", |(_, value)| value.trim());
            bench.config(name, value);
        }
        ["client", name] => bench.client(name),
        ["resp2"] => bench.speak(Proto::Resp2),
        ["resp3"] => bench.speak(Proto::Resp3),
        ["fresh"] => {
            *bench = Bench::new();
            *dirty = 0;
        }
        ["dirty", _] => {
            let count = bench.node.dirty - *dirty;
            *dirty = bench.node.dirty;
            return format!("@ dirty {count}");
        }
        _ => panic!("{place}: no such direction: @ {words}"),
    }
    format!("@ {words}")
}

/// The first line that differs, for people.
fn difference(had: &str, got: &str) -> String {
    let (mut had, mut got) = (had.lines(), got.lines());
    let mut request = "";
    for number in 1.. {
        let (written, answered) = (had.next(), got.next());
        if written != answered || written.is_none() {
            let show = |line: Option<&str>| line.unwrap_or("(end)").to_owned();
            return format!(
                "line {number}, after {request:?}\n  written:  {}\n  answered: {}",
                show(written),
                show(answered)
            );
        }
        request = written.filter(|line| line.starts_with("> ")).unwrap_or(request);
    }
    String::new()
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the source folder is readable") {
        let path = entry.expect("a folder's entry").path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            into.push(path);
        }
    }
    into.sort();
}

#[test]
fn every_transcript_is_what_the_commands_answer() {
    let write = std::env::var("STOA_TRANSCRIPTS").is_ok_and(|word| word == "write");
    let mut paths = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    files(&root, &mut paths);
    let mut wrong = Vec::new();
    for path in &paths {
        let place = path.strip_prefix(&root).expect("below the root").display().to_string();
        let had = fs::read_to_string(path).expect("a transcript is text");
        let got = played(&had, &place);
        if had != got && write {
            fs::write(path, &got).expect("a transcript is writable");
        } else if had != got {
            wrong.push(format!("{place}: {}", difference(&had, &got)));
        }
    }
    assert!(!paths.is_empty(), "no transcripts below {}", root.display());
    assert!(wrong.is_empty(), "{} transcripts differ\n{}", wrong.len(), wrong.join("\n"));
}

/// Requests that count as a change and say nothing, as in the reference: none changes what a reader of the
/// key sees, but who of a group has read what, or what is known of an estimate.
const SILENT: &[&str] = &[
    "pfcount",
    "pfdebug",
    "xack",
    "xautoclaim",
    "xclaim",
    "xreadgroup",
    "script",
    "function",
    "debug",
];

#[test]
fn whatever_counts_as_a_change_is_told_to_observers() {
    let mut paths = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut paths);
    let (mut told, mut silent) = (0, Vec::new());
    for path in &paths {
        let text = fs::read_to_string(path).expect("a transcript is text");
        let place = path.display().to_string();
        let mut bench = Bench::new();
        let mut dirty = 0;
        for line in text.lines() {
            bench.observe(EventClasses::CHANGES);
            if let Some(words) = line.strip_prefix("@ ") {
                direct(&mut bench, words, &mut dirty, &place);
            }
            let Some(request) = line.strip_prefix("> ") else { continue };
            let before = bench.node.dirty;
            let reply = bench.run(request);
            let name = request.split(' ').next().unwrap_or_default().to_ascii_lowercase();
            if bench.node.dirty == before || SILENT.contains(&name.as_str()) {
                continue;
            }
            told += 1;
            if !reply.contains("event: ") {
                silent.push(format!("{place}: {request}\n{reply}"));
            }
        }
    }
    assert!(silent.is_empty(), "{} changes are not told:\n{}", silent.len(), silent.join("\n"));
    assert!(told > 500, "only {told} changes");
}

#[test]
fn a_wrong_reply_is_replaced_and_what_stands_around_it_stays() {
    let had = "# one\n> SET k 1\nwrong\nmore\n\n@ dirty 7\n> GET k\n# two\n";
    let want = "# one\n> SET k 1\nOK\n\n@ dirty 1\n> GET k\n\"1\"\n# two\n";
    assert_eq!(played(had, "here"), want);
}

#[test]
fn time_config_and_clients_are_directed() {
    let text = "> SET k 1 PX 10\nOK\n@ +10\n> GET k\n\"1\"\n@ +1\n> GET k\n(nil)\n\
                @ config set-preserves-ttl yes\n> SET k 1 PX 10\nOK\n> SET k 2\nOK\n@ +11\n> GET k\n(nil)\n\
                @ client two\n@ resp3\n> GET k\n(nil)\n> get\n\
                (error) ERR wrong number of arguments for 'get' command\n";
    assert_eq!(played(text, "here"), text);
}
