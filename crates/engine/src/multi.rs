//! What a client queues between MULTI and EXEC.

use stoa_stdx::{Key, ShardId, SlotId};

use crate::{Blocking, Ctx, Reply, Verdict, run_unrouted};

/// An open transaction of a client.
#[derive(Clone, Debug, Default)]
pub struct Multi {
    /// A command was refused while it was queued, so EXEC discards all.
    pub aborted: bool,
    /// The commands so far.
    pub queue: Queue,
    /// What they touch.
    pub reach: QueueReach,
}

/// What queued commands touch, as far as it was seen when they were queued.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueueReach {
    /// The shard that has the keys so far.
    pub owner: Option<ShardId>,
    /// Another has some of them, too.
    pub is_mixed: bool,
    /// Some command is about all keys, or may want any.
    pub all: bool,
    /// Some command runs only where its client is.
    pub home: bool,
}

impl QueueReach {
    /// One more key.
    pub fn add(&mut self, owner: ShardId) {
        self.is_mixed |= *self.owner.get_or_insert(owner) != owner;
    }
}

/// The key that a queued command was routed by.
#[derive(Clone, Copy, Debug)]
pub struct QueuedKey {
    /// Which argument it is.
    pub at: u8,
    /// Its slot.
    pub slot: SlotId,
    /// Its hash.
    pub hash: u64,
}

/// Commands one after the other, their arguments in one buffer: queueing allocates nothing but room,
/// and the whole moves to another shard as it is.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    bytes: Vec<u8>,
    /// Where each argument ends.
    ends: Vec<usize>,
    commands: Vec<Queued>,
}

#[derive(Clone, Copy, Debug)]
struct Queued {
    verdict: Verdict,
    args: usize,
    key: Option<QueuedKey>,
}

impl Queue {
    /// Adds a command that was admitted, with its key if that was looked for.
    pub fn push(&mut self, verdict: Verdict, argv: &[&[u8]], key: Option<QueuedKey>) {
        self.commands.push(Queued { verdict, args: self.ends.len(), key });
        for arg in argv {
            self.bytes.extend_from_slice(arg);
            self.ends.push(self.bytes.len());
        }
    }

    /// How many commands there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Bytes of all arguments, and of what is known of each and of each command.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
            + size_of::<usize>() * self.ends.len()
            + size_of::<Queued>() * self.commands.len()
    }

    /// What the commands are.
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.commands.iter().map(|queued| queued.verdict)
    }

    /// Command `at`, its arguments put into `argv`.
    ///
    /// # Panics
    /// When there is no such command.
    pub fn get<'a>(&'a self, at: usize, argv: &mut Vec<&'a [u8]>) -> Verdict {
        let Queued { verdict, args, .. } = self.commands[at];
        let end = self.commands.get(at + 1).map_or(self.ends.len(), |next| next.args);
        argv.clear();
        let mut start = args.checked_sub(1).map_or(0, |before| self.ends[before]);
        for &end in &self.ends[args..end] {
            argv.push(&self.bytes[start..end]);
            start = end;
        }
        verdict
    }
}

/// Runs what was queued from command `from` on, one command after the other, and writes their replies,
/// the head of the array before them excepted; `ran` gets each command's row in the table and how often it
/// counts as failed. An error of one keeps no other from running. Gives the number of the command that
/// pauses, before its reply; None: all have run.
pub fn exec(
    queue: &Queue,
    from: usize,
    ctx: &mut Ctx<'_>,
    reply: &mut dyn Reply,
    ran: &mut dyn FnMut(u16, u32),
) -> Option<usize> {
    let table = ctx.node.table;
    let mut argv = Vec::new();
    for at in from..queue.len() {
        let Verdict { index, args_at } = queue.get(at, &mut argv);
        let key = queue.commands[at].key.map(|QueuedKey { at, slot, hash }| Key {
            bytes: argv[usize::from(at)],
            slot,
            hash,
        });
        let mark = reply.mark();
        let mut ctx = Ctx { key, blocking: Blocking::Denied, ..ctx.again() };
        run_unrouted(table.at(index), &argv, args_at, &mut ctx, reply);
        if ctx.node.is_pausing() {
            if let Some(paused) = &mut ctx.node.scripts.paused {
                paused.set_command(&argv);
            }
            return Some(at);
        }
        ran(index, ctx.node.failures_since(reply, mark));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Queue;
    use crate::Verdict;

    #[test]
    fn commands_come_back_as_they_were_queued() {
        let mut queue = Queue::default();
        let requests: [&[&[u8]]; 3] = [&[b"SET", b"k", b""], &[b"GET", b"k"], &[b"PING"]];
        for (index, argv) in requests.iter().enumerate() {
            queue.push(Verdict { index: index as u16, args_at: 1 }, argv, None);
        }
        let mut argv = Vec::new();
        for (at, want) in requests.iter().enumerate() {
            assert_eq!(queue.get(at, &mut argv).index, at as u16);
            assert_eq!(argv, *want);
        }
        assert_eq!(queue.bytes(), 12 + 6 * 8 + 3 * size_of::<super::Queued>());
    }
}
