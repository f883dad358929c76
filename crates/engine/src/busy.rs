//! Scripts that run for long: who runs where, how they pause, and how they are ended.
//!
//! The board is the one thing that shards share besides facts that never change: a shard that is busy
//! with a script reads no mail, so the wish to end the script cannot come by mail. A byte of each shard
//! says what runs there; it is written when a script has run for some 100,000 instructions and before
//! its first change of a key after that, so scripts of ordinary length never touch it. How many scripts
//! have passed `busy-reply-threshold` is counted beside: while there is one, all shards refuse what may
//! not run now, as one thread would, and each learns it by one load a turn.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use stoa_command::ReplyError;
use stoa_stdx::{DbIndex, MonoNs, ShardId};

/// Shards that have a place on the board. Scripts of others cannot be ended.
const SHARDS_MAX: usize = 1_024;

const IDLE: u8 = 0;
const RUNS: u8 = 1;
const WROTE: u8 = 2;
const KILLED: u8 = 3;
const STATE: u8 = 3;
const IS_FUNCTION: u8 = 4;
/// It has passed `busy-reply-threshold`.
const IS_LATE: u8 = 8;
/// What stays as it is while the state changes.
const MARKS: u8 = IS_FUNCTION | IS_LATE;

const NOT_BUSY: &str = "NOTBUSY No scripts in execution right now.";
const UNKILLABLE: &str = "UNKILLABLE Sorry the script already executed write commands against the \
    dataset. You can either wait the script termination or kill the server in a hard way using the \
    SHUTDOWN NOSAVE command.";
/// What others are told while a script runs.
pub const BUSY_SCRIPT: &str = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or \
    SHUTDOWN NOSAVE.";
/// What others are told while a function runs.
pub const BUSY_FUNCTION: &str = "BUSY Redis is busy running a script. You can only call FUNCTION KILL \
    or SHUTDOWN NOSAVE.";

/// Which scripts run on which shard.
#[derive(Debug)]
pub struct ScriptBoard {
    places: Box<[AtomicU8]>,
    /// How many places have [`IS_LATE`].
    late: AtomicU32,
}

impl Default for ScriptBoard {
    fn default() -> Self {
        let places = (0..SHARDS_MAX).map(|_| AtomicU8::new(IDLE)).collect();
        Self { places, late: AtomicU32::new(0) }
    }
}

impl ScriptBoard {
    fn place(&self, shard: ShardId) -> Option<&AtomicU8> {
        self.places.get(usize::from(shard.0))
    }

