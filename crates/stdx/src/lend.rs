//! Lends something borrowed to code that can only hold what lives for ever.
//!
//! A callback that an interpreter keeps must be `'static`; what it works on while a script runs is a
//! borrow of the caller's. [`Lender`] is the place both know: the caller lends for the length of a
//! call, the callback takes what is lent for the length of its own body. Two callbacks cannot have it
//! at once, and after the call there is nothing to take. It costs a load and a store each way.

#![expect(unsafe_code, reason = "a borrow passes through a place that cannot name its lifetime")]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Names a type that may borrow: `Of<'a>` is it, borrowing for `'a`.
pub trait Loan {
    /// The type.
    type Of<'a>: ?Sized;
}

#[derive(Clone, Copy)]
enum Place {
    Empty,
    /// Points to the `&mut L::Of<'_>` on the lender's stack.
    Lent(NonNull<()>),
    Taken,
}

/// Where one thing at a time is lent.
pub struct Lender<L> {
    place: Cell<Place>,
    what: PhantomData<fn() -> L>,
}

impl<L> Default for Lender<L> {
    fn default() -> Self {
        Self { place: Cell::new(Place::Empty), what: PhantomData }
    }
}

/// Puts the former state back, also when the body panics.
struct Restore<'a> {
    place: &'a Cell<Place>,
    former: Place,
    is_loan: bool,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        // A body on another stack that still holds what was lent would outlive the loan. Nothing sound
        // can follow, unwinding included.
        if self.is_loan && matches!(self.place.get(), Place::Taken) {
            std::process::abort();
        }
        self.place.set(self.former);
    }
}

impl<L: Loan> Lender<L> {
    /// Lends `value` while `body` runs.
    pub fn lend<'a, R>(&self, value: &mut L::Of<'a>, body: impl FnOnce() -> R) -> R {
        let mut value: &mut L::Of<'a> = value;
        let lent = Place::Lent(NonNull::from(&mut value).cast());
        let _restore =
            Restore { place: &self.place, former: self.place.replace(lent), is_loan: true };
        body()
    }

    /// Takes what is lent while `body` runs. None: nothing is lent, or another body has it.
    pub fn with<R>(&self, body: impl for<'b> FnOnce(&mut L::Of<'b>) -> R) -> Option<R> {
        let Place::Lent(pointer) = self.place.get() else { return None };
        let former = self.place.replace(Place::Taken);
        let _restore = Restore { place: &self.place, former, is_loan: false };
        // SAFETY: `lend` put this pointer here, to a variable of its stack frame of type
        // `&mut L::Of<'a>`, which differs from the type here by lifetimes only, and which nothing else
        // touches while it is lent. That frame is still there: `lend` takes the pointer out before it
        // returns, and aborts if a body still runs then. No other body has it: `Taken` stands in its
        // place. `body` is for every `'b`, so it can neither keep it nor put anything shorter-lived in.
        let lent = unsafe { pointer.cast::<&mut L::Of<'_>>().as_mut() };
        Some(body(lent))
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{Lender, Loan};

    trait Count {
        fn up(&mut self) -> u32;
    }

    struct Borrowing<'a>(&'a mut u32);

    impl Count for Borrowing<'_> {
        fn up(&mut self) -> u32 {
            *self.0 += 1;
            *self.0
        }
    }

    struct AnyCount;

    impl Loan for AnyCount {
        type Of<'a> = dyn Count + 'a;
    }

    #[test]
    fn what_is_lent_can_be_taken_until_the_loan_ends_and_by_one_at_a_time() {
        let lender = Rc::new(Lender::<AnyCount>::default());
        let inner = Rc::clone(&lender);
        let callback: Box<dyn Fn() -> Option<u32>> =
            Box::new(move || inner.with(|count| count.up()));
        assert_eq!(callback(), None);
        let mut number = 5;
        let mut count = Borrowing(&mut number);
        lender.lend(&mut count, || {
            assert_eq!(callback(), Some(6));
            lender.with(|_| assert_eq!(callback(), None));
            let mut other = 10;
            lender.lend(&mut Borrowing(&mut other), || assert_eq!(callback(), Some(11)));
            assert_eq!(callback(), Some(7));
        });
        assert_eq!(callback(), None);
        assert_eq!(number, 7);
    }

    #[test]
    fn a_panic_gives_everything_back() {
        let lender = Lender::<AnyCount>::default();
        let mut number = 0;
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            lender.lend(&mut Borrowing(&mut number), || lender.with(|_| panic!("on purpose")));
        }));
        assert!(caught.is_err());
        assert!(lender.with(|_| ()).is_none());
    }
}
