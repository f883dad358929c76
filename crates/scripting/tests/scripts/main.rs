//! Scripts on a host that is no server.

mod escapes;
mod libraries;
mod replies;
mod stub;
