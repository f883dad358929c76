//! The way of a message, and of a subscription, through the shards.
//!
//! ```text
//!   teller                 sequencer              a shard with listeners
//!     | Route(message) -------->|                        |
//!     |                         | Deliver(message) ----->|  written to its clients
//!     |<-- receipt: so many ----|                        |
//!     |<------------------------------------- receipt ---|
//!   the reply leaves
//! ```
//!
//! **One order.** All messages of channels pass through one shard, the sequencer (shard 0; for shard
//! channels the owner of their slot), and leave it in rings that keep the order. So all clients see all
//! messages in one order, over all channels and patterns. The sequencer hands a message to those shards
//! only that have a listener; if there is none anywhere, nothing leaves the teller.
//!
//! **Replies.** The reply of what published (PUBLISH, or a command whose key events are listened to)
//! leaves when every listener's connection has the message: who was told that a message is out, finds it
//! there. Meanwhile it is a hole among the client's replies, so a pipeline goes on, and their number is
//! bounded: this is what holds back a client that publishes faster than shards can deliver. A
//! message carries the request that led to it; who made that request hears it after the reply, as in
//! the reference since 7.2, so that it cannot fall into the reply of an EXEC.
//!
//! **Subscriptions** go to all shards, since each counts the listeners of all (see `stoa_pubsub`); the
//! confirmation leaves when all have answered, so whoever publishes after it counts the new listener.
//! They take effect where the sequencer places them (`Placed` comes back behind the messages before
//! it): a client never hears what was said before it subscribed, or after it unsubscribed. Only the
//! *count* that PUBLISH answers may miss or include a subscription that is under way at that moment on
//! another shard. What a client sends to other shards waits for its confirmations, since it may lead to
//! events there that the client is to hear.
//!
//! **Events of keys** go the same way from the shard that ran the command, in the order in which they
//! happened. While they may be heard, commands that are split over shards (MSET, DEL) run at home on
//! borrowed keys, so that their events keep the order of their keys.
//!
//! **Not promised.** Messages of others stand between replies: on which side of the replies to requests
//! in flight is open.
//!
//! What this costs when nobody listens: one branch a command.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use stoa_config::{EventClasses, Events};
use stoa_engine::{Kind, Part, Proto, Reply};
use stoa_keyspace::Notice;
use stoa_pubsub::{Cause, Change, Name, Outgoing, Publication};
use stoa_stdx::{ConnId, ShardId};

use crate::Shard;
use crate::conn::Stall;
use crate::event::Action;
use crate::execute::OUTPUT_LOOK_LEN;
use crate::message::{Ask, Batch, Dest, Keyed, Message, Request};
use crate::reply::RespReply;
use crate::tracking::TrackItem;

/// What a row waits for while the sequencer has not said how many shards deliver the message: more
/// than ever deliver, so that receipts which come before its word do not end the wait.
const ROUTING: i64 = 1 << 32;

/// Nobody waits for the receipt.
pub(crate) const NO_ROW: u64 = 0;

/// What one pass of a shard has for another about channels.
#[derive(Debug, Default)]
pub struct Mail {
    items: Vec<Item>,
}

/// One line of it.
#[derive(Debug)]
pub(crate) enum Item {
    /// The sender has this many listeners of that name from now on.
    Count { kind: Kind, name: Name, count: u32 },
    /// So many of the receiver's oldest changes have their place in the sender's order: here.
    Placed(usize),
    /// All counts up to here were taken, to be said in a receipt.
    Sync { row: u64 },
    /// To be put in order and handed on.
    Route { publication: Arc<Publication>, cause: Option<Cause>, row: u64 },
    /// About keys that clients cache.
    Track(TrackItem),
    /// To be written to the receiver's clients.
    Deliver { publication: Arc<Publication>, cause: Option<Cause>, teller: ShardId, row: u64 },
}

/// What changes in rows of the receiver.
#[derive(Debug, Default)]
pub struct Receipts {
    rows: Vec<(u64, i64)>,
}

/// What a shard has under way.
#[derive(Default)]
pub(crate) struct Publishing {
    mail: BTreeMap<ShardId, Mail>,
    receipts: BTreeMap<ShardId, Receipts>,
    rows: BTreeMap<u64, Row>,
    last_row: u64,
    /// Own changes that have no place yet, by the sequencer that is to give it.
    unplaced: BTreeMap<ShardId, VecDeque<Change>>,
}

