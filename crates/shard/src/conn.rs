//! One connection's bytes: what came in and is not run yet, what goes out, and in which order.
//!
//! Replies leave in the order of requests. While a request's answer is still with another shard it
//! is a hole in a queue, and what is answered after it waits behind it. Without holes the queue is
//! empty and replies are written straight into the output.

use std::collections::VecDeque;

use stoa_resp::Parser;
use stoa_stdx::{ConnId, MonoMs, MonoNs, ShardId, UnixMs};

use crate::blocking::Waits;
use crate::intents::RowId;

/// Bytes of replies that left may stay in the queue's buffer up to this, before it is cleaned: a client
/// that always awaits some answer never empties its queue.
const HELD_SPENT_MAX: usize = 64 * 1024;

/// Why a connection's next request may not run yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stall {
    /// An answer of several shards is being put together, or keys are being borrowed.
    Answer,
    /// A transaction stands before it on a key it wants.
    Intent,
    /// CLIENT PAUSE.
    Paused,
    /// A subscription is not known everywhere yet.
    Confirm,
    /// Transactions before its next request have no stamp yet.
    Undecided,
    /// It waits for a key (BLPOP and its like).
    Blocked,
    /// Very many answers are with other shards.
    Holes,
}

/// One connection.
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    pub(crate) parser: Parser,
    /// Bytes that are not run yet: an unfinished request, or all of it while stalled.
    pub(crate) input: Vec<u8>,
    /// Replies that may leave.
    pub(crate) out: Vec<u8>,
    pub(crate) owed: Owed,
    pub(crate) stall: Option<Stall>,
    /// The reply, if it has not left, that messages must not overtake: it confirms a subscription.
    confirms: Option<u32>,
    /// Changes of its subscriptions that not every shard knows yet.
    pub(crate) unconfirmed: u32,
    /// Messages that follow replies.
    afters: Option<Box<Afters>>,
    /// Its place among the transactions on the keys that its next request wants.
    pub(crate) row: Option<RowId>,
    /// Split commands of it whose shards have not agreed on a stamp.
    pub(crate) undecided: u32,
    /// The one shard that decides on all of these, if it is one.
    pub(crate) decider: Option<ShardId>,
    /// Where its wait for a key is.
    pub(crate) waits: Option<Waits>,
    /// The reply of that wait, while there is one.
    awaited: u32,
    /// The turn of that row has come.
    pub(crate) has_turn: bool,
    /// The wall clock as of which the request runs that waits for its turn.
    pub(crate) moment: UnixMs,
    /// Its wait is over, but the input held meanwhile has not run.
    pub(crate) resumes: bool,
    /// Bytes the driver took and the kernel did not, yet.
    pub(crate) in_flight: usize,
    /// Where in this pass's sources its bytes are.
    pub(crate) source: Option<u32>,
    pub(crate) send_asked: bool,
    /// Since when replies have waited for a hole behind them; the end of time if none do.
    pub(crate) held_since: MonoNs,
    /// It is in the list of connections with new output.
    pub(crate) dirty: bool,
    /// The peer sends no more; closed once all is answered.
    pub(crate) ended: bool,
    /// Nothing more is read or run; closed once output is gone.
    pub(crate) closing: bool,
    /// The driver was told to close it.
    pub(crate) leaving: bool,
    pub(crate) read_paused: bool,
    /// Since when its output has been above the soft limit; the end of time if it is not.
    pub(crate) soft_since: MonoMs,
}

// A class of the allocator; see the bytes of an idle connection in docs/perf.
const _: () = assert!(size_of::<Conn>() <= 256, "what few connections have belongs in a box");

