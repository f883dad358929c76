//! What the program can do besides the prompt, a file each.

pub(crate) mod bigkeys;
pub(crate) mod command;
pub(crate) mod eval;
pub(crate) mod info;
pub(crate) mod latency;
pub(crate) mod pipe;
pub(crate) mod scan;
pub(crate) mod stat;
