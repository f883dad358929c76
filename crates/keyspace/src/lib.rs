//! What one shard owns: keys, entries and the deadlines at which they go.
//!
//! A state machine without clocks, threads or I/O: the time comes in as an argument.

pub mod wheel;