/// Something that goes on when all is delivered.
struct Row {
    /// Receipts that have not come.
    missing: i64,
    then: Then,
}

/// What goes on.
enum Then {
    /// Not known yet: the command is still being looked after.
    Open,
    /// A reply leaves.
    Reply { conn: ConnId, ticket: u32, reply: Vec<u8>, stalls: bool, confirms: bool },
    /// A batch goes home.
    Done { to: ShardId, batch: Box<Batch> },
}

impl Publishing {
    /// There is something to post.
    pub(crate) fn has_mail(&self) -> bool {
        !self.mail.is_empty() || !self.receipts.is_empty()
    }

    pub(crate) fn post(&mut self, to: ShardId, item: Item) {
        self.mail.entry(to).or_default().items.push(item);
    }

    pub(crate) fn receipt(&mut self, to: ShardId, row: u64, change: i64) {
        if row != NO_ROW {
            self.receipts.entry(to).or_default().rows.push((row, change));
        }
    }

    fn open_row(&mut self) -> u64 {
        self.last_row += 1;
        self.rows.insert(self.last_row, Row { missing: 0, then: Then::Open });
        self.last_row
    }

    /// Whether there is anything to wait for; if not, the row is gone.
    fn waits(&mut self, row: u64) -> bool {
        let waits = self.rows.get(&row).is_some_and(|row| row.missing != 0);
        if !waits {
            self.rows.remove(&row);
        }
        waits
    }

    pub(crate) fn expect(&mut self, row: u64, receipts: i64) {
        if let Some(row) = self.rows.get_mut(&row) {
            row.missing += receipts;
        }
    }

    fn set_then(&mut self, row: u64, then: Then) {
        self.rows.get_mut(&row).expect("it waits for receipts").then = then;
    }
}

impl Shard {
    /// Whether commands left something to be sent.
    #[inline]
    pub(crate) const fn is_stirred(&self) -> bool {
        self.node.pubsub.is_stirred() | !self.keyspace.notices.is_empty()
    }

    /// Whether what happens to keys may be heard. A command on keys of several shards then runs here
    /// on all of them, so that its events come in the order of its keys.
    pub(crate) fn events_are_heard(&self) -> bool {
        let is_published = !self.node.pubsub.counts.is_empty()
            && self.node.config.keyspace_events != Events::default();
        is_published || self.node.observed.classes != EventClasses::NONE
    }

    /// What happens to keys is noted from now on, as far as it is of these classes, for whoever drives
    /// this shard. It takes what there is after each turn, or it is lost beyond a limit.
    pub fn observe(&mut self, classes: EventClasses) {
        self.node.observed.classes = classes;
        self.node.configure(&mut self.keyspace);
    }

    /// Takes what happened to keys since the last time, in order, and how much more happened after it.
    pub fn take_observed(&mut self) -> (Vec<Notice>, u64) {
        self.node.observed.take()
    }

    /// Ends a command of a client of this shard that left something to be sent: its reply, written from
    /// `start` on, leaves when that is delivered.
    pub(crate) fn publish_then_reply(&mut self, id: ConnId, start: usize) {
        let Some(conn) = self.conn(id) else { return };
        let reply = conn.sink().split_off(start);
        let ticket = conn.hole(false);
        self.publish_then_answer(id, ticket, reply, false);
    }

    /// Fills the hole of a request whose command ran here, once what it left is delivered.
    pub(crate) fn publish_then_answer(
        &mut self,
        id: ConnId,
        ticket: u32,
        reply: Vec<u8>,
        stalls: bool,
    ) {
        if self.is_stirred() {
            let row = self.publishing.open_row();
            self.name_cause(Cause { home: self.node.shard, conn: id, ticket });
            let changed = self.send_outbox(row);
            let waits = self.publishing.waits(row);
            let confirms = changed && waits;
            if let Some(conn) = self.conn(id) {
                if changed {
                    conn.messages_follow(ticket);
                }
                conn.unconfirmed += u32::from(confirms);
            }
            if waits {
                let then = Then::Reply { conn: id, ticket, reply, stalls, confirms };
                return self.publishing.set_then(row, then);
            }
        }
        self.answer_waiting(id, ticket, &reply, stalls);
    }

