//! `stoa-server`: takes the arguments that redis-server takes, serves until told to stop.

use std::io::{self, Write};
use std::process::ExitCode;

use stoa_config::Startup;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    match stoa_config::load(&args, &mut stoa_server::read_config_file) {
        Ok(Startup::PrintVersion) => show(&format!("{}\n", stoa_server::version_line())),
        Ok(Startup::PrintHelp) => show(&stoa_config::usage()),
        Ok(Startup::Serve(launch)) => match stoa_server::serve(*launch) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("stoa-server: {error}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what was asked for. A reader that went away (`--help | head -1`) is no failure of ours.
fn show(text: &str) -> ExitCode {
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
