//! A command about the shards themselves (INFO, CLIENT LIST, CONFIG SET) in a transaction that has the
//! keys of all shards, but neither their clients nor their counters.
//!
//! Those cannot be lent: they are in use. So the command is put to every other shard, together with the
//! keys it has lent, and what called it, an EXEC or a script, pauses until all have answered. Then it
//! runs again and finds the answers. Each shard says what it says by itself; nobody sees anything of the
//! transaction meanwhile, since everything stays on loan.

use stoa_command::{Args, ResponsePolicy};
use stoa_stdx::{DbIndex, ShardId};

use crate::{Captured, Ctx, Entry, Part, Proto, Reply, run};

/// How far a command that needs the other shards has come.
pub enum Asking {
    /// Whoever routes is to put it to them.
    Wanted(Box<Question>),
    /// It is under way.
    Sent,
    /// All have answered: by shard, nothing for this one.
    Answered(Vec<Option<Part>>),
}

/// A command as other shards are to run it.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its row in the table.
    pub index: u16,
    /// Where its arguments begin.
    pub args_at: usize,
    /// Its words.
    pub argv: Vec<Vec<u8>>,
    /// The database that is selected.
    pub db: DbIndex,
    /// The protocol of its caller.
    pub proto: Proto,
    /// Whether it leaves no trace on keys.
    pub no_touch: bool,
    /// The client is on this host.
    pub is_local: bool,
}

impl Ctx<'_> {
    /// What this shard says to a command of all shards.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    pub fn answer_asked(
        &mut self,
        entry: &Entry,
        argv: &[&[u8]],
        at: usize,
    ) -> Result<Part, stoa_command::ReplyError> {
        if entry.spec.response == ResponsePolicy::Merge {
            return (entry.collect)(&mut Args::new(argv, at), self);
        }
        let mut part = Captured::default();
        run(entry, argv, at, self, &mut part);
        Ok(Box::new(part))
    }

    fn question(&mut self, entry: &Entry, argv: &[&[u8]], args_at: usize) -> Question {
        let index = self.node.table.find_full(entry.spec.name.as_bytes());
        let session = self.session();
        Question {
            index: index.expect("it is in the table"),
            args_at,
            argv: argv.iter().map(|word| word.to_vec()).collect(),
            db: session.db,
            proto: session.proto,
            no_touch: session.no_touch,
            is_local: session.is_local || session.is_unix,
        }
    }
}

/// Runs a command that needs all shards. Where they have not been asked yet it is noted that they are
/// to be, and nothing is answered. True when it succeeded.
pub(crate) fn run_on_shards(
    entry: &Entry,
    argv: &[&[u8]],
    at: usize,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
) -> bool {
    let answers = match ctx.node.asking.take() {
        Some(Asking::Answered(answers)) => answers,
        Some(Asking::Wanted(_) | Asking::Sent) => unreachable!("one command asks at a time"),
        None => {
            // Other shards could only say the same.
            if let Err(error) = (entry.check)(&mut Args::new(argv, at)) {
                reply.error(error);
                return false;
            }
            ctx.node.asking = Some(Asking::Wanted(Box::new(ctx.question(entry, argv, at))));
            return true;
        }
    };
    let home = ctx.node.shard;
    let mark = reply.mark();
    let mut parts = Vec::with_capacity(answers.len());
    for (shard, answer) in (0..).map(ShardId).zip(answers) {
        let part = match answer {
            Some(part) if shard != home => Ok(part),
            Some(_) | None => ctx.answer_asked(entry, argv, at),
        };
        parts.push(part.expect("it was parsed before anybody was asked"));
    }
    if entry.spec.response != ResponsePolicy::Merge {
        let captured = parts.into_iter().map(|part| *part.downcast().expect("an answer was kept"));
        let joined = Captured::join(entry.spec.response, captured.collect());
        joined.replay(reply);
        return !joined.is_error();
    }
    let merged = (entry.merge)(&mut Args::new(argv, at), parts, ctx, reply);
    if let Err(error) = merged {
        reply.rewind(mark);
        reply.error(error);
        return false;
    }
    true
}
