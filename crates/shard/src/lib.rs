//! One core's world: its keys, its clients, and its mail to and from the other shards. No I/O.
//!
//! A driver calls [`Shard::pass`] with everything that arrived, then polls [`Action`]s and takes
//! output. The shard never touches a socket, a clock or a thread, so the same code runs under
//! io_uring, under readiness, in a simulator and inside a user's process. A command runs to
//! completion; what waits (a reply from another shard, a transaction in front, a pause) is a row in a table.

mod account;
mod asking;
mod blocking;
mod busy;
mod conn;
mod copying;
mod event;
mod execute;
mod gather;
mod guard;
mod input;
mod intents;
mod jobs;
mod keys;
mod links;
mod message;
mod migrate;
mod multi;
mod notices;
mod orders;
mod places;
mod plan;
mod planted;
mod publish;
mod reply;
mod row;
mod scripts;
mod serve;
mod shard;
mod sites;
mod snapshot;
mod split;
mod tracking;
mod transact;
mod waiters;

pub use event::{Action, Moment, Pass, PeerFacts, Unlinked};
pub use keys::{first_slot, owner_of};
pub use message::Message;
pub use planted::Planted;
pub use reply::RespReply;
pub use shard::{Setup, Shard};
pub use sites::SITES;
pub use snapshot::KeyLoaded;