impl Conn {
    pub(crate) fn new(id: ConnId) -> Self {
        Self {
            id,
            parser: Parser::new(),
            input: Vec::new(),
            out: Vec::new(),
            owed: Owed::default(),
            stall: None,
            confirms: None,
            unconfirmed: 0,
            afters: None,
            row: None,
            waits: None,
            awaited: 0,
            undecided: 0,
            decider: None,
            has_turn: false,
            moment: UnixMs(0),
            resumes: false,
            in_flight: 0,
            source: None,
            send_asked: false,
            held_since: MonoNs(u64::MAX),
            dirty: false,
            ended: false,
            closing: false,
            leaving: false,
            read_paused: false,
            soft_since: MonoMs(u64::MAX),
        }
    }

    /// Bytes owed to the peer, wherever they are.
    pub(crate) fn output_len(&self) -> usize {
        self.out.len() + self.in_flight + self.owed.held.len() - self.owed.spent
    }

    /// Where the next local reply is written.
    #[inline]
    pub(crate) fn sink(&mut self) -> &mut Vec<u8> {
        if self.owed.queue.is_empty() { &mut self.out } else { &mut self.owed.held }
    }

    /// Says that local replies were written to the sink from `start` on.
    #[inline]
    pub(crate) fn written(&mut self, start: usize) {
        self.written_to(start, self.owed.held.len());
    }

    /// The same up to `end`, from where on another one is that leaves apart.
    #[inline]
    pub(crate) fn written_to(&mut self, start: usize, end: usize) {
        match self.owed.queue.back_mut() {
            None => {}
            // Neighbours leave together.
            Some(last) if last.state == State::Ready && last.end == start => last.end = end,
            Some(_) => self.owed.queue.push_back(Owing { state: State::Ready, start, end }),
        }
    }

    /// Nothing stands before its next request.
    pub(crate) const fn is_free(&self) -> bool {
        let stays = !self.closing && self.stall.is_none();
        stays && !self.has_turn && self.undecided == 0 && self.unconfirmed == 0
    }

    /// A hole for an answer that will come; gives its ticket.
    pub(crate) fn hole(&mut self, muted: bool) -> u32 {
        let ticket = self.owed.base.wrapping_add(self.owed.queue.len() as u32);
        let state = if muted { State::Muted } else { State::Hole };
        self.owed.queue.push_back(Owing { state, start: 0, end: 0 });
        ticket
    }

    /// It waits for a key: that hole may stay for long.
    pub(crate) const fn begins_to_wait(&mut self, ticket: u32, waits: Waits) {
        self.waits = Some(waits);
        self.awaited = ticket;
    }

    /// Whether it waits for a key, and that hole is what it waits for.
    pub(crate) const fn awaits(&self, ticket: u32) -> bool {
        self.waits.is_some() && self.awaited == ticket
    }

    /// Where a reply stands among those that are owed.
    fn place(&self, ticket: u32) -> Option<usize> {
        let at = ticket.wrapping_sub(self.owed.base) as usize;
        (at < self.owed.len()).then_some(at)
    }

    /// The same of one that has not come.
    fn hole_at(&self, ticket: u32) -> Option<usize> {
        self.place(ticket).filter(|at| self.owed.queue[*at].state != State::Ready)
    }

    /// Fills a hole, and lets go all that waited behind it.
    pub(crate) fn fill(&mut self, ticket: u32, reply: &[u8]) {
        let at = ticket.wrapping_sub(self.owed.base) as usize;
        let owing = &mut self.owed.queue[at];
        assert_ne!(owing.state, State::Ready, "ticket {ticket} was answered twice");
        let reply = if owing.state == State::Muted { &[] } else { reply };
        if at > 0 {
            owing.state = State::Ready;
            owing.start = self.owed.held.len();
            self.owed.held.extend_from_slice(reply);
            take_after(self.afters.as_deref_mut(), ticket, &mut self.owed.held);
            owing.end = self.owed.held.len();
            return;
        }
        self.out.extend_from_slice(reply);
        take_after(self.afters.as_deref_mut(), ticket, &mut self.out);
        self.owed.leave_first();
        while let Some(front) = self.owed.queue.front() {
            if front.state != State::Ready {
                return self.owed.clean();
            }
            self.out.extend_from_slice(&self.owed.held[front.start..front.end]);
            self.owed.spent += front.end - front.start;
            self.owed.leave_first();
        }
        self.owed.held.clear();
        self.owed.spent = 0;
    }

