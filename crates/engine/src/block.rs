//! Commands that wait for a key: what one asks for when it found nothing.

use stoa_keyspace::Type;
use stoa_stdx::MonoMs;

use crate::{Ctx, Migration, Reply, SlowCopy};

/// What a command waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The keys it waits for, of the client's database.
    pub keys: Vec<Vec<u8>>,
    /// It runs again when one of them changes and holds this type.
    pub wants: Type,
    /// It also runs again when one of them is gone or became something else.
    pub also_gone: bool,
    /// When it gives up; None: never.
    pub until: Option<MonoMs>,
    /// What it answers then.
    pub on_timeout: OnTimeout,
    /// The request to run again, if not the one that was sent (XREAD with `$`).
    pub argv: Option<Vec<Vec<u8>>>,
}

/// The answer of a command that waited in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// Nothing, where a bulk would be.
    Null,
    /// Nothing, where an array would be.
    NullArray,
}

impl OnTimeout {
    /// Writes it.
    pub fn answer(self, reply: &mut dyn Reply) {
        match self {
            Self::Null => reply.null(),
            Self::NullArray => reply.null_array(),
        }
    }
}

/// Whether a command may wait, and what for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Blocking {
    /// It may not: it runs inside a transaction or a script.
    #[default]
    Denied,
    /// It may.
    Allowed,
    /// It may until something is done for it, but not for a key: its client is gone.
    ForJobs,
    /// It does.
    Asked(Box<Block>),
    /// It does, until this is done; then it runs again.
    Until(Job),
}

/// What a shard does for a command that has run and said nothing. It keeps the command's keys meanwhile, so
/// that nobody sees or changes them, and runs it again when it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Copies a value in portions.
    Copy(Box<SlowCopy>),
    /// Gives keys to another server.
    Migrate(Box<Migration>),
}

impl Ctx<'_> {
    /// Waits, if the command may. Then it has written nothing, and runs again from the beginning when
    /// there may be something for it; false: it answers that there is nothing.
    pub fn block(&mut self, block: Block) -> bool {
        let may = !matches!(self.blocking, Blocking::Denied | Blocking::ForJobs);
        if may {
            self.blocking = Blocking::Asked(Box::new(block));
        }
        may
    }
}
