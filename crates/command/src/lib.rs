//! The vocabulary of commands, shared by those who describe, route, guard and run them.
//!
//! A command is data plus one function. The data is a [`Spec`]; arity errors, routing, access
//! categories, COMMAND's replies, reference pages and random test programs are read off it, so a
//! fact about a command is written once.

mod args;
mod error;
mod flags;
mod keys;
mod spec;
pub mod syntax;

pub use args::Args;
pub use error::ReplyError;
pub use flags::{Category, Flags, KeyFlags};
pub use keys::{BeginSearch, FindKeys, KeyPositions, KeySpec};
pub use spec::{Arity, Group, RequestPolicy, ResponsePolicy, Spec};
pub use stoa_stdx::{format_double, parse_double, parse_int};
