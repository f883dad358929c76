//! A shard's side of all its mailboxes: two rings to and two from each other shard.
//!
//! Requests and replies have rings of their own. With one ring for both, two shards whose rings
//! are full of requests can never answer, and stand still for good. What does not fit waits here;
//! while a request waits, the shard takes no more socket data, and while a reply waits it takes
//! no more requests. Replies are always taken, so reply rings always empty, so all of it moves.

use std::collections::VecDeque;
use std::sync::Arc;

use stoa_stdx::ShardId;

use crate::mailbox::{Receiver, Sender, mailbox};
use crate::park::Shared;

/// Messages taken from one ring in one pass, so that a pass stays bounded.
const TAKE_MAX: usize = 64;

/// What one shard sends and receives through.
pub(crate) struct Post<M> {
    shard: ShardId,
    shared: Arc<Shared>,
    requests: Lanes<M>,
    replies: Lanes<M>,
    /// Shards that got something in this pass and may sleep.
    touched: Vec<bool>,
}

/// The rings of one kind, by shard. There is none to oneself.
struct Lanes<M> {
    outgoing: Vec<Option<Outgoing<M>>>,
    incoming: Vec<Option<Receiver<M>>>,
    /// Messages in all `overflow`s.
    waiting: usize,
}

struct Outgoing<M> {
    ring: Sender<M>,
    /// Came after the ring was full. Bounded by what one pass can yield, because a pass with
    /// socket data does not start while anything is here.
    overflow: VecDeque<M>,
}

/// The mailboxes of a whole node, one `Post` a shard.
pub(crate) fn posts<M: Send>(shared: &Arc<Shared>, shards: u16, capacity: usize) -> Vec<Post<M>> {
    let mut requests = lanes(shards, capacity);
    let mut replies = lanes(shards, capacity);
    (0..shards)
        .map(|n| Post {
            shard: ShardId(n),
            shared: Arc::clone(shared),
            requests: requests.remove(0),
            replies: replies.remove(0),
            touched: vec![false; usize::from(shards)],
        })
        .collect()
}

impl<M: Send> Post<M> {
    /// Sends a request; it may have to wait here.
    pub(crate) fn request(&mut self, to: ShardId, message: M) {
        self.requests.send(to, message);
        self.touched[usize::from(to.0)] = true;
    }

    /// Sends a reply; it may have to wait here.
    pub(crate) fn reply(&mut self, to: ShardId, message: M) {
        self.replies.send(to, message);
        self.touched[usize::from(to.0)] = true;
    }

    /// Whether socket data must wait because requests do.
    pub(crate) fn holds_requests(&self) -> bool {
        self.requests.waiting > 0
    }

    /// Whether anything waits for room in a ring.
    pub(crate) fn is_blocked(&self) -> bool {
        self.requests.waiting + self.replies.waiting > 0
    }

    /// Tries again what did not fit, and wakes those who now have it: no pass may follow.
    pub(crate) fn retry(&mut self) {
        if self.is_blocked() {
            self.replies.retry(&mut self.touched);
            self.requests.retry(&mut self.touched);
            self.wake_touched();
        }
    }

    /// Takes what has arrived, replies first.
    pub(crate) fn receive(&mut self, into: &mut Vec<(ShardId, M)>) {
        self.replies.receive(into);
        if self.replies.waiting == 0 {
            self.requests.receive(into);
        }
    }

    /// Wakes the shards that were sent something since the last call.
    pub(crate) fn wake_touched(&mut self) {
        for (n, touched) in self.touched.iter_mut().enumerate() {
            if std::mem::take(touched) {
                self.shared.bell(ShardId(n as u16)).wake();
            }
        }
    }

    /// Whether there is anything `receive` would take.
    pub(crate) fn has_mail(&mut self) -> bool {
        self.replies.has_mail() || (self.replies.waiting == 0 && self.requests.has_mail())
    }

    /// Whether everything sent has been taken.
    pub(crate) fn is_drained(&self) -> bool {
        !self.is_blocked() && self.requests.is_drained() && self.replies.is_drained()
    }

