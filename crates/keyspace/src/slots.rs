//! The slots of a database in one array, of which only the pages with keys take memory.
//!
//! The headers of all slots are 256 KiB, more than all else that a database of few keys has. All zero is
//! empty, and new pages of the system are zero and take nothing before they are written: so the array is
//! asked of the system itself. The allocator gives zeros too, but writes them in what it had before. The
//! price is a system call for the first key of a database, and one for the last.

use std::alloc::{Layout, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use stoa_stdx::SLOT_COUNT;

use crate::table::Slot;

const LAYOUT: Layout = Layout::new::<[Slot; SLOT_COUNT]>();

/// As many slots as there are numbers of slots.
pub(crate) struct Slots(NonNull<[Slot; SLOT_COUNT]>);

impl Slots {
    /// All of them empty.
    pub(crate) fn new() -> Self {
        Self(zeroed().unwrap_or_else(|| handle_alloc_error(LAYOUT)).cast())
    }
}

impl Deref for Slots {
    type Target = [Slot; SLOT_COUNT];

    #[inline]
    fn deref(&self) -> &[Slot; SLOT_COUNT] {
        // SAFETY: the array is ours alone, and zeros, as it began, are `Slot::EMPTY` each.
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for Slots {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Slot; SLOT_COUNT] {
        // SAFETY: as in `deref`, borrowed exclusively.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // A slot needs no dropping: whoever has the arena frees its tables before.
        // SAFETY: from `zeroed`, and not used again.
        unsafe { give_back(self.0.cast()) };
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
fn zeroed() -> Option<NonNull<u8>> {
    // SAFETY: a new private mapping at an address of the system's choice touches nothing that is there;
    // its pages are aligned to more than a slot's eight bytes.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            LAYOUT.size(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if at == libc::MAP_FAILED { None } else { NonNull::new(at.cast()) }
}

/// # Safety
/// `at` came from [`zeroed`], and nobody uses it any more.
#[cfg(all(target_os = "linux", not(miri)))]
unsafe fn give_back(at: NonNull<u8>) {
    // SAFETY: by contract the whole of a mapping of this length.
    let result = unsafe { libc::munmap(at.as_ptr().cast(), LAYOUT.size()) };
    debug_assert_eq!(result, 0, "the mapping is there");
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn zeroed() -> Option<NonNull<u8>> {
    // SAFETY: the layout is not empty.
    NonNull::new(unsafe { std::alloc::alloc_zeroed(LAYOUT) })
}

/// # Safety
/// `at` came from [`zeroed`], and nobody uses it any more.
#[cfg(not(all(target_os = "linux", not(miri))))]
unsafe fn give_back(at: NonNull<u8>) {
    // SAFETY: by contract allocated with this layout.
    unsafe { std::alloc::dealloc(at.as_ptr(), LAYOUT) };
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn slots_begin_empty_and_each_has_its_place() {
        let slots = Slots::new();
        assert!(slots.iter().all(|slot| slot.len() == 0));
        assert_eq!(slots.len(), stoa_stdx::SLOT_COUNT);
        let (first, last) = (&raw const slots[0], &raw const slots[slots.len() - 1]);
        assert_eq!(last.addr() - first.addr(), (slots.len() - 1) * size_of_val(&slots[0]));
    }
}
