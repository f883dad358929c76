//! Where the keys of a command are: the published key specifications (Redis 7, "Command key
//! specifications"), and the positions they give for one request.

use crate::{Args, KeyFlags, ReplyError};

/// One key specification: begin somewhere, find keys from there, and what is done with them.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// Where the keys begin.
    pub begin: BeginSearch,
    /// Which arguments from there are keys.
    pub find: FindKeys,
    /// What is done with them.
    pub flags: KeyFlags,
}

/// Where the keys of a spec begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this argument (the command's name is 0).
    Index(usize),
    /// After this word, searched from this argument on (negative: from the end, backwards).
    Keyword(&'static str, i32),
    /// Not expressible.
    Unknown,
}

/// Which arguments are keys, seen from where they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// From the beginning to `last` (relative; negative: from the end of the arguments), every
    /// `step`th; with a negative `last`, `limit` 0 or 1 means all, 2 the first half.
    Range {
        #[doc = "relative"]
        last: i32,
        #[doc = "stride"]
        step: usize,
        #[doc = "0: all"]
        limit: usize,
    },
    /// The argument at `num` says how many keys start at `first`, every `step`th.
    Count {
        #[doc = "relative"]
        num: usize,
        #[doc = "relative"]
        first: usize,
        #[doc = "stride"]
        step: usize,
    },
    /// Not expressible.
    Unknown,
}

impl KeySpec {
    /// The key at argument 1 alone: most commands.
    #[must_use]
    pub const fn first(flags: KeyFlags) -> Self {
        Self::range(1, 0, 1, flags)
    }

    /// Keys from argument `index` to `last` (relative to `index`; negative: from the end).
    #[must_use]
    pub const fn range(index: usize, last: i32, step: usize, flags: KeyFlags) -> Self {
        Self {
            begin: BeginSearch::Index(index),
            find: FindKeys::Range { last, step, limit: 0 },
            flags,
        }
    }

    /// The key positions of this request, pushed onto `into`. An argument count that does not
    /// hold what the spec promises is an error.
    ///
    /// # Errors
    /// [`ReplyError::InvalidKeyCount`] and the like, when the arguments do not fit.
    pub fn positions(&self, args: &Args<'_>, into: &mut KeyPositions) -> Result<(), ReplyError> {
        let argc = args.argc();
        let begin = match self.begin {
            BeginSearch::Index(index) => index,
            BeginSearch::Keyword(word, from) => match args.position_of(word, from) {
                Some(at) => at + 1,
                None => return Ok(()),
            },
            BeginSearch::Unknown => return Ok(()),
        };
        if begin >= argc {
            return Ok(());
        }
        let (first, last, step) = match self.find {
            FindKeys::Range { last, step, limit } => {
                let last = if last >= 0 {
                    begin + last as usize
                } else if limit <= 1 {
                    argc.saturating_sub(last.unsigned_abs() as usize)
                } else {
                    // A share of what is left: STREAMS a b 0 0 has its keys in the first half.
                    let end = begin + (argc - begin) / limit;
                    end.saturating_sub(last.unsigned_abs() as usize)
                };
                (begin, last, step)
            }
            FindKeys::Count { num, first, step } => {
                let count = args
                    .at(begin + num)
                    .and_then(crate::parse_int)
                    .filter(|count| *count >= 0)
                    .ok_or(ReplyError::InvalidKeyCount)?;
                if count == 0 {
                    return Ok(());
                }
                let first = begin + first;
                let span = (count as usize - 1).saturating_mul(step);
                (first, first.saturating_add(span), step)
            }
            FindKeys::Unknown => return Ok(()),
        };
        if last >= argc {
            return Err(ReplyError::InvalidKeyCount);
        }
        let mut at = first;
        while at <= last {
            into.push(at, self.flags);
            at += step.max(1);
        }
        Ok(())
    }
}

/// The key positions of one request. Reused from request to request.
#[derive(Clone, Debug, Default)]
pub struct KeyPositions(Vec<(usize, KeyFlags)>);

impl KeyPositions {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a key at argument `at`.
    pub fn push(&mut self, at: usize, flags: KeyFlags) {
        self.0.push((at, flags));
    }

    /// Gives `flags` to those whose flags depend on the arguments.
    pub(crate) fn settle(&mut self, flags: KeyFlags) {
        let variable = self.0.iter_mut().filter(|(_, flags)| flags.has(KeyFlags::VARIABLE_FLAGS));
        variable.for_each(|(_, open)| *open = flags);
    }

    /// The positions with what is done at each.
    #[must_use]
    pub fn as_slice(&self) -> &[(usize, KeyFlags)] {
        &self.0
    }
}