    /// A request of another shard, which stands in a batch with others, has run and left something to be
    /// sent: what it answers, written from `start` on, goes home apart once that is delivered. Gives back
    /// its part if there is nothing to wait for.
    pub(crate) fn publish_then_part(
        &mut self,
        home: ShardId,
        request: &mut Request,
        part: Option<Part>,
        replies: &mut Vec<u8>,
        start: usize,
    ) -> Option<Part> {
        let row = self.send_caused(home, request.dest);
        if !self.publishing.waits(row) {
            return part;
        }
        let mut batch = self.spare_kept();
        let argv = batch.args.push(&[]);
        let (ask, keyed) = (Ask::Execute, Keyed::No);
        batch.requests.push(Request { argv, ask, keyed, ..*request });
        batch.replies.extend_from_slice(&replies[start..]);
        batch.ends.push(batch.replies.len());
        batch.parts.extend(part.map(|part| (0, part)));
        request.dest = Dest::Nowhere;
        replies.truncate(start);
        self.publishing.set_then(row, Then::Done { to: home, batch });
        None
    }

    /// The same for one that is alone in its batch.
    pub(crate) fn publish_then_send(&mut self, home: ShardId, batch: Box<Batch>) {
        let row = self.send_caused(home, batch.requests[0].dest);
        if self.publishing.waits(row) {
            self.publishing.set_then(row, Then::Done { to: home, batch });
        } else {
            self.send_done(home, batch);
        }
    }

    /// Sends what a request left; gives the row that may have to wait.
    fn send_caused(&mut self, home: ShardId, dest: Dest) -> u64 {
        match dest {
            Dest::Hole { conn, ticket } => self.name_cause(Cause { home, conn, ticket }),
            Dest::Part { .. } | Dest::Nowhere => {}
        }
        let row = self.publishing.open_row();
        self.send_outbox(row);
        row
    }

    fn name_cause(&mut self, cause: Cause) {
        self.node.publish_notices(&mut self.keyspace);
        self.node.pubsub.name_cause(cause);
    }

    /// A client is gone, or as good as gone: it hears nothing more and does not count.
    pub(crate) fn end_subscriptions(&mut self, id: ConnId) {
        let session = self.sessions.get(id).filter(|session| session.is_subscriber());
        if let Some(session) = session {
            session.set_subscriptions([0; 3]);
            self.node.pubsub.forget(id);
        }
    }

    /// Posts what this pass has about channels and cached keys.
    pub(crate) fn post_mail(&mut self) {
        for (to, mail) in std::mem::take(&mut self.publishing.mail) {
            self.actions.push_back(Action::Request { to, message: Message::Mail(Box::new(mail)) });
        }
        for (to, receipts) in std::mem::take(&mut self.publishing.receipts) {
            let message = Message::Receipts(Box::new(receipts));
            self.actions.push_back(Action::Reply { to, message });
        }
    }

    /// Takes what another shard has about channels.
    pub(crate) fn take_mail(&mut self, from: ShardId, mail: Mail) {
        let (here, shards) = (self.node.shard, self.node.shards);
        let mut placed = 0;
        for item in mail.items {
            match item {
                Item::Count { kind, name, count } => {
                    self.node.pubsub.counts.set(kind, &name, from, count);
                    if kind.sequencer(&name, shards) == here {
                        placed += 1;
                        continue;
                    }
                }
                Item::Placed(count) => self.place(from, count),
                Item::Track(item) => self.take_tracked(from, item),
                Item::Sync { row } => self.publishing.receipt(from, row, -1),
                Item::Route { publication, cause, row } => {
                    // What stands behind a change must not overtake its place.
                    self.post_placed(from, &mut placed);
                    let delivered_by = self.hand_on(&publication, cause, from, row);
                    self.publishing.receipt(from, row, delivered_by - ROUTING);
                }
                Item::Deliver { publication, cause, teller, row } => {
                    self.deliver(&publication, cause);
                    if teller == here {
                        self.receipt_came(row, -1);
                    } else {
                        self.publishing.receipt(teller, row, -1);
                    }
                }
            }
        }
        self.post_placed(from, &mut placed);
    }

