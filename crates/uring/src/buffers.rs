//! The two kinds of buffers: those the kernel fills, and those services fill.
//!
//! Receive buffers belong to the core, not to connections: the kernel picks one when bytes arrive
//! and it is given back after the pass, so an idle connection owns none. They are mapped, not
//! allocated, and therefore take memory only as far as load has ever needed. Output buffers
//! circulate: what was sent becomes the next connection's empty one.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use crate::ring::Ring;

/// The receive buffers of one core.
pub(crate) struct RecvBuffers {
    memory: Mapping,
    count: u16,
    buffer_bytes: u32,
    /// Where the next buffer is put; the kernel sees it only when `publish` stores it.
    tail: u16,
    published: u16,
    /// Buffers that the kernel filled and we have not given back.
    out: u16,
}

impl RecvBuffers {
    pub(crate) fn new(ring: &mut Ring, count: u16, buffer_bytes: u32) -> io::Result<Self> {
        assert!(count.is_power_of_two(), "{count} receive buffers: not a power of two");
        let bytes = entries_bytes(count) + usize::from(count) * buffer_bytes as usize;
        let memory = Mapping::new(bytes)?;
        let mut buffers = Self { memory, count, buffer_bytes, tail: 0, published: 0, out: count };
        let entries = buffers.memory.at(0).cast::<BufRingEntry>();
        // SAFETY: the mapping is page aligned, starts with the entries, and outlives the ring:
        // the driver drops its ring first (see its field order).
        unsafe { ring.register_buffers(entries.as_ptr(), count)? };
        for id in 0..count {
            buffers.give_back(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// The kernel filled one.
    pub(crate) fn taken(&mut self) {
        self.out += 1;
    }

    /// Whether the kernel has none left.
    pub(crate) fn is_dry(&self) -> bool {
        self.out == self.count
    }

    /// Never unmaps them: the kernel may still write.
    pub(crate) fn leak(&mut self) {
        self.memory.is_leaked = true;
    }

    /// What the kernel put into buffer `id`.
    pub(crate) fn bytes(&self, id: u16, len: u32) -> &[u8] {
        assert!(id < self.count && len <= self.buffer_bytes, "the kernel named buffer {id}:{len}");
        let start = self.memory.at(self.offset(id));
        // SAFETY: inside the mapping (asserted), initialised (mappings start as zeros), and not
        // written while we hold it: the kernel owns a buffer only from `publish` after `give_back`
        // to its completion, and `give_back` takes `&mut self`.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), len as usize) }
    }

    /// Lets the kernel have buffer `id` again, once published.
    pub(crate) fn give_back(&mut self, id: u16) {
        assert!(id < self.count, "there is no buffer {id}");
        let slot = usize::from(self.tail & (self.count - 1));
        let start = self.memory.at(self.offset(id));
        let entry = self.memory.at(slot * size_of::<BufRingEntry>()).cast::<BufRingEntry>();
        // SAFETY: inside the mapping and aligned (its start is page aligned, entries are 16
        // bytes). The kernel reads entries only below the published tail, and this one is at or
        // above it: never more than `count` buffers are out, so the slot has been consumed. The
        // tail shares memory with the reserved field of entry 0, which the setters do not write.
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(start.as_ptr() as u64);
        entry.set_len(self.buffer_bytes);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        self.out -= 1;
    }

    /// Hands over everything given back since the last time, in one store.
    pub(crate) fn publish(&mut self) {
        if self.tail == self.published {
            return;
        }
        self.published = self.tail;
        // SAFETY: entry 0 is inside the mapping; its tail field is a u16, aligned, shared with the
        // kernel and accessed by us only through this atomic.
        let tail = unsafe {
            let field = BufRingEntry::tail(self.memory.at(0).cast::<BufRingEntry>().as_ptr());
            AtomicU16::from_ptr(field.cast_mut())
        };
        tail.store(self.tail, Ordering::Release);
    }

    fn offset(&self, id: u16) -> usize {
        entries_bytes(self.count) + usize::from(id) * self.buffer_bytes as usize
    }
}

/// The entries' room, rounded up so that the first buffer begins on a page.
fn entries_bytes(count: u16) -> usize {
    (usize::from(count) * size_of::<BufRingEntry>()).next_multiple_of(4_096)
}

/// Anonymous memory of our own, zeroed, given back on drop.
struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
    is_leaked: bool,
}

impl Mapping {
    fn new(bytes: usize) -> io::Result<Self> {
        // SAFETY: a new private mapping at an address of the kernel's choice touches nothing that
        // exists.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, bytes, is_leaked: false })
    }

    fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset < self.bytes, "offset {offset} of a mapping of {}", self.bytes);
        // SAFETY: inside the mapping, as just asserted.
        unsafe { self.start.add(offset) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if !self.is_leaked {
            // SAFETY: our own mapping, unmapped once; slices of it borrow the owner of this.
            unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
        }
    }
}

/// Output buffers between two uses.
#[derive(Default)]
pub(crate) struct Spares {
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
}

/// A buffer up to this is an ordinary one.
const SMALL_BYTES_MAX: usize = 64 * 1024;
const LARGE_BYTES_MIN: usize = SMALL_BYTES_MAX + 1;
/// A buffer above this came from one huge reply and is freed at once.
const LARGE_BYTES_MAX: usize = 1024 * 1024;
/// One pass can need one for each connection that sent something; 128 receive buffers bound that.
const SMALL_LEN_MAX: usize = 128;
const LARGE_LEN_MAX: usize = 4;

impl Spares {
    /// An empty buffer, used before if possible.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.small.pop().or_else(|| self.large.pop()).unwrap_or_default()
    }

    /// Keeps `buffer` for later, or frees it.
    pub(crate) fn keep(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        let (pool, len_max) = match buffer.capacity() {
            0 => return,
            1..=SMALL_BYTES_MAX => (&mut self.small, SMALL_LEN_MAX),
            LARGE_BYTES_MIN..=LARGE_BYTES_MAX => (&mut self.large, LARGE_LEN_MAX),
            _ => return,
        };
        if pool.len() < len_max {
            pool.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spare_buffers_are_bounded_in_number_and_size() {
        let mut spares = Spares::default();
        for _ in 0..1_000 {
            spares.keep(Vec::with_capacity(100));
            spares.keep(Vec::with_capacity(SMALL_BYTES_MAX + 1));
            spares.keep(Vec::with_capacity(LARGE_BYTES_MAX + 1));
            spares.keep(Vec::new());
        }
        assert_eq!((spares.small.len(), spares.large.len()), (SMALL_LEN_MAX, LARGE_LEN_MAX));
        assert!(spares.large.iter().all(|b| b.capacity() <= LARGE_BYTES_MAX));
    }

    #[test]
    fn a_spare_buffer_comes_back_empty() {
        let mut spares = Spares::default();
        spares.keep(b"old".to_vec());
        let again = spares.take();
        assert!(again.is_empty() && again.capacity() >= 3);
    }
}
