//! Trimming: the options of XADD and XTRIM that drop old entries, and XTRIM.

use stoa_command::{Args, Flags, KeyFlags, KeySpec, ReplyError, Spec};
use stoa_engine::{Class, Ctx, Reply};
use stoa_value::{BlockLimits, Stream, Trim};

use super::{WRITES, id};
use crate::define::define;

define! { "`XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count]`",
XTrim, TrimArgs, parse, execute, Spec {
    name: "xtrim",
    summary: "Drops the oldest entries.",
    complexity: "O(N), N entries dropped; whole blocks of them at once.",
    syntax: "key (trim: (strategy: MAXLEN | MINID) [operator: = | ~] threshold \
             [LIMIT count:integer])",
    flags: Flags::WRITE,
    keys: &[KeySpec::first(KeyFlags::RW.with(KeyFlags::DELETE))],
    tips: &["nondeterministic_output"],
    ..WRITES
}}

/// The arguments of XTRIM.
pub struct TrimArgs<'a> {
    key: &'a [u8],
    trim: Trimming,
}

/// What is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trimming {
    trim: Trim,
    approximate: bool,
    /// Most entries to drop; None: the usual.
    limit: Option<usize>,
}

/// Options while they are read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    trim: Option<Trim>,
    approximate: bool,
    limit: Option<i64>,
}

impl Options {
    /// Reads one option; false when the next word is none.
    pub(super) fn read(&mut self, args: &mut Args<'_>) -> Result<bool, ReplyError> {
        if args.left() < 2 {
            return Ok(false);
        }
        if args.word("MAXLEN") {
            self.operator(args)?;
            let len = args.int()?;
            let len = u64::try_from(len)
                .map_err(|_| ReplyError::Text("ERR The MAXLEN argument must be >= 0."))?;
            self.trim = Some(Trim::MaxLen(len));
        } else if args.word("MINID") {
            self.operator(args)?;
            self.trim = Some(Trim::MinId(id::parse(args.bytes()?, 0)?));
        } else if args.word("LIMIT") {
            let limit = args.int()?;
            if limit < 0 {
                return Err(ReplyError::Text("ERR The LIMIT argument must be >= 0."));
            }
            self.limit = Some(limit);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn operator(&mut self, args: &mut Args<'_>) -> Result<(), ReplyError> {
        if self.trim.is_some() {
            return Err(ReplyError::Text(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        self.approximate = args.left() > 1 && args.word("~");
        if !self.approximate && args.left() > 1 {
            let _ = args.word("=");
        }
        Ok(())
    }

    /// All options together; None without a trim.
    pub(super) fn settle(self) -> Result<Option<Trimming>, ReplyError> {
        if self.limit.is_some_and(|limit| limit > 0) && self.trim.is_none() {
            return Err(ReplyError::Text(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            ));
        }
        if self.limit.is_some() && !self.approximate {
            return Err(ReplyError::Text(
                "ERR syntax error, LIMIT cannot be used without the special ~ option",
            ));
        }
        let Self { trim, approximate, limit } = self;
        let limit = limit.map(|limit| limit as usize);
        Ok(trim.map(|trim| Trimming { trim, approximate, limit }))
    }
}

impl Trimming {
    /// Trims; gives how many entries went.
    pub(super) fn apply(self, stream: &mut Stream, blocks: BlockLimits) -> usize {
        // Approximate trims are meant to be quick: a hundred blocks at most, unless told otherwise.
        let usual = match blocks.entries.saturating_mul(100) {
            0 => 10_000,
            entries => entries.min(1_000_000),
        };
        let limit = if self.approximate { self.limit.unwrap_or(usual) } else { 0 };
        stream.trim(self.trim, self.approximate, limit)
    }
}

fn parse<'a>(args: &mut Args<'a>) -> Result<TrimArgs<'a>, ReplyError> {
    let key = args.bytes()?;
    let mut options = Options::default();
    while options.read(args)? {}
    args.end()?;
    let trim = options.settle()?.ok_or(ReplyError::Text(
        "ERR syntax error, XTRIM must be called with a trimming strategy",
    ))?;
    Ok(TrimArgs { key, trim })
}

fn execute(args: TrimArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let blocks = ctx.node.config.stream_blocks;
    let trimmed =
        ctx.edit::<Stream>(args.key)?.map_or(0, |mut stream| args.trim.apply(&mut stream, blocks));
    if trimmed > 0 {
        ctx.notify(Class::Stream, "xtrim", args.key);
        ctx.changed(trimmed as u64);
    }
    reply.int(trimmed as i64);
    Ok(())
}