    pub(crate) fn shard(&self) -> ShardId {
        self.shard
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl<M: Send> Lanes<M> {
    fn send(&mut self, to: ShardId, message: M) {
        let Some(Some(lane)) = self.outgoing.get_mut(usize::from(to.0)) else {
            panic!("a message to shard {}, which is the sender or does not exist", to.0);
        };
        let unsent = if lane.overflow.is_empty() { lane.ring.push(message) } else { Err(message) };
        if let Err(message) = unsent {
            lane.overflow.push_back(message);
            self.waiting += 1;
        }
    }

    fn retry(&mut self, touched: &mut [bool]) {
        for (n, lane) in self.outgoing.iter_mut().enumerate() {
            let Some(lane) = lane else { continue };
            while let Some(message) = lane.overflow.pop_front() {
                if let Err(message) = lane.ring.push(message) {
                    lane.overflow.push_front(message);
                    break;
                }
                self.waiting -= 1;
                touched[n] = true;
            }
        }
    }

    fn receive(&mut self, into: &mut Vec<(ShardId, M)>) {
        for (n, ring) in self.incoming.iter_mut().enumerate() {
            let Some(ring) = ring else { continue };
            let from = ShardId(n as u16);
            into.extend(std::iter::from_fn(|| ring.pop()).take(TAKE_MAX).map(|m| (from, m)));
        }
    }

    fn has_mail(&mut self) -> bool {
        self.incoming.iter_mut().flatten().any(|ring| !ring.is_empty())
    }

    fn is_drained(&self) -> bool {
        self.outgoing.iter().flatten().all(|lane| lane.ring.is_drained())
    }
}

fn lanes<M: Send>(shards: u16, capacity: usize) -> Vec<Lanes<M>> {
    let shards = usize::from(shards);
    let mut all: Vec<Lanes<M>> = (0..shards)
        .map(|_| Lanes { outgoing: Vec::new(), incoming: Vec::new(), waiting: 0 })
        .collect();
    for from in 0..shards {
        for to in 0..shards {
            let (sender, receiver) = if from == to {
                (None, None)
            } else {
                let (sender, receiver) = mailbox(capacity);
                let overflow = VecDeque::new();
                (Some(Outgoing { ring: sender, overflow }), Some(receiver))
            };
            all[from].outgoing.push(sender);
            all[to].incoming.push(receiver);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(capacity: usize) -> (Post<u32>, Post<u32>) {
        let shared = Arc::new(Shared::new(2).expect("eventfds"));
        let mut posts = posts(&shared, 2, capacity);
        let second = posts.remove(1);
        (posts.remove(0), second)
    }

    fn take(post: &mut Post<u32>) -> Vec<u32> {
        let mut into = Vec::new();
        post.receive(&mut into);
        into.into_iter().map(|(_, message)| message).collect()
    }

    #[test]
    fn what_does_not_fit_waits_and_keeps_its_order() {
        let (mut a, mut b) = pair(2);
        for n in 0..7 {
            a.request(ShardId(1), n);
        }
        assert!(a.holds_requests());
        let mut seen = Vec::new();
        while seen.len() < 7 {
            let got = take(&mut b);
            assert!(!got.is_empty(), "stuck after {seen:?}");
            seen.extend(got);
            a.retry();
        }
        assert_eq!(seen, (0..7).collect::<Vec<_>>());
        assert!(!a.is_blocked() && a.is_drained());
    }

    #[test]
    fn rings_full_of_requests_both_ways_still_answer() {
        let (mut a, mut b) = pair(2);
        for n in 0..100 {
            a.request(ShardId(1), n);
            b.request(ShardId(0), n);
        }
        // A request is answered with itself plus 1,000; an answer is counted.
        let (mut answers_a, mut answers_b) = (0, 0);
        for _ in 0..400 {
            for message in take(&mut a) {
                if message >= 1_000 { answers_a += 1 } else { a.reply(ShardId(1), message + 1_000) }
            }
            for message in take(&mut b) {
                if message >= 1_000 { answers_b += 1 } else { b.reply(ShardId(0), message + 1_000) }
            }
            a.retry();
            b.retry();
        }
        assert_eq!((answers_a, answers_b), (100, 100));
    }

    #[test]
    fn while_a_reply_waits_no_request_is_taken() {
        let (mut a, mut b) = pair(2);
        for n in 0..3 {
            b.reply(ShardId(0), n);
        }
        a.request(ShardId(1), 9);
        assert_eq!(take(&mut b), [], "a reply waits");
        assert_eq!(take(&mut a), [0, 1]);
        b.retry();
        assert_eq!(take(&mut b), [9]);
    }
}