    /// Adds a message of a channel. It overtakes replies that are still awaited, which may take long,
    /// but not what confirms the subscription it comes by.
    pub(crate) fn message(&mut self, bytes: &[u8]) {
        match self.confirms.and_then(|ticket| self.place(ticket)) {
            Some(at) => self.add_after(at, bytes),
            None => {
                self.confirms = None;
                self.out.extend_from_slice(bytes);
            }
        }
    }

    /// Adds a message that the client's own request led to: it follows that request's reply.
    pub(crate) fn message_after(&mut self, ticket: u32, bytes: &[u8]) {
        match self.hole_at(ticket) {
            Some(at) => self.add_after(at, bytes),
            None => self.message(bytes),
        }
    }

    /// Adds news about keys that the client may have read: behind all replies it is owed, one of which may
    /// hold the old value. Not behind that of a command that waits for a key, which may take for ever.
    pub(crate) fn news(&mut self, bytes: &[u8]) {
        match self.waits.and_then(|_| self.place(self.awaited)) {
            Some(0) => self.out.extend_from_slice(bytes),
            Some(at) => self.add_after(at - 1, bytes),
            None => self.news_behind(bytes),
        }
    }

    /// As [`Conn::news`], behind everything.
    pub(crate) fn news_behind(&mut self, bytes: &[u8]) {
        let start = self.sink().len();
        self.sink().extend_from_slice(bytes);
        self.written(start);
    }

    /// Adds news that the client's own request led to: it follows that request's reply.
    pub(crate) fn news_after(&mut self, ticket: u32, bytes: &[u8]) {
        match self.hole_at(ticket) {
            Some(at) => self.add_after(at, bytes),
            None => self.news(bytes),
        }
    }

    /// Adds bytes behind the reply that is number `at` of those owed.
    fn add_after(&mut self, at: usize, bytes: &[u8]) {
        let Owed { base, queue, held, spent } = &mut self.owed;
        let owing = &mut queue[at];
        if owing.state == State::Ready {
            // Together, behind all that is held. What it leaves behind is cleaned as if it had left. Where it is
            // the last already, as when one message follows the other, nothing is moved.
            if owing.end != held.len() {
                let start = held.len();
                held.extend_from_within(owing.start..owing.end);
                *spent += owing.end - owing.start;
                owing.start = start;
            }
            held.extend_from_slice(bytes);
            owing.end = held.len();
            return;
        }
        let ticket = base.wrapping_add(at as u32);
        let Afters(afters) = &mut **self.afters.get_or_insert_default();
        match afters.iter_mut().find(|(of, _)| *of == ticket) {
            Some((_, after)) => after.extend_from_slice(bytes),
            None => afters.push((ticket, bytes.to_vec())),
        }
        // What is told after this one is to be heard after it.
        self.messages_follow(ticket);
    }

    /// Messages from now on come after the reply of `ticket`, and of whatever they came after so far.
    pub(crate) fn messages_follow(&mut self, ticket: u32) {
        let place = |ticket: u32| ticket.wrapping_sub(self.owed.base) as usize;
        let is_behind = |known: u32| place(known) < self.owed.len() && place(known) > place(ticket);
        if !self.confirms.is_some_and(is_behind) {
            self.confirms = Some(ticket);
        }
    }

    /// Nothing is owed, running or waiting to run.
    pub(crate) fn is_settled(&self) -> bool {
        self.owed.queue.is_empty() && self.stall.is_none() && !self.resumes
    }
}

