//! What a command says on channels: messages, and notices of what happened to keys.

use stoa_keyspace::{Keyspace, Notice, OBSERVED_LEN_MAX};
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
        let lost = keyspace.notices.take_lost();
        for notice in keyspace.notices.take() {
            self.publish_notice(&notice);
            if self.observed.classes.has(notice.class) {
                self.observed.push(notice);
            }
        }
        self.observed.lost += lost;
    }

    fn publish_notice(&mut self, notice: &Notice) {
        let events = self.config.keyspace_events;
        let Notice { db, class, event, ref key, is_of_all } = *notice;
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
    /// Once something was lost, what follows is too, until the driver has taken all: so what is lost is
    /// one gap, at the end.
    fn push(&mut self, notice: Notice) {
        if self.lost > 0 || self.list.len() >= OBSERVED_LEN_MAX {
            self.lost += 1;
        } else {
            self.list.push(notice);
        }
    }
}
