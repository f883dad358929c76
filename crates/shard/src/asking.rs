//! A command about the shards themselves in a transaction that has all keys: see `stoa_engine::Asking`.
//!
//! ```text
//!        home, with all keys on loan          another shard
//!   pauses; its keys, and the command ------------>|   puts them in their place, runs its part,
//!        |<------------- its part, and its keys ---|   takes them out again
//!   goes on when all have come
//! ```
//!
//! The keys go along because much of what such a command tells is about keys: how many there are, what
//! they hold, how many were found. They are in their place for the part alone, so whoever waits for them
//! goes on waiting. A round of mail for each such command; what nobody says in EXEC or a script costs nothing.

use stoa_engine::{Asking, Question, Sessions};
use stoa_keyspace::Keyspace;
use stoa_stdx::ShardId;

use crate::Shard;
use crate::account::Ran;
use crate::busy::{BusyScript, Whose};
use crate::execute::Argv;
use crate::gather::{Gather, How};
use crate::message::{AnswerOnLent, Args as ArgStore, Ask, Dest, GatherId, LentKeys, Request};

impl Shard {
    /// Whether what pauses waits for answers of other shards.
    pub(crate) const fn awaits_shards(&self) -> bool {
        matches!(self.node.asking, Some(Asking::Sent))
    }

    /// Puts the command that what pauses has come to, if there is one, to all other shards.
    pub(crate) fn ask_shards(&mut self, busy: &mut BusyScript) {
        let asking = self.node.asking.take();
        let Some(Asking::Wanted(question)) = asking else {
            self.node.asking = asking;
            return;
        };
        let Whose::LoanOfAll(lent) = &mut busy.whose else {
            unreachable!("only what has all keys gets so far")
        };
        let shards = self.node.shards;
        let Question { index, args_at, argv, db, proto, no_touch, is_local } = *question;
        let parts = (0..shards).map(|_| None).collect();
        let missing = usize::from(shards) - 1;
        let gather = Gather::waiting(index, lent.conn, 0, missing, How::Asked { parts });
        let gather = self.gathers.add(gather);
        let argv: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
        for owner in (0..shards).map(ShardId).filter(|owner| *owner != self.node.shard) {
            let keyspace = lent.borrowed.remove(owner).expect("all keys are on loan");
            let spare = &mut self.spare_batches;
            let batch = self.outbound[usize::from(owner.0)]
                .get_or_insert_with(|| spare.pop().unwrap_or_default());
            let argv = batch.args.push(&argv);
            let dest = Dest::Part { gather, number: owner.0 };
            let args_at = args_at as u8;
            let step = Request::step(argv, Ask::AnswerOn(LentKeys(keyspace)));
            batch.requests.push(Request {
                dest,
                index,
                args_at,
                db,
                proto,
                no_touch,
                is_local,
                ..step
            });
        }
        self.node.asking = Some(Asking::Sent);
    }

    /// Runs the part of this shard on its own keys, which are lent and came along for it.
    pub(crate) fn answer_on_lent(
        &mut self,
        request: &Request,
        args: &ArgStore,
        LentKeys(mut keyspace): LentKeys,
    ) -> AnswerOnLent {
        self.exchange_keys(&mut keyspace);
        self.set_proxy(request, args);
        let argv: Argv<'_> = args.get(request.argv).collect();
        let entry = self.node.table.at(request.index);
        let mut ctx = self.context(Sessions::PROXY, None);
        let part = ctx.answer_asked(entry, &argv, usize::from(request.args_at));
        let part = part.expect("it was parsed before it was sent");
        self.ran.push(Ran::Share(request.index));
        if !self.node.orders.is_empty() {
            self.carry_out_orders();
        }
        self.node.publish_notices(&mut self.keyspace);
        self.exchange_keys(&mut keyspace);
        AnswerOnLent { part, keyspace }
    }

    /// Who waits here holds what is here, whichever it is.
    fn exchange_keys(&mut self, keyspace: &mut Keyspace) {
        std::mem::swap(&mut self.keyspace, keyspace);
        std::mem::swap(&mut self.keyspace.held, &mut keyspace.held);
        self.node.configure(&mut self.keyspace);
    }

    /// Another shard has answered. What asked goes on with this pass if it was the last.
    pub(crate) fn shard_answered(&mut self, from: ShardId, id: GatherId, answer: AnswerOnLent) {
        let busy = self.busy_script.as_mut().expect("it waits for this answer");
        let Whose::LoanOfAll(lent) = &mut busy.whose else {
            unreachable!("only what has all keys asks")
        };
        lent.borrowed.add(from, answer.keyspace);
        let gather = self.gathers.get(id);
        let How::Asked { parts } = &mut gather.join else {
            unreachable!("an answer for a gather that did not ask")
        };
        parts[usize::from(from.0)] = Some(answer.part);
        gather.missing -= 1;
        if gather.missing == 0 {
            let How::Asked { parts } = self.gathers.remove(id).join else {
                unreachable!("as above")
            };
            self.node.asking = Some(Asking::Answered(parts));
        }
    }
}
