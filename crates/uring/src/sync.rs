//! What the lock-free parts are built from, in one place, so that a model checker can stand in.
//!
//! `tests/model.rs` compiles those parts with a `sync` of its own, in which every interleaving and
//! every value that a weak memory may show is tried.

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

/// A cell whose contents are reached through a pointer, for as long as a closure runs.
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}