    fn post_placed(&mut self, to: ShardId, placed: &mut usize) {
        let count = std::mem::take(placed);
        if count > 0 {
            self.publishing.post(to, Item::Placed(count));
        }
    }

    /// Takes receipts of another shard.
    pub(crate) fn take_receipts(&mut self, receipts: &Receipts) {
        for (row, change) in &receipts.rows {
            self.receipt_came(*row, *change);
        }
    }

    fn receipt_came(&mut self, number: u64, change: i64) {
        let Some(row) = self.publishing.rows.get_mut(&number) else { return };
        row.missing += change;
        if row.missing != 0 {
            return;
        }
        let row = self.publishing.rows.remove(&number).expect("just found");
        match row.then {
            Then::Open => unreachable!("receipts come in later passes"),
            Then::Reply { conn, ticket, reply, stalls, confirms } => {
                if confirms {
                    self.confirmed(conn);
                }
                self.answer_waiting(conn, ticket, &reply, stalls);
            }
            Then::Done { to, batch } => self.send_done(to, batch),
        }
    }

    /// Every shard knows a change of a client's subscriptions.
    fn confirmed(&mut self, id: ConnId) {
        let Some(conn) = self.conn(id) else { return };
        conn.unconfirmed -= 1;
        if conn.unconfirmed == 0 && conn.stall == Some(Stall::Confirm) {
            self.unstall(id);
        }
    }

    /// Whether a request that goes to other shards has to wait: what it leads to there must be heard by
    /// its client, who has subscribed to it before.
    pub(crate) fn waits_for_confirmation(&mut self, id: ConnId) -> bool {
        let waits = self.conn(id).is_some_and(|conn| conn.unconfirmed > 0);
        if waits {
            self.stall(id, Stall::Confirm);
        }
        waits
    }

    /// Sends what commands left; `row` gets the number of receipts to wait for. True if subscriptions
    /// changed.
    pub(crate) fn send_outbox(&mut self, row: u64) -> bool {
        self.node.publish_notices(&mut self.keyspace);
        let mut changed = false;
        for outgoing in self.node.pubsub.take_outbox() {
            match outgoing {
                Outgoing::Change(change) => {
                    self.send_change(change);
                    changed = true;
                }
                Outgoing::Publication(publication, cause) => {
                    self.send_publication(publication, cause, row);
                }
                Outgoing::Prefix(prefix, listens) => {
                    for to in self.others() {
                        let prefix = Arc::clone(&prefix);
                        let item = TrackItem::Prefix { prefix, listens };
                        self.publishing.post(to, Item::Track(item));
                    }
                    changed = true;
                }
                Outgoing::Tracked(cause) => self.tell_tracked(cause, row),
            }
        }
        if changed && row != NO_ROW {
            self.others().for_each(|to| self.publishing.post(to, Item::Sync { row }));
            self.publishing.expect(row, i64::from(self.node.shards) - 1);
        }
        changed
    }

    fn others(&self) -> impl Iterator<Item = ShardId> + use<> {
        let here = self.node.shard;
        (0..self.node.shards).map(ShardId).filter(move |shard| *shard != here)
    }

    fn send_change(&mut self, change: Change) {
        let sequencer = change.kind.sequencer(&change.name, self.node.shards);
        for to in self.others() {
            let Change { kind, count, .. } = change;
            let name = Arc::clone(&change.name);
            self.publishing.post(to, Item::Count { kind, name, count });
        }
        if sequencer == self.node.shard {
            self.take_effect(&change);
        } else {
            self.publishing.unplaced.entry(sequencer).or_default().push_back(change);
        }
    }

    /// The oldest changes of this shard have their place.
    fn place(&mut self, sequencer: ShardId, count: usize) {
        for _ in 0..count {
            let waiting = self.publishing.unplaced.get_mut(&sequencer);
            let change = waiting.and_then(VecDeque::pop_front).expect("only changes are placed");
            self.take_effect(&change);
        }
    }

