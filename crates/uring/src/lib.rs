//! One thread a core, its sockets, its buffers, its clock, and the mail between cores.
//!
//! The only crate, with the simulator, that touches the world. What runs on a core is a
//! [`Service`]; [`run`] makes one for each shard, gives it listening sockets and mailboxes, and
//! drives it over io_uring, or over readiness where io_uring is forbidden. Services cannot tell
//! the two apart.

#![expect(unsafe_code, reason = "rings, mappings and descriptors; each use carries its proof")]

mod buffers;
mod clock;
mod conns;
mod core;
mod dial;
mod entrance;
mod idle;
mod listen;
mod mailbox;
mod node;
mod options;
mod park;
mod parked;
mod poll_driver;
mod post;
mod ring;
mod service;
mod sync;
mod uring_driver;

pub use entrance::Entrance;
pub use mailbox::{Receiver, Sender, mailbox};
pub use node::{Running, Stop, run};
pub use options::{DriverChoice, MAILBOX_LEN, Options, Tuning, UnixSocket};
pub use service::{Action, CloseReason, Now, Pass, Peer, Service, Unlinked};
