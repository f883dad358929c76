//! A run that can pause: on a stack of its own, which stays as it is until the run is resumed.
//!
//! Lua 5.1 cannot yield from where scripts are stopped, inside a hook and below C functions such as
//! `pcall`. So the whole run, Lua's C frames included, has its own stack, and pausing is a switch to
//! the stack of whoever runs it. The stack is made once and used again; a switch costs some
//! nanoseconds.

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use mlua::{Result, Value};
use stoa_stdx::{Lender, Loan};

/// Bytes of address space for the stack; only what is used becomes memory. What goes deepest are our
/// own recursions, into JSON for one, which are bounded.
const STACK_LEN: usize = 8 << 20;

/// What a run ends with.
pub(crate) type Ended = Result<(bool, Value)>;

/// The way from inside a run to whoever runs it.
pub(crate) struct WayOut;

impl Loan for WayOut {
    type Of<'a> = &'a Yielder<(), ()>;
}

/// A run on its stack.
pub(crate) struct Paused(Coroutine<(), (), Ended, DefaultStack>);

/// What came of letting a run go on.
pub(crate) enum Went {
    Ended(Ended, DefaultStack),
    Paused(Paused),
}

/// A stack for runs.
///
/// # Panics
/// When there is no address space left.
pub(crate) fn stack() -> DefaultStack {
    DefaultStack::new(STACK_LEN).expect("address space for one stack")
}

impl Paused {
    /// A run that has not begun.
    pub(crate) fn new(
        stack: DefaultStack,
        way_out: std::rc::Rc<Lender<WayOut>>,
        body: impl FnOnce() -> Ended + 'static,
    ) -> Self {
        Self(Coroutine::with_stack(stack, move |yielder: &Yielder<(), ()>, ()| {
            let mut yielder = yielder;
            way_out.lend(&mut yielder, body)
        }))
    }

    /// Lets it go on until it ends or pauses.
    pub(crate) fn go_on(mut self) -> Went {
        match self.0.resume(()) {
            CoroutineResult::Return(ended) => Went::Ended(ended, self.0.into_stack()),
            CoroutineResult::Yield(()) => Went::Paused(self),
        }
    }
}
