//! What INFO counts of commands that run inside others: those of EXEC and of scripts.
//!
//! As in the reference an error is counted where it is made, once: by the command that answered it, not
//! again by the EXEC around it, nor by the script that hands it on. A command fails if its answer is an
//! error, or, for a script, for each error that it hands on inside its answer.
//!
//! A script that turns out to want keys of other shards is undone and runs again, so what its commands
//! came to is noted first and counted when it is sure. Notes cost room only where that can happen, and
//! at most [`NOTES_MAX`] of them are kept.

use crate::{Node, Reply};

/// Commands of a script whose outcome waits. Of a script that runs more and then has to run again,
/// the ones before these count twice.
const NOTES_MAX: usize = 16_384;

/// What became of a script's command.
#[derive(Debug)]
pub(crate) enum Came {
    /// It ran.
    Ran {
        /// How long.
        took_ns: u64,
        /// How often it counts as failed.
        failures: u32,
    },
    /// It was refused.
    Refused,
}

/// A command's outcome that is not counted yet.
#[derive(Debug)]
struct Note {
    /// Its row in the table, if there is such a command.
    index: Option<u16>,
    came: Came,
    /// What it answered, if that was an error that nobody counted.
    error: Option<Box<[u8]>>,
}

/// Outcomes that are not counted yet, and what the last script did to the count of its own command.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    notes: Vec<Note>,
    /// How often the script's command failed, if that is known already and its errors are counted.
    failures: Option<u32>,
}

/// Errors in the answer of a script.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// Those that its commands answered.
    pub(crate) counted: u32,
    /// Its own.
    pub(crate) own: Vec<Vec<u8>>,
}

impl Node {
    /// Counts an error by its first word. `text` is its line, without the minus sign.
    pub fn count_error(&mut self, text: &[u8]) {
        self.counters.error_replies += 1;
        self.errors.record(text);
    }

    /// How often a command that just answered failed. Its error, if that is its answer, is counted.
    pub fn failures(&mut self, error: Option<&[u8]>) -> u32 {
        match (self.scripts.tally.failures.take(), error) {
            (Some(failures), _) => failures,
            (None, Some(text)) => {
                self.count_error(text);
                1
            }
            (None, None) => 0,
        }
    }

    /// The same for what was written since `mark`.
    pub(crate) fn failures_since(&mut self, reply: &dyn Reply, mark: usize) -> u32 {
        self.failures(reply.error_at(mark))
    }

    /// Notes what became of a script's command, to be counted once the script is `sure` to have run.
    pub(crate) fn note(
        &mut self,
        sure: bool,
        index: Option<u16>,
        came: Came,
        error: Option<&[u8]>,
    ) {
        if sure {
            return self.count(index, &came, error);
        }
        if self.scripts.tally.notes.len() >= NOTES_MAX {
            self.count_notes();
        }
        self.scripts.tally.notes.push(Note { index, came, error: error.map(Box::from) });
    }

    fn count(&mut self, index: Option<u16>, came: &Came, error: Option<&[u8]>) {
        if let Some(text) = error {
            self.count_error(text);
        }
        let Some(index) = index.map(usize::from) else { return };
        match *came {
            Came::Ran { took_ns, failures } => self.commands.ran(index, took_ns, failures),
            Came::Refused => self.commands.rejected(index),
        }
    }

    /// Counts what was noted.
    pub(crate) fn count_notes(&mut self) {
        if self.scripts.tally.notes.is_empty() {
            return;
        }
        let mut notes = std::mem::take(&mut self.scripts.tally.notes);
        for Note { index, came, error } in notes.drain(..) {
            self.count(index, &came, error.as_deref());
        }
        // The room is kept for the next script, but not that of a long one.
        notes.shrink_to(64);
        self.scripts.tally.notes = notes;
    }

    /// A script answered, or has to run again: then nothing of it counts.
    pub(crate) fn count_script(&mut self, answered: &Answered, runs_again: bool) {
        self.scripts.tally.failures = None;
        if runs_again {
            self.scripts.tally.notes.clear();
            return;
        }
        self.count_notes();
        answered.own.iter().for_each(|text| self.count_error(text));
        let failures = answered.counted + u32::from(!answered.own.is_empty());
        if failures > 0 {
            self.scripts.tally.failures = Some(failures);
        }
    }
}
