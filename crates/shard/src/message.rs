//! Mail between shards: one message carries all that a pass has for one owner, and travels back with
//! the answers, so that its buffers are used again.

use stoa_engine::{Block, Part, Proto, TrackEvent, Tracker, Walk};
use stoa_keyspace::{Keyspace, Owned};
use stoa_stdx::{ConnId, DbIndex, MonoMs, ShardId, UnixMs};

use crate::blocking::End;
use crate::guard::Guard;
use crate::intents::{RowId, Stamp};
use crate::multi::Job;
use crate::places::{STAGE_LEN, Spot};
use crate::publish::{Mail, Receipts};

/// One message.
#[derive(Debug)]
pub enum Message {
    /// Requests for the receiver's keys.
    Batch(Box<Batch>),
    /// The same batch with its answers.
    Done(Box<Batch>),
    /// A key changed that a client of the receiver waits for.
    Hint(WaiterId),
    /// A script of the sender has run for too long: nobody is served until it is over.
    Busy,
    /// About channels.
    Mail(Box<Mail>),
    /// What became of it.
    Receipts(Box<Receipts>),
}

/// A request of a batch whose way is followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Followed {
    /// Its place in the batch.
    pub(crate) number: u32,
    /// Its number at its home.
    pub(crate) id: u32,
}

/// Requests of one pass for one owner, and their answers.
#[derive(Debug, Default)]
pub struct Batch {
    /// The request in it whose way is followed, the first if there are several.
    pub(crate) followed: Option<Followed>,
    /// The sender's clock: what the receiver stamps from here on comes after it.
    pub(crate) clock: Stamp,
    pub(crate) requests: Vec<Request>,
    pub(crate) args: Args,
    /// Encoded replies, one after the other.
    pub(crate) replies: Vec<u8>,
    /// Where the reply of each request that ran ends. Apart from the requests, so that the owner only
    /// reads those: a cache line that it wrote would have to travel back.
    pub(crate) ends: Vec<usize>,
    /// The moment its request happens at, if that is settled.
    pub(crate) moment: Option<UnixMs>,
    /// The only request in it waited before.
    pub(crate) waited: Option<Waited>,
    /// What requests that were asked to collect contribute, by their number.
    pub(crate) parts: Vec<(u32, Part)>,
}

impl Batch {
    pub(crate) fn clear(&mut self) {
        self.followed = None;
        self.clock = Stamp::default();
        self.moment = None;
        self.waited = None;
        self.requests.clear();
        self.args.clear();
        self.replies.clear();
        self.ends.clear();
        self.parts.clear();
    }

    /// Bytes of its buffers for arguments and replies.
    pub(crate) const fn capacity(&self) -> usize {
        self.args.bytes.capacity() + self.replies.capacity()
    }
}

/// Arguments of many requests, and where their keys are: all of these next to each other, so that they
/// are fetched ahead without a look at the requests.
#[derive(Debug, Default)]
pub(crate) struct Args {
    bytes: Vec<u8>,
    /// Where the first begins and where each ends; empty without arguments.
    ends: Vec<u32>,
    spots: Vec<Spot>,
    /// For which clients that track requests are, by where their arguments begin. Here and not in the
    /// requests, which have no room for it.
    trackers: Vec<(u32, Tracker)>,
}

