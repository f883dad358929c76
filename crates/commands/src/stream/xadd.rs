//! XADD: an entry at the end.

use stoa_command::{Args, Arity, Flags, ReplyError, Spec};
use stoa_engine::{Class, Ctx, Reply};
use stoa_value::{BlockLimits, Stream, StreamId};

use super::id::NewId;
use super::trim::{Options, Trimming};
use super::{WRITES, reply_id};
use crate::define::define;

define! {
"`XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT count]] * | id field value [field value ...]`",
XAdd, AddArgs, parse, execute, Spec {
    name: "xadd",
    summary: "Adds an entry at the end of a stream; makes it when it is missing.",
    complexity: "O(1), and O(N) for N entries that a trim drops.",
    syntax: "key [NOMKSTREAM] [trim: (strategy: MAXLEN | MINID) [operator: = | ~] threshold \
             [LIMIT count:integer]] (id-selector: * | id) (data: field value)...",
    arity: Arity(-5),
    flags: Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST),
    tips: &["nondeterministic_output"],
    ..WRITES
}}

/// The longest entry, bytes of fields and values.
const ENTRY_LEN_MAX: usize = 1 << 30;

/// The arguments of XADD.
pub struct AddArgs<'a> {
    key: &'a [u8],
    /// A missing stream stays missing.
    only_existing: bool,
    trim: Option<Trimming>,
    id: NewId,
    fields: &'a [&'a [u8]],
}

fn parse<'a>(args: &mut Args<'a>) -> Result<AddArgs<'a>, ReplyError> {
    let key = args.bytes()?;
    let (mut options, mut only_existing) = (Options::default(), false);
    let mut id = None;
    while args.left() > 0 {
        if args.word("NOMKSTREAM") {
            only_existing = true;
        } else if args.peek() == Some(b"*") || !options.read(args)? {
            id = Some(NewId::parse(args.bytes()?)?);
            break;
        }
    }
    let trim = options.settle()?;
    let fields = args.rest();
    let Some(id) = id.filter(|_| !fields.is_empty() && fields.len().is_multiple_of(2)) else {
        return Err(ReplyError::WrongArity("xadd"));
    };
    if id == NewId::Given(StreamId::MIN) {
        return Err(ReplyError::Text("ERR The ID specified in XADD must be greater than 0-0"));
    }
    Ok(AddArgs { key, only_existing, trim, id, fields })
}

fn execute(args: AddArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let (now_ms, blocks) = (ctx.now.0, ctx.node.config.stream_blocks);
    if args.fields.iter().map(|text| text.len()).sum::<usize>() > ENTRY_LEN_MAX {
        return Err(ReplyError::Text("ERR Elements are too large to be stored"));
    }
    let (mut id, mut trimmed) = (None, 0);
    if args.only_existing {
        if let Some(mut stream) = ctx.edit::<Stream>(args.key)? {
            id = Some(add(&args, &mut stream, now_ms, blocks)?);
            trimmed = args.trim.map_or(0, |trim| trim.apply(&mut stream, blocks));
        }
    } else {
        let mut stream = ctx.edit_or_new::<Stream>(args.key)?;
        id = Some(add(&args, &mut stream, now_ms, blocks)?);
        trimmed = args.trim.map_or(0, |trim| trim.apply(&mut stream, blocks));
    }
    match id {
        None => reply.null(),
        Some(id) => {
            ctx.notify(Class::Stream, "xadd", args.key);
            if trimmed > 0 {
                ctx.notify(Class::Stream, "xtrim", args.key);
            }
            ctx.changed(1);
            reply_id(id, reply);
        }
    }
    Ok(())
}

/// Adds the entry; gives its id.
fn add(
    args: &AddArgs<'_>,
    stream: &mut Stream,
    now_ms: u64,
    blocks: BlockLimits,
) -> Result<StreamId, ReplyError> {
    let last = stream.last_id();
    if last == StreamId::MAX {
        return Err(ReplyError::Text(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    let small = ReplyError::Text(
        "ERR The ID specified in XADD is equal or smaller than the target stream top item",
    );
    let id = args.id.settle(last, now_ms).ok_or(small)?;
    stream.push(id, args.fields, blocks);
    Ok(id)
}