/// Replies in the order of their requests, from the first hole on.
#[derive(Default)]
pub(crate) struct Owed {
    /// The ticket of the first.
    base: u32,
    queue: VecDeque<Owing>,
    /// Bytes of those that are ready.
    held: Vec<u8>,
    /// How many of them left already.
    spent: usize,
}

impl Owed {
    /// Replies from the first hole on.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Some answer is still with another shard.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    fn leave_first(&mut self) {
        self.queue.pop_front();
        self.base = self.base.wrapping_add(1);
    }

    /// Drops bytes that left once they are the larger part. Each byte and each row pays for its share:
    /// both are looked at once for as many bytes dropped.
    fn clean(&mut self) {
        let kept_len = self.held.len() - self.spent;
        if self.spent <= HELD_SPENT_MAX.max(kept_len).max(self.queue.len()) {
            return;
        }
        let mut kept = Vec::with_capacity(kept_len);
        for owing in self.queue.iter_mut().filter(|owing| owing.state == State::Ready) {
            let start = kept.len();
            kept.extend_from_slice(&self.held[owing.start..owing.end]);
            (owing.start, owing.end) = (start, kept.len());
        }
        self.held = kept;
        self.spent = 0;
    }
}

/// Messages and the tickets of the replies that they follow.
#[derive(Default)]
struct Afters(Vec<(u32, Vec<u8>)>);

/// Adds the messages that follow the reply of a ticket.
fn take_after(afters: Option<&mut Afters>, ticket: u32, into: &mut Vec<u8>) {
    let Some(Afters(afters)) = afters else { return };
    if let Some(at) = afters.iter().position(|(of, _)| *of == ticket) {
        into.extend_from_slice(&afters.swap_remove(at).1);
    }
}

struct Owing {
    state: State,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Hole,
    /// A hole whose answer the client does not want (CLIENT REPLY).
    Muted,
}

#[cfg(test)]
mod tests {
    use super::Conn;
    use stoa_stdx::{ConnId, Rng};

    #[test]
    fn replies_leave_in_the_order_of_requests_however_answers_arrive() {
        for seed in 0..500 {
            let mut rng = Rng::new(seed);
            let mut conn = Conn::new(ConnId::default());
            let mut open: Vec<(u32, String)> = Vec::new();
            let mut want = String::new();
            for step in 0..60 {
                let text = format!("<{step}>");
                match rng.below(3) {
                    0 => {
                        let start = conn.sink().len();
                        conn.sink().extend_from_slice(text.as_bytes());
                        conn.written(start);
                        want.push_str(&text);
                    }
                    1 => {
                        let muted = rng.one_in(4);
                        open.push((conn.hole(muted), text.clone()));
                        if !muted {
                            want.push_str(&text);
                        }
                    }
                    _ if !open.is_empty() => {
                        let (ticket, text) =
                            open.swap_remove(rng.below(open.len() as u64) as usize);
                        conn.fill(ticket, text.as_bytes());
                    }
                    _ => {}
                }
                assert!(want.as_bytes().starts_with(&conn.out), "seed {seed}, step {step}");
            }
            for (ticket, text) in open {
                conn.fill(ticket, text.as_bytes());
            }
            assert_eq!(String::from_utf8_lossy(&conn.out), want, "seed {seed}");
            assert!(conn.is_settled());
        }
    }

    #[test]
    fn messages_overtake_replies_that_are_awaited_but_not_what_confirms_them() {
        let mut conn = Conn::new(ConnId::default());
        let [asked, told] = [conn.hole(false), conn.hole(false)];
        conn.message(b"(first)");
        conn.message_after(told, b"(own)");
        conn.messages_follow(told);
        conn.message(b"(second)");
        conn.fill(told, b"<told>");
        conn.message(b"(third)");
        assert_eq!(conn.out, b"(first)");
        conn.fill(asked, b"<asked>");
        conn.message(b"(fourth)");
        let want = "(first)<asked><told>(own)(second)(third)(fourth)";
        assert_eq!(String::from_utf8_lossy(&conn.out), want);
        assert!(conn.is_settled());
        // An unwanted reply leaves its messages behind.
        let muted = conn.hole(true);
        conn.message_after(muted, b"(own)");
        conn.fill(muted, b"<unwanted>");
        conn.message_after(muted, b"(late)");
        assert_eq!(String::from_utf8_lossy(&conn.out), format!("{want}(own)(late)"));
    }

