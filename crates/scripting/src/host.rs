//! Whoever runs commands for scripts, as the interpreter sees it.

use std::fmt;

use stoa_stdx::Loan;

use crate::Tape;

/// Runs commands for a script, and knows the world around it.
pub trait Host {
    /// Runs a command and writes its reply, refusals included; `resp3` says in which shape. If it has to
    /// wait the script pauses, and asks for it again when it goes on.
    ///
    /// # Errors
    /// When the script must end here and now.
    fn call(&mut self, argv: &[&[u8]], resp3: bool, reply: &mut Tape) -> Result<Called, Stop>;

    /// Whether the user may run this command. None: there is no such command.
    fn permits(&mut self, argv: &[&[u8]]) -> Option<bool>;

    /// Writes into the server's log.
    fn log(&mut self, level: LogLevel, text: &[u8]);

    /// A clock of the script's own, in microseconds (`os.clock`).
    fn clock_us(&mut self) -> u64;

    /// Asked now and then while a script runs: whether it goes on or pauses.
    ///
    /// # Errors
    /// When the script must end here and now.
    fn tick(&mut self) -> Result<Tick, Stop>;
}

/// What came of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// It has run, and its reply is written.
    Answered,
    /// It has not: something has to come first.
    Waits,
}

/// What becomes of a script that was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// It goes on.
    Go,
    /// It pauses, so that others are served. Whoever runs it resumes it.
    Pause,
}

/// Why a script ends that did not end by itself. It cannot catch this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SCRIPT KILL or FUNCTION KILL.
    Killed,
    /// It wants a key that it did not declare and that is not at hand: it is undone and run again
    /// where all keys are.
    Undeclared,
    /// Loading a library takes too long.
    LoadTimeout,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Killed => "Script killed by user with SCRIPT KILL.",
            Self::Undeclared => "Script needs a key it did not declare; name it in KEYS",
            Self::LoadTimeout => "FUNCTION LOAD timeout",
        })
    }
}

/// The levels of `redis.log`, numbered as there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum LogLevel {
    Debug = 0,
    Verbose = 1,
    Notice = 2,
    Warning = 3,
}

/// The host of the script that runs, as it is lent to callbacks.
pub(crate) struct HostLoan;

impl Loan for HostLoan {
    type Of<'a> = dyn Host + 'a;
}
