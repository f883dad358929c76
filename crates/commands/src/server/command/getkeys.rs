//! COMMAND GETKEYS and GETKEYSANDFLAGS: which arguments of a request are keys.

use stoa_command::{Args, Arity, Flags, KeyPositions, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply, Table};

use super::{COMMAND, info};

const NO_SUCH_COMMAND: ReplyError = ReplyError::Text("ERR Invalid command specified");
const WRONG_COUNT: ReplyError =
    ReplyError::Text("ERR Invalid number of arguments specified for command");

/// `COMMAND GETKEYS command [arg ...]`
pub struct GetKeys;

impl Command for GetKeys {
    const SPEC: Spec = Spec {
        name: "command|getkeys",
        summary: "Finds the keys of a request.",
        since: "2.8.13",
        complexity: "O(N) for N arguments",
        syntax: "command [arg...]",
        arity: Arity(-3),
        ..COMMAND
    };

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(
        request: Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let keys = keys_of(ctx.node.table, request)?;
        reply.array(keys.as_slice().len());
        keys.as_slice().iter().for_each(|(at, _)| reply.bulk(request[*at]));
        Ok(())
    }
}

/// `COMMAND GETKEYSANDFLAGS command [arg ...]`
pub struct GetKeysAndFlags;

impl Command for GetKeysAndFlags {
    const SPEC: Spec = Spec {
        name: "command|getkeysandflags",
        summary: "Finds the keys of a request, and what would be done with each.",
        since: "7.0.0",
        ..GetKeys::SPEC
    };

    type Args<'a> = &'a [&'a [u8]];

    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Args<'a>, ReplyError> {
        Ok(args.rest())
    }

    fn execute(
        request: Self::Args<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let keys = keys_of(ctx.node.table, request)?;
        reply.array(keys.as_slice().len());
        for (at, flags) in keys.as_slice() {
            reply.array(2);
            reply.bulk(request[*at]);
            info::flags(*flags, reply);
        }
        Ok(())
    }
}

fn keys_of(table: &Table, request: &[&[u8]]) -> Result<KeyPositions, ReplyError> {
    let mut index = table.find(request[0]).ok_or(NO_SUCH_COMMAND)?;
    let mut args_at = 1;
    if table.is_container(index) && request.len() > 1 {
        index = table.find_child(index, request[1]).ok_or(NO_SUCH_COMMAND)?;
        args_at = 2;
    }
    let spec = &table.at(index).spec;
    if spec.keys.is_empty() {
        return Err(ReplyError::NotEnoughKeys);
    }
    if !spec.arity.admits(request.len()) {
        return Err(WRONG_COUNT);
    }
    let mut keys = KeyPositions::default();
    spec.key_positions(&Args::new(request, args_at), &mut keys)?;
    if keys.as_slice().is_empty() && !spec.flags.has(Flags::NO_MANDATORY_KEYS) {
        return Err(ReplyError::InvalidKeyCount);
    }
    Ok(keys)
}
