//! Bugs to plant into a shard: the simulator's checkers must find each of them.
//!
//! A feature rather than an option, so that a released server holds nothing of them, not even the
//! branch: without `simulated` every question here is `false` when it is compiled. Only the simulator's
//! own tests and examples ask for the feature. Each bug is what a plausible short cut would be.

use crate::Shard;

/// What is wrong with a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planted {
    /// Nothing.
    #[default]
    None,
    /// A command that reads keys of several shards asks each of them apart, without intents.
    OptimisticRead,
    /// What is committed runs at once, whatever stands before it.
    NoConflictWait,
    /// Each shard commits at its own proposal, not at the latest.
    TornCommit,
}

impl Shard {
    /// Whether it has this bug.
    #[cfg(feature = "simulated")]
    #[inline]
    pub(crate) fn plants(&self, bug: Planted) -> bool {
        self.planted == bug
    }

    /// Whether it has this bug: it has none.
    #[cfg(not(feature = "simulated"))]
    #[expect(clippy::unused_self, reason = "with the feature it is looked at")]
    #[inline]
    pub(crate) const fn plants(&self, _bug: Planted) -> bool {
        false
    }

    /// Plants a bug.
    #[cfg(feature = "simulated")]
    pub fn plant(&mut self, bug: Planted) {
        self.planted = bug;
        self.intents.runs_past = bug == Planted::NoConflictWait;
    }
}
