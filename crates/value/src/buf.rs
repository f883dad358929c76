//! Bytes behind one pointer, for the small encodings.
//!
//! A `Vec` is three words, and the small value of a key is most of its key: so the length lies in
//! the first four bytes of the block, and the capacity is not kept at all, because it follows from
//! the length: the next size class of the allocator, which it would give anyway. The price is a
//! reallocation whenever a length crosses a class, also downwards: a quarter of the length apart.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

/// Bytes that hold the length. They are part of the content, so an encoding that begins with its
/// own length needs no second one.
pub(crate) const HEAD: usize = 4;

/// At least [`HEAD`] bytes, of which the first four are the length in little-endian order.
pub(crate) struct Buf(NonNull<u8>);

// SAFETY: a Buf owns its block alone, and the block holds plain bytes.
unsafe impl Send for Buf {}

impl Buf {
    /// `len` bytes: the length, then zeros.
    pub(crate) fn zeroed(len: usize) -> Self {
        assert!(len >= HEAD, "a buffer holds its length");
        let layout = layout(len);
        // SAFETY: no class is 0.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        // SAFETY: the block is fresh and at least `len` bytes long.
        unsafe { block.as_ptr().write_bytes(0, len) };
        let mut buf = Self(block);
        buf.set_len(len);
        buf
    }

    pub(crate) fn len(&self) -> usize {
        // SAFETY: the first four bytes are always initialised; any alignment.
        let bytes = unsafe { self.0.as_ptr().cast::<[u8; HEAD]>().read() };
        u32::from_le_bytes(bytes) as usize
    }

    /// Bytes of the block.
    pub(crate) fn capacity(&self) -> usize {
        class(self.len())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes are initialised (see `splice`), and the borrow keeps them.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr(), self.len()) }
    }

    /// The bytes to be changed in place. The first four stay what they are.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, borrowed exclusively. Whoever writes another length into the first
        // four bytes breaks only what they own: see `set_len`, the crate's only writer of them.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_ptr(), self.len()) }
    }

    /// Replaces `old` bytes at `at` by `new` others, which are left for the caller to write.
    pub(crate) fn splice(&mut self, at: usize, old: usize, new: usize) -> &mut [u8] {
        let len = self.len();
        assert!(at >= HEAD && at + old <= len, "{old} bytes at {at} of {len}");
        if new == old {
            return &mut self.bytes_mut()[at..at + new];
        }
        let tail = len - at - old;
        let new_len = at + new + tail;
        if new_len > len {
            self.resize_block(len, new_len);
        }
        // SAFETY: the block holds the larger of the two lengths here: it grew above, and shrinks
        // below only. What was added is zeroed first, so all bytes up to `new_len` are initialised.
        unsafe {
            if new_len > len {
                self.0.as_ptr().add(len).write_bytes(0, new_len - len);
            }
            let from = self.0.as_ptr().add(at + old);
            self.0.as_ptr().add(at + new).copy_from(from, tail);
        }
        if new_len < len {
            self.resize_block(len, new_len);
        }
        self.set_len(new_len);
        &mut self.bytes_mut()[at..at + new]
    }

    fn set_len(&mut self, len: usize) {
        let bytes = u32::try_from(len).expect("kept far below 4 GiB by the types").to_le_bytes();
        // SAFETY: every block has room for the length.
        unsafe { self.0.as_ptr().cast::<[u8; HEAD]>().write(bytes) }
    }

    fn resize_block(&mut self, old: usize, new: usize) {
        let (old, new) = (layout(old), layout(new));
        if old.size() == new.size() {
            return;
        }
        // SAFETY: the block was allocated with the layout of its length, which is `old`'s.
        let Some(block) = NonNull::new(unsafe { realloc(self.0.as_ptr(), old, new.size()) }) else {
            handle_alloc_error(new)
        };
        self.0 = block;
    }
}

impl Drop for Buf {
    fn drop(&mut self) {
        // SAFETY: allocated with the layout of its length.
        unsafe { dealloc(self.0.as_ptr(), layout(self.len())) }
    }
}

impl Clone for Buf {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len());
        copy.bytes_mut().copy_from_slice(self.bytes());
        copy
    }
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(class(len), 8).expect("a length of 32 bits")
}

/// The allocator's size class of `len`: steps of 16 up to 128, then four a doubling.
pub(crate) const fn class(len: usize) -> usize {
    if len <= 128 {
        return if len == 0 { 16 } else { len.next_multiple_of(16) };
    }
    let step = 1 << ((len - 1).ilog2() - 2);
    len.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use stoa_stdx::Rng;

    use super::{Buf, HEAD, class};

    #[test]
    fn a_class_holds_its_lengths_and_wastes_at_most_a_quarter() {
        for len in 1..20_000 {
            let size = class(len);
            assert!(size >= len && size <= len.max(12) + 15 + len / 4, "{len}: {size}");
            assert_eq!(class(size), size, "{len}");
        }
        assert_eq!([class(129), class(161), class(8_192), class(8_193)], [160, 192, 8_192, 10_240]);
    }

    #[test]
    fn splices_agree_with_a_vector() {
        for seed in 0..if cfg!(miri) { 2 } else { 50 } {
            let mut rng = Rng::new(seed);
            let mut buf = Buf::zeroed(HEAD);
            let mut model: Vec<u8> = Vec::new();
            for step in 0..if cfg!(miri) { 60 } else { 400 } {
                let at = rng.below(model.len() as u64 + 1) as usize;
                let old = rng.below((model.len() - at) as u64 + 1).min(90) as usize;
                let new: Vec<u8> = (0..rng.below(100)).map(|_| rng.next() as u8).collect();
                buf.splice(HEAD + at, old, new.len()).copy_from_slice(&new);
                model.splice(at..at + old, new);
                assert_eq!(&buf.bytes()[HEAD..], &model[..], "seed {seed}, step {step}");
                assert_eq!(buf.clone().bytes(), buf.bytes(), "seed {seed}, step {step}");
            }
        }
    }
}
