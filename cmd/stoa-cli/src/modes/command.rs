//! One command, once or again and again.

use std::process::ExitCode;

use crate::session::{Failure, Outcome, Session};

/// Runs the command as often as asked. With `-e`, an error reply ends the program with 1.
#[expect(clippy::needless_pass_by_value, reason = "the last thing the program does with it")]
pub(crate) fn run(session: &mut Session, command: Vec<Vec<u8>>) -> Outcome {
    let mut left = session.options.repeat;
    while left != Some(0) {
        if let Some(text) = session.issue(&command)?.failed {
            return Err(Failure(text));
        }
        left = left.map(|left| left - 1);
        if left != Some(0) {
            std::thread::sleep(session.options.interval);
        }
    }
    Ok(ExitCode::SUCCESS)
}