impl Args {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.spots.clear();
        self.trackers.clear();
    }

    /// Bytes of all arguments so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds arguments and gives where they are.
    pub(crate) fn push(&mut self, argv: &[&[u8]]) -> ArgRange {
        if self.ends.is_empty() {
            self.ends.push(0);
        }
        let first = self.ends.len() as u32 - 1;
        for arg in argv {
            self.bytes.extend_from_slice(arg);
            // A request has at most INPUT_LEN_MAX bytes, and is not added to a batch that is long.
            let end = u32::try_from(self.bytes.len()).expect("a batch was posted before 4 GiB");
            self.ends.push(end);
        }
        ArgRange { first, count: argv.len() as u32 }
    }

    pub(crate) fn get(&self, range: ArgRange) -> impl Iterator<Item = &[u8]> {
        let ends = &self.ends[range.first as usize..][..range.count as usize + 1];
        ends.windows(2).map(|ends| &self.bytes[ends[0] as usize..ends[1] as usize])
    }

    /// Says for whom the request with these arguments is.
    pub(crate) fn push_tracker(&mut self, range: ArgRange, tracker: Option<Tracker>) {
        if let Some(tracker) = tracker
            && range.count > 0
        {
            self.trackers.push((range.first, tracker));
        }
    }

    /// Whether any of the requests is for a client that tracks.
    pub(crate) const fn has_trackers(&self) -> bool {
        !self.trackers.is_empty()
    }

    /// For whom the request with these arguments is, if that client tracks.
    #[inline]
    pub(crate) fn tracker(&self, range: ArgRange) -> Option<Tracker> {
        if self.trackers.is_empty() || range.count == 0 {
            return None;
        }
        let at = self.trackers.binary_search_by_key(&range.first, |(first, _)| *first).ok()?;
        Some(self.trackers[at].1)
    }

    /// One of some arguments.
    pub(crate) fn nth(&self, range: ArgRange, at: u8) -> &[u8] {
        let at = range.first as usize + at as usize;
        &self.bytes[self.ends[at] as usize..self.ends[at + 1] as usize]
    }

    /// Adds a key of a request; gives its number.
    #[inline]
    pub(crate) fn push_spot(&mut self, spot: Spot) -> u32 {
        self.spots.push(spot);
        self.spot_count() - 1
    }

    /// Adds keys of a request.
    pub(crate) fn push_spots(&mut self, spots: impl Iterator<Item = Spot>) {
        self.spots.extend(spots);
    }

    /// How many spots there are.
    pub(crate) fn spot_count(&self) -> u32 {
        self.spots.len() as u32
    }

    /// Where the keys of a request are, as far as its sender said.
    pub(crate) fn spots(&self, keyed: Keyed) -> &[Spot] {
        match keyed {
            Keyed::No => &[],
            Keyed::Only { first, .. } | Keyed::By { first, .. } => {
                std::slice::from_ref(&self.spots[first as usize])
            }
            Keyed::At { first, count } => &self.spots[first as usize..(first + count) as usize],
        }
    }

    /// Where all the keys of a request are. Empty if its sender did not say.
    pub(crate) fn all_spots(&self, keyed: Keyed) -> &[Spot] {
        match keyed {
            Keyed::No | Keyed::By { .. } => &[],
            Keyed::Only { .. } | Keyed::At { .. } => self.spots(keyed),
        }
    }

    /// From this spot on, as many as are fetched together.
    pub(crate) fn stage(&self, first: u32) -> &[Spot] {
        let rest = &self.spots[first as usize..];
        &rest[..rest.len().min(STAGE_LEN)]
    }
}

/// Some neighbours in [`Args`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArgRange {
    first: u32,
    pub(crate) count: u32,
}

/// What the sender of a request knows of its keys.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Keyed {
    /// Nothing.
    #[default]
    No,
    /// Its only key is this argument; where it is, is in [`Args`].
    Only { at: u8, first: u32 },
    /// The same of the first of several.
    By { at: u8, first: u32 },
    /// All of them are in [`Args`].
    At { first: u32, count: u32 },
}

impl Keyed {
    /// The same keys of a request whose first spot is elsewhere.
    pub(crate) const fn moved(self, first: u32) -> Self {
        match self {
            Self::No => Self::No,
            Self::Only { at, .. } => Self::Only { at, first },
            Self::By { at, .. } => Self::By { at, first },
            Self::At { count, .. } => Self::At { first, count },
        }
    }

    /// The number of its first spot.
    pub(crate) const fn first(self) -> Option<u32> {
        match self {
            Self::No => None,
            Self::Only { first, .. } | Self::By { first, .. } | Self::At { first, .. } => {
                Some(first)
            }
        }
    }
}

/// One request at its owner.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) dest: Dest,
    /// Row in the command table.
    pub(crate) index: u16,
    pub(crate) args_at: u8,
    pub(crate) argv: ArgRange,
    pub(crate) db: DbIndex,
    pub(crate) proto: Proto,
    pub(crate) no_touch: bool,
    /// The client is on this host: some commands are for those only.
    pub(crate) is_local: bool,
    pub(crate) keyed: Keyed,
    pub(crate) ask: Ask,
}

impl Request {
    /// A step that is no command's, and that nobody waits for.
    pub(crate) fn step(argv: ArgRange, ask: Ask) -> Self {
        Self {
            dest: Dest::Nowhere,
            index: 0,
            args_at: 0,
            argv,
            db: DbIndex::default(),
            proto: Proto::default(),
            no_touch: false,
            is_local: false,
            keyed: Keyed::No,
            ask,
        }
    }
}

const _: () = assert!(size_of::<Request>() <= 64, "a request is a cache line of its mail");

