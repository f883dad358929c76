//! The server's engine as a library: the same shards, the same commands, the same replies, without a
//! socket, a thread or a process around them.
//!
//! ```
//! let db = stoa::Db::open_memory()?;
//! db.set(b"greeting", b"hello")?;
//! assert_eq!(db.get(b"greeting")?.as_deref(), Some(b"hello".as_slice()));
//! assert_eq!(db.execute(&[b"APPEND", b"greeting", b" world"])?, stoa::Reply::Int(11));
//! # Ok::<(), stoa::Error>(())
//! ```
//!
//! Every command of the server goes through [`Session::execute`]; the methods beside it are the ones
//! used daily, with types. A [`Db`] lives in memory; one from [`Db::open`] has a directory that it is loaded from
//! and saved to, and what that promises is said there. One from [`Db::open_memory`] is gone when it and
//! its sessions are dropped.
//!
//! A call hands its request to the shard of its session and carries mail between shards until the
//! reply is whole, all on the caller's thread. Sessions may be moved to other threads; their calls
//! take turns, since one thread at a time drives the shards.
//!
//! A program may watch what happens to keys: [`Session::observe`] gives each write's events, in order, from
//! a queue that is bounded.
//!
//! A program may add commands of its own: see [`command`].
//!
//! Tests use [`Db::builder`]: a [`ManualClock`] makes time stand still until it is moved, and a seed
//! makes chance repeat itself.

mod builder;
mod clock;
pub mod command;
mod error;
mod executor;
mod home;
mod observer;
mod reply;
mod scan;
mod session;
mod snapshot;
mod typed;

pub use builder::Builder;
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::Error;
pub use observer::{Event, Filter, Observed, Observer};
pub use reply::Reply;
pub use scan::Scan;
pub use session::{Db, Session};
pub use stoa_engine::Class;
pub use typed::{Expiry, SetOptions};
