//! The prompt, and commands piped in, which are the same without an editor.

mod editor;
mod lines;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use stoa_client::{Endpoint, Error};
use stoa_resp::split_words;

use crate::docs::Docs;
use crate::format::Output;
use crate::help;
use crate::session::{Outcome, Session, complain, describe, is, print};
use editor::Editor;
use lines::Lines;

/// A command that took this long says so.
const SLOW: Duration = Duration::from_millis(500);

/// Where the lines come from.
enum Source {
    Terminal(Box<Editor>),
    Pipe(Lines),
}

/// Runs commands until there are no more. The exit code is 0 whatever they answered: each was
/// answered for itself.
pub(crate) fn run(session: &mut Session) -> Outcome {
    if let Err(error) = session.connect() {
        complain(describe(&error));
    }
    let terminal = std::io::stdin().is_terminal();
    let mut source = if terminal {
        Source::Terminal(Box::new(Editor::new(docs(session))?))
    } else {
        Source::Pipe(Lines::default())
    };
    loop {
        let line = match &mut source {
            Source::Terminal(editor) => editor.next(&session.prompt())?,
            Source::Pipe(lines) => lines.next()?,
        };
        let Some(line) = line else { return Ok(ExitCode::SUCCESS) };
        let Some(words) = split_words(&line) else {
            print(b"Invalid argument(s)\n");
            continue;
        };
        if let Source::Terminal(editor) = &mut source {
            editor.remember(&line, &words);
        }
        if words.is_empty() {
            continue;
        }
        if is(&words, 0, b"quit") || is(&words, 0, b"exit") {
            return Ok(ExitCode::SUCCESS);
        }
        if words[0].starts_with(b":") {
            set_preference(&words, &mut source);
        } else if !run_own(session, &words) {
            run_command(session, words, terminal);
        }
    }
}

/// What the server says of its commands; nothing if it will not say.
fn docs(session: &mut Session) -> Docs {
    session
        .call(&["COMMAND", "DOCS"])
        .map_or_else(|_| Docs::default(), |reply| Docs::from_reply(&reply))
}

/// `:set hints`, `:set nohints`.
fn set_preference(words: &[Vec<u8>], source: &mut Source) {
    let text = |i: usize| String::from_utf8_lossy(words.get(i).map_or(b"", Vec::as_slice));
    if !is(words, 0, b":set") || words.len() < 2 {
        print(format!("unknown stoa-cli internal command '{}'\n", text(0)).as_bytes());
        return;
    }
    let hints = is(words, 1, b"hints");
    if !hints && !is(words, 1, b"nohints") {
        print(format!("unknown stoa-cli preference '{}'\n", text(1)).as_bytes());
    } else if let Source::Terminal(editor) = source {
        editor.set_hints(hints);
    }
}

/// Runs what is this program's business; whether it was.
fn run_own(session: &mut Session, words: &[Vec<u8>]) -> bool {
    if is(words, 0, b"clear") && words.len() == 1 {
        print(b"\x1b[H\x1b[2J");
    } else if is(words, 0, b"help") || is(words, 0, b"?") {
        let text = match &words[1..] {
            [] => help::general(),
            topic => help::topic(&docs(session), topic),
        };
        print(text.as_bytes());
    } else if is(words, 0, b"connect") && words.len() == 3 {
        connect(session, &words[1], &words[2]);
    } else {
        return false;
    }
    true
}

fn connect(session: &mut Session, host: &[u8], port: &[u8]) {
    let Some(port) = std::str::from_utf8(port).ok().and_then(|port| port.parse().ok()) else {
        print(b"Invalid port; use a number up to 65535\n");
        return;
    };
    let host = String::from_utf8_lossy(host).into_owned();
    session.disconnect();
    session.options.endpoint = Endpoint::Tcp { host, port };
    if let Err(error) = session.connect() {
        complain(describe(&error));
    }
}

/// Runs a command of the server, perhaps several times (`5 incr counter`).
fn run_command(session: &mut Session, mut words: Vec<Vec<u8>>, terminal: bool) {
    let mut left = Some(1);
    if words.len() > 1
        && let Some(repeat) =
            std::str::from_utf8(&words[0]).ok().and_then(|n| n.parse::<i64>().ok())
    {
        if repeat <= 0 {
            print(b"Invalid stoa-cli repeat command option value.\n");
            return;
        }
        left = u64::try_from(repeat).ok();
        words.remove(0);
    }
    while left != Some(0) {
        match issue(session, &words) {
            Ok(elapsed)
                if terminal && elapsed >= SLOW && session.options.output == Output::Human =>
            {
                print(format!("({:.2}s)\n", elapsed.as_secs_f64()).as_bytes());
            }
            Ok(_) => {}
            Err(error) => {
                complain(describe(&error));
                return;
            }
        }
        left = left.map(|left| left - 1);
        if left != Some(0) {
            std::thread::sleep(session.options.interval);
        }
    }
}

/// Runs a command; if the connection turns out to be gone, once more on a new one.
fn issue(session: &mut Session, words: &[Vec<u8>]) -> Result<Duration, Error> {
    let was_connected = session.is_connected();
    // At the prompt an error is something to read, not an end.
    let exit_on_error = std::mem::take(&mut session.options.exit_on_error);
    let mut outcome = session.issue(words);
    if was_connected && matches!(outcome, Err(Error::Closed | Error::Io(_))) {
        outcome = session.issue(words);
    }
    session.options.exit_on_error = exit_on_error;
    outcome.map(|issued| issued.elapsed)
}
