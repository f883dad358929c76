//! HSCAN, SSCAN and ZSCAN: what they have in common.
//!
//! The cursor is a place in the order of hashes inside the value, as SCAN's is among keys. Small forms
//! are handed over whole. Options are judged after the key, as in the reference.

use std::num::NonZeroUsize;

use stoa_command::{Args, ReplyError};
use stoa_engine::Reply;
use stoa_keyspace::ScanCursor;

use crate::generic::Pattern;

/// Elements looked at by a call that does not say how many.
const COUNT: NonZeroUsize = NonZeroUsize::new(10).unwrap();

/// What a scan of a value takes.
#[derive(Clone, Copy)]
pub(crate) struct Options<'a> {
    pub(crate) pattern: Pattern<'a>,
    pub(crate) count: usize,
    /// NOVALUES.
    pub(crate) keys_only: bool,
}

/// A key, a cursor, and the rest.
pub struct WalkArgs<'a> {
    pub(crate) key: &'a [u8],
    cursor: u64,
    /// Judged after the key.
    pub(crate) options: Result<Options<'a>, ReplyError>,
}

impl<'a> WalkArgs<'a> {
    /// `of_hash`: the NOVALUES option is known.
    pub(crate) fn read(args: &mut Args<'a>, of_hash: bool) -> Result<Self, ReplyError> {
        let key = args.bytes()?;
        let cursor = ScanCursor::parse_number(args.bytes()?).ok_or(ReplyError::InvalidCursor)?;
        Ok(Self { key, cursor, options: options(args, of_hash) })
    }

    /// Where to go on, if such a place can be.
    pub(crate) fn position(&self) -> u32 {
        // A number that was never answered leads somewhere harmless.
        self.cursor as u32
    }
}

fn options<'a>(args: &mut Args<'a>, of_hash: bool) -> Result<Options<'a>, ReplyError> {
    const OF_HASH: ReplyError = ReplyError::Text("ERR NOVALUES option can only be used in HSCAN");
    let mut options = Options { pattern: Pattern::ALL, count: COUNT.get(), keys_only: false };
    while args.left() > 0 {
        if args.word("NOVALUES") {
            options.keys_only = true;
            if !of_hash {
                return Err(OF_HASH);
            }
            continue;
        }
        // An option without its value is no option.
        if args.left() < 2 {
            return Err(ReplyError::Syntax);
        }
        if args.word("MATCH") {
            options.pattern = Pattern::new(args.bytes()?);
        } else if args.word("COUNT") {
            let count = usize::try_from(args.int()?).ok().and_then(NonZeroUsize::new);
            options.count = count.ok_or(ReplyError::Syntax)?.get();
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok(options)
}

/// Answers a cursor and what was found.
pub(crate) fn answer(next: Option<u32>, found: &[Vec<u8>], reply: &mut dyn Reply) {
    reply.array(2);
    // No place to go on from prints as 0: only the very beginning does, and nothing goes on there.
    reply.bulk(next.unwrap_or(0).to_string().as_bytes());
    reply.array(found.len());
    found.iter().for_each(|text| reply.bulk(text));
}
