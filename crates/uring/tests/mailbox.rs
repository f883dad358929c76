//! The ring between two shards, on real threads. `model.rs` has it under a model checker; these
//! would not compile there, where every atomic must belong to a model.

use std::sync::Arc;

use stoa_uring::mailbox;

#[test]
fn a_full_ring_gives_the_message_back_and_loses_none() {
    let (mut tx, mut rx) = mailbox(4);
    for round in 0..10_u64 {
        for n in 0..4 {
            assert_eq!(tx.push(Box::new(round * 4 + n)), Ok(()), "round {round}");
        }
        assert_eq!(tx.push(Box::new(u64::MAX)), Err(Box::new(u64::MAX)), "round {round}");
        assert!(!tx.is_drained());
        for n in 0..4 {
            assert_eq!(rx.pop(), Some(Box::new(round * 4 + n)), "round {round}");
        }
        assert_eq!(rx.pop(), None);
        assert!(tx.is_drained());
    }
}

#[test]
fn messages_nobody_took_are_freed_with_the_ring() {
    let counted = Arc::new(());
    let (mut tx, mut rx) = mailbox(8);
    for _ in 0..6 {
        assert!(tx.push(Arc::clone(&counted)).is_ok());
    }
    drop(rx.pop());
    drop((tx, rx));
    assert_eq!(Arc::strong_count(&counted), 1);
}

#[test]
fn two_threads_see_every_message_once_and_in_order() {
    const COUNT: u64 = 400_000;
    for capacity in [1, 2, 64] {
        let (mut tx, mut rx) = mailbox(capacity);
        let sender = std::thread::spawn(move || {
            for n in 0..COUNT {
                let mut message = Box::new(n);
                while let Err(back) = tx.push(message) {
                    message = back;
                    std::thread::yield_now();
                }
            }
        });
        let mut next = 0;
        while next < COUNT {
            match rx.pop() {
                Some(n) => {
                    assert_eq!(*n, next, "capacity {capacity}");
                    next += 1;
                }
                None => std::thread::yield_now(),
            }
        }
        sender.join().expect("the sender does not panic");
        assert!(rx.is_empty());
    }
}