    /// What all clients are told while some script has passed `busy-reply-threshold`.
    #[inline]
    #[must_use]
    pub fn refusal(&self) -> Option<&'static str> {
        if self.late.load(Ordering::Acquire) == 0 {
            return None;
        }
        let late = |place: &AtomicU8| {
            let now = place.load(Ordering::Acquire);
            (now & IS_LATE != 0).then_some(now)
        };
        let is_function = self.places.iter().find_map(late)? & IS_FUNCTION != 0;
        Some(if is_function { BUSY_FUNCTION } else { BUSY_SCRIPT })
    }

    /// The script of this shard has passed `busy-reply-threshold`.
    pub(crate) fn is_late(&self, shard: ShardId) {
        if let Some(place) = self.place(shard)
            && place.fetch_or(IS_LATE, Ordering::AcqRel) & IS_LATE == 0
        {
            self.late.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// A script runs for long on this shard.
    pub(crate) fn begin(&self, shard: ShardId, is_function: bool, wrote: bool) {
        let kind = if is_function { IS_FUNCTION } else { 0 };
        if let Some(place) = self.place(shard) {
            place.store(kind | if wrote { WROTE } else { RUNS }, Ordering::Release);
        }
    }

    /// It is over.
    pub(crate) fn end(&self, shard: ShardId) {
        if let Some(place) = self.place(shard)
            && place.swap(IDLE, Ordering::AcqRel) & IS_LATE != 0
        {
            self.late.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Whether it is to end.
    pub(crate) fn is_killed(&self, shard: ShardId) -> bool {
        self.place(shard).is_some_and(|place| place.load(Ordering::Acquire) & STATE == KILLED)
    }

    /// It is about to change a key. False: it is to end instead.
    pub(crate) fn may_write(&self, shard: ShardId) -> bool {
        let write = |now: u8| match now & STATE {
            RUNS => Some(now & MARKS | WROTE),
            _ => None,
        };
        let Some(place) = self.place(shard) else { return true };
        let seen = place.fetch_update(Ordering::AcqRel, Ordering::Acquire, write);
        seen.map_or_else(|now| now & STATE != KILLED, |_| true)
    }

    /// Ends every script (or function) that runs and has changed nothing.
    ///
    /// # Errors
    /// When nothing runs, or what runs cannot be ended so.
    pub fn kill(&self, is_function: bool) -> Result<(), ReplyError> {
        let mut verdict = Err(ReplyError::Text(NOT_BUSY));
        for place in &self.places {
            let now = place.load(Ordering::Acquire);
            let other_kind = (now & IS_FUNCTION != 0) != is_function;
            match now & STATE {
                IDLE => {}
                WROTE if verdict.is_err() => verdict = Err(ReplyError::Text(UNKILLABLE)),
                RUNS if other_kind && verdict.is_err() => {
                    let text = if is_function { BUSY_SCRIPT } else { BUSY_FUNCTION };
                    verdict = Err(ReplyError::Text(text));
                }
                RUNS if !other_kind => {
                    let killed = now & MARKS | KILLED;
                    let swapped =
                        place.compare_exchange(now, killed, Ordering::AcqRel, Ordering::Acquire);
                    if swapped.is_ok() {
                        verdict = Ok(());
                    }
                }
                KILLED => verdict = Ok(()),
                _ => {}
            }
        }
        verdict
    }
}

/// A script that pauses, with all that it goes on with.
#[derive(Debug)]
pub struct PausedScript {
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) read_only: bool,
    pub(crate) wrote: bool,
    pub(crate) lacks_memory: bool,
    /// It is on the board.
    pub(crate) shows: bool,
    pub(crate) started: MonoNs,
    pub(crate) looks: u64,
    pub(crate) home_db: DbIndex,
    /// The database it has selected.
    pub(crate) db: DbIndex,
    /// What errors call it.
    pub(crate) name: Vec<u8>,
    pub(crate) is_function: bool,
    /// The words of the command that runs it.
    pub(crate) command: Vec<Vec<u8>>,
}

impl PausedScript {
    /// Notes the words of the command that runs it.
    pub fn set_command(&mut self, argv: &[&[u8]]) {
        self.command = argv.iter().map(|word| word.to_vec()).collect();
    }

    /// The name of the function, the words of the command, and since when it runs; None for a script.
    #[must_use]
    #[expect(clippy::type_complexity, reason = "three facts for one caller")]
    pub fn function(&self) -> Option<(&[u8], &[Vec<u8>], MonoNs)> {
        self.is_function.then_some((&self.name, &self.command, self.started))
    }
}

#[cfg(test)]
mod tests {
    use stoa_stdx::ShardId;

    use super::ScriptBoard;

    fn kill(board: &ScriptBoard, is_function: bool) -> String {
        board.kill(is_function).err().map_or_else(|| "OK".to_owned(), |error| error.to_string())
    }

    #[test]
    fn only_what_has_changed_nothing_is_ended() {
        let board = ScriptBoard::default();
        let shard = ShardId(3);
        assert!(kill(&board, false).starts_with("NOTBUSY"));
        board.begin(shard, false, false);
        assert!(kill(&board, true).contains("SCRIPT KILL"));
        assert!(board.may_write(shard));
        assert!(kill(&board, false).starts_with("UNKILLABLE"));
        assert!(!board.is_killed(shard));
        board.end(shard);
        board.begin(shard, true, false);
        assert!(kill(&board, false).contains("FUNCTION KILL"));
        assert_eq!(kill(&board, true), "OK");
        assert!(board.is_killed(shard));
        assert!(!board.may_write(shard));
    }

    #[test]
    fn all_are_refused_from_the_first_late_script_to_the_end_of_the_last() {
        let board = ScriptBoard::default();
        assert_eq!(board.refusal(), None);
        board.begin(ShardId(1), false, false);
        assert_eq!(board.refusal(), None, "it is not late yet");
        board.is_late(ShardId(1));
        board.is_late(ShardId(1));
        assert_eq!(board.refusal(), Some(super::BUSY_SCRIPT));
        board.begin(ShardId(0), true, true);
        board.is_late(ShardId(0));
        assert_eq!(board.refusal(), Some(super::BUSY_FUNCTION));
        assert_eq!(kill(&board, false), "OK");
        assert_eq!(board.refusal(), Some(super::BUSY_FUNCTION), "it ends when it notices");
        board.end(ShardId(0));
        assert_eq!(board.refusal(), Some(super::BUSY_SCRIPT));
        board.end(ShardId(1));
        assert_eq!(board.refusal(), None);
    }
}
