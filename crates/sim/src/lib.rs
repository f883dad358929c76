//! A whole node in one thread, where a seed decides every delay: the shards are the real ones, the
//! network, the clock and the clients are made up.
//!
//! [`World`] delivers bytes and mail in any order that a real driver could: first in, first out on
//! each link (sender, receiver, requests or replies), anything between links. Shards stall, bytes
//! are split anywhere, clients do not read, or leave. The same seed gives the same run to the byte,
//! so a failure is a number: `cargo run -p stoa-sim --example replay -- SEED`.
//!
//! What runs in it comes from the command table's own grammar ([`Grammar`]), so a new command is
//! tried on the day it is entered. What is checked: the number of shards never shows in a reply
//! ([`law`]), and what clients see fits one serial order ([`checker`]).

mod asking;
pub mod checker;
mod client;
pub mod crowd;
pub mod grammar;
pub mod law;
pub mod mix;
mod payloads;
pub mod program;
mod shrink;
pub mod trial;
mod world;

pub use client::ClientId;
pub use grammar::Grammar;
pub use program::{Item, Program};
pub use shrink::shrink;
pub use world::{Chaos, Dial, Options, START, World};
