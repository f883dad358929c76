//! XACK: entries are done with.

use stoa_command::{Args, Flags, ReplyError, Spec};
use stoa_engine::{Ctx, Reply};
use stoa_value::{Stream, StreamId};

use super::{WRITES, id};
use crate::define::define;

define! { "`XACK key group id [id ...]`", XAck, AckArgs, parse, execute, Spec {
    name: "xack",
    summary: "Acknowledges entries that were delivered to a group.",
    complexity: "O(1) for each entry.",
    syntax: "key group id...",
    flags: Flags::WRITE.with(Flags::FAST),
    ..WRITES
}}

/// The arguments of XACK; a wrong id is of no interest without a group.
pub struct AckArgs<'a> {
    key: &'a [u8],
    group: &'a [u8],
    ids: Result<Vec<StreamId>, ReplyError>,
}

fn parse<'a>(args: &mut Args<'a>) -> Result<AckArgs<'a>, ReplyError> {
    let (key, group) = (args.bytes()?, args.bytes()?);
    let ids = args.rest().iter().map(|text| id::parse(text, 0)).collect();
    Ok(AckArgs { key, group, ids })
}

fn execute(args: AckArgs<'_>, ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
    let mut done = 0;
    if let Some(mut stream) = ctx.edit::<Stream>(args.key)?
        && let Some(group) = stream.groups_mut().get_mut(args.group)
    {
        done = args.ids?.into_iter().filter(|id| group.acknowledge(*id)).count();
    }
    ctx.changed(done as u64);
    reply.int(done as i64);
    Ok(())
}
