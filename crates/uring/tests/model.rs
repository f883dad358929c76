//! The lock-free parts under a model checker: every interleaving of two threads, and every value
//! that the memory model lets them see. The files are those of the crate, with the checker's
//! primitives in place of the machine's.

#![expect(unsafe_code, reason = "the files under test have it, with their proofs")]

#[path = "../src/mailbox.rs"]
#[expect(unreachable_pub, reason = "public in the crate, not here")]
mod mailbox;
#[path = "../src/parked.rs"]
mod parked;

mod sync {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
}

use std::sync::Arc as Counter;

use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::sync::atomic::Ordering::{Acquire, Release};

#[test]
fn messages_arrive_once_and_in_order_in_every_interleaving() {
    loom::model(|| {
        let (mut tx, mut rx) = mailbox::mailbox(2);
        let sender = loom::thread::spawn(move || {
            let mut pushed = 0;
            for n in 0..3_u32 {
                // A full ring gives the message back; what was taken meanwhile decides.
                match tx.push(Box::new(n)) {
                    Ok(()) => pushed += 1,
                    Err(back) => assert_eq!(*back, n),
                }
            }
            pushed
        });
        let mut seen: Vec<u32> = Vec::new();
        for _ in 0..2 {
            seen.extend(rx.pop().map(|message| *message));
        }
        let pushed = sender.join().expect("the sender does not panic");
        seen.extend(std::iter::from_fn(|| rx.pop()).map(|message| *message));
        assert_eq!(seen.len(), pushed, "{seen:?}");
        assert!(seen.is_sorted() && seen.starts_with(&[0, 1]), "{seen:?}");
        assert!(rx.is_empty());
    });
}

#[test]
fn what_is_left_in_a_ring_is_freed_once_in_every_interleaving() {
    loom::model(|| {
        let counted = Counter::new(());
        let (mut tx, mut rx) = mailbox::mailbox(2);
        let first = Counter::clone(&counted);
        let sender = loom::thread::spawn(move || {
            assert!(tx.push(Some(first)).is_ok() && tx.push(None).is_ok());
            tx.is_drained()
        });
        drop(rx.pop());
        drop(rx);
        sender.join().expect("the sender does not panic");
        assert_eq!(Counter::strong_count(&counted), 1);
    });
}

#[test]
fn a_sleeper_and_a_sender_never_miss_each_other() {
    loom::model(|| {
        let parked = Arc::new(parked::Parked::new());
        let rung = Arc::new(AtomicBool::new(false));
        let (mut tx, mut rx) = mailbox::mailbox(2);
        let (theirs, bell) = (Arc::clone(&parked), Arc::clone(&rung));
        let sender = loom::thread::spawn(move || {
            assert!(tx.push(7_u32).is_ok());
            if theirs.must_ring() {
                bell.store(true, Release);
            }
        });
        parked.park();
        let sleeps = rx.is_empty();
        sender.join().expect("the sender does not panic");
        // If it slept, the bell woke it; and then the message is there.
        assert!(!sleeps || rung.load(Acquire), "asleep on a message");
        parked.unpark();
        assert_eq!(rx.pop(), Some(7));
    });
}
