//! KEYS: all keys that match a pattern.
//!
//! One walk in one go: O(keys of the shard). That is what the command is; SCAN is the one that works
//! in portions.

use stoa_command::{
    Args, Arity, Category, Flags, Group, ReplyError, RequestPolicy, ResponsePolicy, Spec,
};
use stoa_engine::{Command, Ctx, Reply};
use stoa_stdx::glob_match;

/// `KEYS pattern`
pub struct Keys;

impl Command for Keys {
    const SPEC: Spec = Spec {
        name: "keys",
        summary: "Returns all keys that match a pattern.",
        group: Group::Generic,
        complexity: "O(N) in the number of keys of the database.",
        syntax: "pattern",
        arity: Arity(2),
        flags: Flags::READONLY,
        categories: &[Category::Keyspace, Category::Dangerous],
        request: RequestPolicy::AllShards,
        response: ResponsePolicy::Concat,
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        ..Spec::DEFAULT
    };

    type Args<'a> = Pattern<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<Pattern<'a>, ReplyError> {
        Ok(Pattern::new(args.bytes()?))
    }

    fn execute(
        pattern: Pattern<'_>,
        ctx: &mut Ctx<'_>,
        reply: &mut dyn Reply,
    ) -> Result<(), ReplyError> {
        // The length comes first, and only the walk knows it.
        let mut found = Vec::new();
        ctx.db().for_each(&mut |entry| {
            if pattern.fits(entry.key()) {
                found.push(entry.key().to_vec());
            }
        });
        reply.array(found.len());
        found.iter().for_each(|key| reply.bulk(key));
        Ok(())
    }
}

/// Which keys are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern<'a>(Option<&'a [u8]>);

impl<'a> Pattern<'a> {
    /// All keys.
    pub(crate) const ALL: Self = Self(None);

    /// Reads a glob. A single star is told apart: it takes the empty key too, which no pattern of
    /// stars does.
    pub(crate) fn new(glob: &'a [u8]) -> Self {
        Self((glob != b"*").then_some(glob))
    }

    pub(crate) fn fits(self, key: &[u8]) -> bool {
        self.0.is_none_or(|glob| glob_match(glob, key, false))
    }
}
