//! COMMAND LIST: the names of commands, subcommands among them.

use stoa_command::{Args, Arity, ReplyError, Spec};
use stoa_engine::{Command, Ctx, Entry, Reply};
use stoa_stdx::glob_match;

use super::{ANY_ORDER, COMMAND};

/// `COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]`
pub struct List;

/// Which names are listed.
#[derive(Clone, Copy)]
pub enum Filter<'a> {
    /// All.
    None,
    /// Those of a module: there are no modules.
    Module,
    /// Those in an access category.
    Category(&'a [u8]),
    /// Those that match.
    Pattern(&'a [u8]),
}

impl Filter<'_> {
    fn takes(self, entry: &Entry) -> bool {
        match self {
            Self::None => true,
            Self::Module => false,
            Self::Category(wanted) => entry
                .spec
                .categories()
                .any(|category| category.name().as_bytes().eq_ignore_ascii_case(wanted)),
            Self::Pattern(pattern) => glob_match(pattern, entry.spec.name.as_bytes(), true),
        }
    }
}

impl Command for List {
    const SPEC: Spec = Spec {
        name: "command|list",
        summary: "Lists the names of commands.",
        since: "7.0.0",
        complexity: "O(N) for N commands",
        syntax: "[filterby: FILTERBY (MODULE module-name | ACLCAT category | PATTERN pattern)]",
        arity: Arity(-2),
        tips: ANY_ORDER,
        ..COMMAND
    };

    type Args<'a> = Filter<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Filter<'a>, ReplyError> {
        if args.left() == 0 {
            return Ok(Filter::None);
        }
        if !args.word("FILTERBY") {
            return Err(ReplyError::Syntax);
        }
        let filter = if args.word("MODULE") {
            args.bytes()?;
            Filter::Module
        } else if args.word("ACLCAT") {
            Filter::Category(args.bytes()?)
        } else if args.word("PATTERN") {
            Filter::Pattern(args.bytes()?)
        } else {
            return Err(ReplyError::Syntax);
        };
        args.end()?;
        Ok(filter)
    }

    fn execute(
        filter: Filter<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        let taken = || ctx.node.table.entries().iter().filter(|entry| filter.takes(entry));
        reply.array(taken().count());
        taken().for_each(|entry| reply.bulk(entry.spec.name.as_bytes()));
        Ok(())
    }
}