/// What is asked of the owner.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Run it.
    Execute,
    /// Say what this shard contributes.
    Collect,
    /// Walk the slots of this shard. Boxed: it is rare, and every request has the size of the largest.
    Walk(Box<Walk>),
    /// Lend the entries of the keys that are its arguments, and say whether what this client watches
    /// changed (0: it watches nothing).
    Lend(u64),
    /// Lend all keys, likewise.
    LendAll(u64),
    /// Run what a client queued.
    Exec(Box<Job>),
    /// Note the keys for this client.
    Watch(u64),
    /// Forget what this client watches.
    Unwatch(u64),
    /// End the wait of this connection of the sender's.
    EndWait(ConnId, End),
    /// This client waits no more for keys of the receiver among others.
    EndTogether(WaiterId),
    /// Keep this script, which some shard runs for the first time.
    Script(Box<ScriptText>),
    /// A step of a transaction.
    Intent(Box<Intent>),
    /// The entries back, as the transaction left them.
    Return(Box<Loan>),
    /// All keys back.
    ReturnAll(Box<LoanOfAll>),
    /// Say what this shard contributes, on the keys it has lent, which come along and go back with that.
    AnswerOn(LentKeys),
}

/// The text of a script.
#[derive(Debug)]
pub(crate) struct ScriptText(pub(crate) Box<[u8]>);

/// A step of a transaction, as its home asks for it. The owner fills in what it answers.
#[derive(Debug)]
pub(crate) struct Intent {
    pub(crate) step: Step,
    /// What the owner does when its turn comes.
    pub(crate) then: Ask,
    /// The transaction's number at its home.
    pub(crate) number: u64,
    /// Asked: no less than this. Answered: the proposal, or what was decided.
    pub(crate) stamp: Stamp,
    /// The wall clock, likewise.
    pub(crate) unix: UnixMs,
    /// The owner's row.
    pub(crate) row: Option<RowId>,
    /// Asked: for which reasons the owner may refuse.
    pub(crate) guard: Guard,
    /// Answered: the owner refuses, for this reason, and has no row.
    pub(crate) refusal: Option<&'static str>,
}

/// Which step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Propose a stamp and hold the keys.
    Prepare,
    /// As the only shard besides home: propose, and commit at the later of both.
    Decide,
    /// Commit at this stamp.
    Commit,
    /// Forget the row: some shard has refused its share.
    Abort,
}

/// Where an answer belongs at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dest {
    /// It is a client's reply.
    Hole { conn: ConnId, ticket: u32 },
    /// It is one part of several.
    Part { gather: GatherId, number: u16 },
    /// Nowhere: there is none, or it comes on its own, later.
    Nowhere,
}

/// A row of the gather table with the number of its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GatherId {
    pub(crate) row: u32,
    pub(crate) generation: u32,
}

/// Keys on loan from one shard to another.
#[derive(Debug)]
pub(crate) struct Loan {
    /// The owner's row, which keeps others away meanwhile.
    pub(crate) row: RowId,
    pub(crate) keys: Vec<LentKey>,
    /// Something that the client watches here changed.
    pub(crate) broken: bool,
    /// Somebody caches keys of the owner: what is done to these is written down.
    pub(crate) tracks: bool,
    /// On its way back: what was done to keys that somebody may cache.
    pub(crate) tracked: Vec<TrackEvent>,
    /// On its way back: the client waits for these keys now.
    pub(crate) wait: Option<Box<RemoteWaiter>>,
}

/// A client whose keys are on several shards, at one of them.
#[derive(Debug)]
pub(crate) struct RemoteWaiter {
    pub(crate) id: WaiterId,
    pub(crate) conn: ConnId,
    pub(crate) db: DbIndex,
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) block: Block,
}

/// The wait of a client for keys of several shards, as its home calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaiterId {
    pub(crate) home: ShardId,
    pub(crate) number: u32,
}

/// What a request that waits keeps when it runs again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waited {
    /// Its place among those who wait.
    pub(crate) number: u64,
    pub(crate) until: Option<MonoMs>,
}

/// The keys of a shard on a visit home.
pub(crate) struct LentKeys(pub(crate) Box<Keyspace>);

impl std::fmt::Debug for LentKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LentKeys")
    }
}

/// What a shard contributes to a command in a transaction that has its keys.
pub(crate) struct AnswerOnLent {
    pub(crate) part: Part,
    pub(crate) keyspace: Box<Keyspace>,
}

/// All keys of a shard on loan.
pub(crate) struct LoanOfAll {
    pub(crate) row: RowId,
    pub(crate) keyspace: Box<Keyspace>,
    pub(crate) broken: bool,
    /// On its way back: what was done to keys that somebody may cache.
    pub(crate) tracked: Vec<TrackEvent>,
}

impl std::fmt::Debug for LoanOfAll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LoanOfAll({:?})", self.row)
    }
}

/// One key on loan, in every database where it exists.
#[derive(Debug)]
pub(crate) struct LentKey {
    pub(crate) bytes: Vec<u8>,
    pub(crate) entries: Vec<(DbIndex, Owned)>,
    /// On its way back: databases in which it was changed.
    pub(crate) changed: Vec<DbIndex>,
}
