//! CLIENT: connections, seen from inside.

pub mod id;
pub mod name;
