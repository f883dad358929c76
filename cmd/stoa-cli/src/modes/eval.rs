//! `--eval file key ... , argument ...`: a script from a file.

use crate::modes::command;
use crate::options::Script;
use crate::session::{Failure, Outcome, Session};

/// Sends the script with what stands before the comma as keys, and the rest as arguments.
pub(crate) fn run(session: &mut Session, script: &Script) -> Outcome {
    let text = std::fs::read(&script.path).map_err(|error| {
        let text = error.to_string();
        let reason = text.split(" (os error ").next().unwrap_or(&text);
        Failure(format!("Can't open file '{}': {reason}", script.path.display()))
    })?;
    let comma = script.words.iter().position(|word| word == b",");
    let (keys, args) = match comma {
        Some(comma) => (&script.words[..comma], &script.words[comma + 1..]),
        None => (script.words.as_slice(), [].as_slice()),
    };
    let mut words = vec![b"EVAL".to_vec(), text, keys.len().to_string().into_bytes()];
    words.extend_from_slice(keys);
    words.extend_from_slice(args);
    command::run(session, words)
}
