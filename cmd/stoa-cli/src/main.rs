//! `stoa-cli`: talks to a server from a shell.
//!
//! Options, texts, formats and exit codes are those people and their scripts know from redis-cli;
//! where this client differs, the file that differs says so. One command runs and its reply is
//! printed; without one, commands are read from a prompt or, if stdin is no terminal, from a pipe.

mod args;
mod docs;
mod format;
mod help;
mod modes;
mod options;
mod quote;
mod repl;
mod session;

use std::process::ExitCode;

use options::Mode;
use session::{Session, complain};

fn main() -> ExitCode {
    let options = match options::from_command_line(std::env::args_os()) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mode = options.mode.clone();
    let mut session = Session::new(options);
    let outcome = match mode {
        Mode::Command(command) => modes::command::run(&mut session, command),
        Mode::Prompt => repl::run(&mut session),
        Mode::Eval(script) => modes::eval::run(&mut session, &script),
        Mode::Pipe => modes::pipe::run(&mut session),
        Mode::Latency { history } => modes::latency::run(&mut session, history),
        Mode::Stat => modes::stat::run(&mut session),
        Mode::Scan => modes::scan::run(&mut session),
        Mode::BigKeys(measure) => modes::bigkeys::run(&mut session, measure),
    };
    outcome.unwrap_or_else(|failure| {
        if !failure.0.is_empty() {
            complain(failure);
        }
        ExitCode::FAILURE
    })
}
