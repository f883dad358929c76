//! Scripts and functions: what clients run on the server.

mod eval;
mod fcall;
mod function;
mod script;

use stoa_command::{Args, Arity, Category, Flags, Group, ReplyError, Spec};
use stoa_engine::{Entry, entry};

use crate::container::{container, help};

/// The group's list.
pub const COMMANDS: &[Entry] = &[
    entry::<eval::Eval>(),
    entry::<eval::EvalRo>(),
    entry::<eval::EvalSha>(),
    entry::<eval::EvalShaRo>(),
    entry::<fcall::Fcall>(),
    entry::<fcall::FcallRo>(),
    container(FUNCTION),
    entry::<function::library::Delete>(),
    entry::<function::dump::Dump>(),
    entry::<function::library::Flush>(),
    help(FUNCTION_HELP),
    entry::<function::stats::Kill>(),
    entry::<function::list::List>(),
    entry::<function::library::Load>(),
    entry::<function::dump::Restore>(),
    entry::<function::stats::Stats>(),
    container(SCRIPT),
    entry::<script::Debug>(),
    entry::<script::Exists>(),
    entry::<script::Flush>(),
    help(SCRIPT_HELP),
    entry::<script::Kill>(),
    entry::<script::Load>(),
];

/// What the commands of this group have in common.
const SCRIPTING: Spec = Spec {
    group: Group::Scripting,
    categories: &[Category::Scripting],
    flags: Flags::NOSCRIPT,
    ..Spec::DEFAULT
};

const FUNCTION: Spec = Spec {
    name: "function",
    summary: "Holds the commands about functions.",
    since: "7.0.0",
    complexity: "That of the subcommand.",
    arity: Arity(-2),
    group: Group::Scripting,
    ..Spec::DEFAULT
};

const FUNCTION_HELP: Spec = Spec {
    name: "function|help",
    summary: "Prints this help.",
    since: "7.0.0",
    arity: Arity(2),
    flags: Flags::LOADING.with(Flags::STALE),
    ..SCRIPTING
};

const SCRIPT: Spec = Spec {
    name: "script",
    summary: "Holds the commands about scripts.",
    since: "2.6.0",
    ..FUNCTION
};

const SCRIPT_HELP: Spec = Spec { name: "script|help", since: "5.0.0", ..FUNCTION_HELP };

/// Tips of what changes all shards.
const ALL_SHARDS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];
/// Tips of what ends a script wherever it runs.
const ONE_OF_ALL: &[&str] = &["request_policy:all_shards", "response_policy:one_succeeded"];

/// A list of words of a request.
type Words<'a> = &'a [&'a [u8]];

/// The keys and the other arguments, behind their count. `not_a_number` is what an unreadable count
/// is called.
fn keys_and_args<'a>(
    args: &mut Args<'a>,
    not_a_number: ReplyError,
) -> Result<(Words<'a>, Words<'a>), ReplyError> {
    let count = args.int_in(i64::MIN..=i64::MAX, not_a_number)?;
    let rest = args.rest();
    if count > rest.len() as i64 {
        return Err(ReplyError::Text("ERR Number of keys can't be greater than number of args"));
    }
    let count = usize::try_from(count)
        .map_err(|_| ReplyError::Text("ERR Number of keys can't be negative"))?;
    Ok(rest.split_at(count))
}
