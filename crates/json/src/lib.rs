//! JSON at the edge: requests out of it, replies into it.
//!
//! A request is a list of words (`["SET", "k", "v"]`), an object that names its arguments
//! (`{"cmd": "SET", "key": "k", "value": "v"}`), or a list of either. Names come from the same line of
//! a command's [`Spec`](stoa_command::Spec) that its documentation comes from, and all that leaves this
//! crate is the words a RESP client would have sent: so every argument is judged once, by the
//! command, however it came. No command has code here.
//!
//! What JSON cannot say is said by an object with one member whose name begins with `$`: bytes that
//! are no text, integers that a reader of JSON would round, doubles that are no JSON number. It works
//! both ways.
//!
//! Text is opened one level at a time and only as deep as a request goes, which costs a second look at
//! what lies inside, three or four times over. In exchange a number is never parsed, so it arrives as it
//! was written, and depth costs no stack.

mod named;
mod open;
mod refusal;
mod reply;
mod request;

pub use named::Forms;
pub use refusal::Refusal;
pub use reply::{write_answer, write_value};
pub use request::{Argv, Request, read};
