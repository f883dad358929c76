//! COMMAND: the command table, as clients and tools read it.
//!
//! Nothing here knows a command: every reply is printed from the specs, so what a client is told is
//! what routing, arity checks and access control go by.

pub mod count;
pub mod docs;
pub mod getkeys;
pub mod info;
pub mod list;

use stoa_command::{Args, Arity, Category, Flags, Group, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Reply};

/// What the subcommands have in common.
const COMMAND: Spec = Spec {
    group: Group::Server,
    categories: &[Category::Connection],
    flags: Flags::LOADING.with(Flags::STALE),
    ..Spec::DEFAULT
};

/// Nobody promises an order in which commands are listed.
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];

/// What subcommands that take names, or mean all without, have in common.
const OF_NAMES: Spec = Spec {
    complexity: "O(N) for N commands",
    syntax: "[command-name...]",
    arity: Arity(-2),
    tips: ANY_ORDER,
    ..COMMAND
};

/// The row of COMMAND HELP.
pub const HELP: Spec = Spec {
    name: "command|help",
    summary: "Prints this help.",
    since: "5.0.0",
    arity: Arity(2),
    ..COMMAND
};

/// `COMMAND`: as COMMAND INFO without names.
pub struct CommandAll;

impl Command for CommandAll {
    const SPEC: Spec = Spec {
        name: "command",
        summary: "Describes all commands.",
        since: "2.8.13",
        complexity: "O(N) for N commands",
        arity: Arity(-1),
        flags: COMMAND.flags.with(Flags::CONTAINER),
        tips: ANY_ORDER,
        ..COMMAND
    };

    type Args<'a> = ();

    fn parse(_: &mut Args<'_>) -> Result<(), ReplyError> {
        Ok(())
    }

    fn execute((): (), ctx: &mut Ctx<'_>, reply: &mut dyn Reply) -> Result<(), ReplyError> {
        info::all(ctx.node.table, reply);
        Ok(())
    }
}