    #[test]
    fn messages_told_before_a_clients_own_are_heard_before_its_own() {
        let mut conn = Conn::new(ConnId::default());
        let awaited = conn.hole(false);
        conn.message(b"(before)");
        conn.message_after(awaited, b"(own)");
        conn.message(b"(behind)");
        conn.fill(awaited, b"<reply>");
        assert_eq!(String::from_utf8_lossy(&conn.out), "(before)<reply>(own)(behind)");
        assert!(conn.is_settled());
    }

    #[test]
    fn a_flood_of_messages_behind_a_reply_that_waits_is_not_moved_again_and_again() {
        let mut conn = Conn::new(ConnId::default());
        let [asked, told] = [conn.hole(false), conn.hole(false)];
        conn.messages_follow(told);
        conn.fill(told, b"<told>");
        let mut want = String::from("<asked><told>");
        for number in 0..10_000 {
            let message = format!("({number})");
            conn.message(message.as_bytes());
            want += &message;
        }
        assert!(conn.owed.held.len() <= want.len(), "{} held", conn.owed.held.len());
        conn.fill(asked, b"<asked>");
        assert_eq!(String::from_utf8_lossy(&conn.out), want);
    }

    #[test]
    fn news_comes_behind_every_reply_that_may_be_old() {
        let mut conn = Conn::new(ConnId::default());
        conn.news(b"(free)");
        let [asked, own] = [conn.hole(false), conn.hole(false)];
        conn.news_after(own, b"(own)");
        conn.news(b"(behind)");
        let start = conn.sink().len();
        conn.sink().extend_from_slice(b"<here>");
        conn.written(start);
        conn.fill(own, b"<own>");
        conn.news_after(own, b"(late)");
        assert_eq!(conn.out, b"(free)");
        // It waits for a key, behind a reply that is here and one that is not.
        let blocked = conn.hole(false);
        conn.begins_to_wait(blocked, crate::blocking::Waits::At(stoa_stdx::ShardId(0)));
        conn.news(b"(meanwhile)");
        conn.fill(asked, b"<asked>");
        conn.news(b"(alone)");
        conn.news_behind(b"(last)");
        let want = "(free)<asked><own>(own)(behind)<here>(late)(meanwhile)(alone)";
        assert_eq!(String::from_utf8_lossy(&conn.out), want);
        conn.waits = None;
        conn.fill(blocked, b"<blocked>");
        assert_eq!(String::from_utf8_lossy(&conn.out), format!("{want}<blocked>(last)"));
        assert!(conn.is_settled());
    }

    #[test]
    fn replies_that_left_are_not_kept_though_some_answer_is_always_awaited() {
        let mut conn = Conn::new(ConnId::default());
        let mut want = Vec::new();
        let mut awaited = conn.hole(false);
        for step in 0..20_000 {
            let text = format!("<{step}>");
            let start = conn.sink().len();
            conn.sink().extend_from_slice(text.as_bytes());
            conn.written(start);
            let next = conn.hole(false);
            conn.fill(awaited, b"!");
            awaited = next;
            want.extend_from_slice(b"!");
            want.extend_from_slice(text.as_bytes());
            assert_eq!(conn.output_len(), conn.out.len(), "nothing waits behind the last hole");
        }
        assert_eq!(conn.out, want);
        assert!(conn.owed.held.len() <= 2 * super::HELD_SPENT_MAX, "{}", conn.owed.held.len());
    }
}