    fn take_effect(&mut self, change: &Change) {
        let Change { kind, conn, begins, .. } = *change;
        // A client that left meanwhile took all of its subscriptions along.
        if begins && self.conn(conn).is_some() {
            self.node.pubsub.subscribers.add(kind, &change.name, conn);
        } else {
            self.node.pubsub.subscribers.remove(kind, &change.name, conn);
        }
    }

    fn send_publication(&mut self, publication: Arc<Publication>, cause: Option<Cause>, row: u64) {
        let here = self.node.shard;
        let sequencer = publication.kind.sequencer(&publication.channel, self.node.shards);
        if sequencer == here {
            let delivered_by = self.hand_on(&publication, cause, here, row);
            self.publishing.expect(row, delivered_by);
        } else {
            self.publishing.post(sequencer, Item::Route { publication, cause, row });
            self.publishing.expect(row, ROUTING);
        }
    }

    /// Hands a message to the shards that have listeners; gives how many others than this.
    fn hand_on(
        &mut self,
        publication: &Arc<Publication>,
        cause: Option<Cause>,
        teller: ShardId,
        row: u64,
    ) -> i64 {
        let here = self.node.shard;
        let mut delivered_by = 0;
        for to in self.node.pubsub.counts.shards(publication.kind, &publication.channel) {
            if to == here {
                self.deliver(publication, cause);
            } else {
                let publication = Arc::clone(publication);
                self.publishing.post(to, Item::Deliver { publication, cause, teller, row });
                delivered_by += 1;
            }
        }
        delivered_by
    }

    /// Writes a message to the clients of this shard that listen.
    fn deliver(&mut self, publication: &Publication, cause: Option<Cause>) {
        let cause = cause.filter(|cause| cause.home == self.node.shard);
        let subscribers = &self.node.pubsub.subscribers;
        let to: Vec<ConnId> = subscribers.of(publication.kind, &publication.channel).collect();
        self.write_message(&mut Form::new(publication, None), &to, cause);
        if publication.kind != Kind::Channel {
            return;
        }
        let subscribers = &self.node.pubsub.subscribers;
        let matching: Vec<(Name, Vec<ConnId>)> = subscribers
            .matching(&publication.channel)
            .map(|(pattern, clients)| (Arc::clone(pattern), clients.collect()))
            .collect();
        for (pattern, to) in matching {
            self.write_message(&mut Form::new(publication, Some(&pattern)), &to, cause);
        }
    }

    fn write_message(&mut self, form: &mut Form<'_>, to: &[ConnId], cause: Option<Cause>) {
        for id in to.iter().copied() {
            let Some(session) = self.sessions.get(id) else { continue };
            let bytes = form.bytes(session.proto);
            let Some(conn) = self.conn(id).filter(|conn| !conn.closing) else { continue };
            match cause.filter(|cause| cause.conn == id) {
                Some(cause) => conn.message_after(cause.ticket, bytes),
                None => conn.message(bytes),
            }
            let long = conn.output_len() > OUTPUT_LOOK_LEN;
            self.touched(id);
            if long {
                self.check_output(id);
            }
        }
    }
}

/// A message as clients read it, encoded once for each protocol version that one of them speaks.
struct Form<'a> {
    publication: &'a Publication,
    /// The pattern it came by.
    pattern: Option<&'a [u8]>,
    encoded: [Vec<u8>; 2],
}

impl<'a> Form<'a> {
    const fn new(publication: &'a Publication, pattern: Option<&'a [u8]>) -> Self {
        Self { publication, pattern, encoded: [Vec::new(), Vec::new()] }
    }

    fn bytes(&mut self, proto: Proto) -> &[u8] {
        let out = &mut self.encoded[usize::from(proto == Proto::Resp3)];
        if out.is_empty() {
            let mut reply = RespReply::new(out, proto);
            match (self.pattern, self.publication.kind) {
                (Some(pattern), _) => {
                    reply.push(4);
                    reply.bulk(b"pmessage");
                    reply.bulk(pattern);
                }
                (None, Kind::Shard) => {
                    reply.push(3);
                    reply.bulk(b"smessage");
                }
                (None, Kind::Channel | Kind::Pattern) => {
                    reply.push(3);
                    reply.bulk(b"message");
                }
            }
            reply.bulk(&self.publication.channel);
            reply.bulk(&self.publication.payload);
        }
        out
    }
}
