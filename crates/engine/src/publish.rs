//! What a command says on channels: messages, and notices of what happened to keys.

use stoa_keyspace::{Keyspace, Notice, Noticed};
use stoa_pubsub::Kind;

use crate::{Ctx, Node, Observed};

impl Ctx<'_> {
    /// Says something on a channel; gives how many will hear it. It is sent after the command, behind
    /// everything the command said before.
    pub fn publish(&mut self, kind: Kind, channel: &[u8], payload: &[u8]) -> u64 {
        if !self.keyspace.notices.is_empty() {
            self.node.publish_notices(self.keyspace);
        }
        self.node.pubsub.publish(kind, channel, payload)
    }

    /// Subscribes the client. One that left meanwhile (its EXEC runs all the same) stays away.
    pub fn subscribe(&mut self, kind: Kind, name: &[u8]) {
        if !self.session().is_proxy {
            let conn = self.session().conn;
            self.node.pubsub.subscribe(conn, kind, name);
            self.count_subscriptions();
        }
    }

    /// Unsubscribes the client.
    pub fn unsubscribe(&mut self, kind: Kind, name: &[u8]) {
        if self.session().is_subscriber() {
            let conn = self.session().conn;
            self.node.pubsub.unsubscribe(conn, kind, name);
            self.count_subscriptions();
        }
    }

    /// Unsubscribes the client from everything of all kinds.
    pub fn unsubscribe_all(&mut self) {
        if self.session().is_subscriber() {
            let conn = self.session().conn;
            self.node.pubsub.unsubscribe_all(conn);
            self.count_subscriptions();
        }
    }

    fn count_subscriptions(&mut self) {
        let conn = self.session().conn;
        let counts = self.node.pubsub.memberships.counts(conn);
        self.session().set_subscriptions(counts);
    }
}

impl Node {
    /// Hands what happened to keys to observers, and makes messages of it as far as anybody listens.
    pub fn publish_notices(&mut self, keyspace: &mut Keyspace) {
        let Noticed { list, room } = keyspace.notices.take();
        for notice in list {
            self.publish_notice(&notice);
            if notice.is_observed && self.observed.classes.has(notice.class) {
                self.observed.push(notice);
            }
        }
        self.observed.room.lose(room.lost());
    }

    fn publish_notice(&mut self, notice: &Notice) {
        let events = self.config.keyspace_events;
        let Notice { db, class, event, ref key, is_of_all, .. } = *notice;
        if is_of_all || !events.has(class) || self.pubsub.counts.is_empty() {
            return;
        }
        let event = event.as_bytes();
        let channel =
            |space: &str, name: &[u8]| [format!("__{space}@{}__:", db.0).as_bytes(), name].concat();
        if events.by_key {
            self.pubsub.publish(Kind::Channel, &channel("keyspace", key), event);
        }
        if events.by_event {
            self.pubsub.publish(Kind::Channel, &channel("keyevent", event), key);
        }
    }
}

impl Observed {
    fn push(&mut self, notice: Notice) {
        if self.room.take(notice.key.len()) {
            self.list.push(notice);
        }
    }

    /// All since the last time, in order, and how much more happened after it.
    pub fn take(&mut self) -> (Vec<Notice>, u64) {
        (std::mem::take(&mut self.list), std::mem::take(&mut self.room).lost())
    }
}
