//! Our own io_uring: its set-up, the operations we use, and the tags that say whose a completion is.
//!
//! One issuer, and completions run only when we ask for them (DEFER_TASKRUN): the kernel then
//! never interrupts the shard to do its bookkeeping, which measured as the largest single factor.
//! TASKRUN_FLAG makes the kernel say in shared memory that it has such work, so that an empty look
//! costs two loads and no system call. The ring's descriptor is registered, which saves a file
//! lookup in every call; that and `enter` are done by hand, because the crate remembers the
//! registration only in a short-lived borrow.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::types::{BufRingEntry, CancelBuilder, Fd, TimeoutFlags, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use stoa_stdx::{ConnId, MonoMs};

use crate::buffers::RecvBuffers;

/// Submissions collected before a pass must enter the kernel in the middle.
const SUBMISSION_LEN: u32 = 512;

/// Completions the kernel can hold without setting some aside: 128 full buffers, a send for each
/// of a few thousand connections, and some accepts.
const COMPLETION_LEN: u32 = 4_096;

/// Completions handled in one pass.
const TAKE_MAX: usize = 1_024;

/// From the kernel's io_uring.h; the crate keeps them to itself.
const IORING_ENTER_GETEVENTS: u32 = 1;
const IORING_ENTER_REGISTERED_RING: u32 = 1 << 4;
const IORING_REGISTER_RING_FDS: u32 = 20;

/// The one group of provided buffers.
const RECV_GROUP: u16 = 0;

pub(crate) struct Ring {
    ring: IoUring,
    enter_fd: RawFd,
    enter_flags: u32,
    /// Read by the kernel when the timeout is submitted.
    deadline: Box<Timespec>,
}

/// What a completion belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Bytes, or the end of them.
    Recv(ConnId),
    Send(ConnId),
    /// A new socket at this listener of the shard.
    Accept(u32),
    /// The armed deadline, or its update.
    Deadline,
    /// The bell was rung.
    Bell,
    /// Nobody waits for it.
    None,
}

/// One completion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completion {
    pub(crate) tag: Tag,
    pub(crate) result: i32,
    pub(crate) buffer: Option<u16>,
    /// The operation goes on and will complete again.
    pub(crate) more: bool,
}

/// A connection's row is 24 bits of a tag.
pub(crate) const CONN_INDEX_MAX: u32 = (1 << 24) - 1;

impl Tag {
    fn pack(self) -> u64 {
        let (kind, index, generation) = match self {
            Self::None => (0_u64, 0, 0),
            Self::Recv(conn) => (1, conn.index, conn.generation),
            Self::Send(conn) => (2, conn.index, conn.generation),
            Self::Accept(listener) => (3, listener, 0),
            Self::Deadline => (4, 0, 0),
            Self::Bell => (5, 0, 0),
        };
        debug_assert!(index <= CONN_INDEX_MAX, "row {index} does not fit a tag");
        kind << 56 | u64::from(index) << 32 | u64::from(generation)
    }

    fn unpack(bits: u64) -> Self {
        let index = (bits >> 32) as u32 & CONN_INDEX_MAX;
        let conn = ConnId { index, generation: bits as u32 };
        match bits >> 56 {
            1 => Self::Recv(conn),
            2 => Self::Send(conn),
            3 => Self::Accept(index),
            4 => Self::Deadline,
            5 => Self::Bell,
            // Only what `pack` made comes back.
            _ => Self::None,
        }
    }
}

impl Ring {
    pub(crate) fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_clamp()
            .setup_cqsize(COMPLETION_LEN)
            .build(SUBMISSION_LEN)?;
        let (enter_fd, enter_flags) = match register_ring_fd(ring.as_raw_fd()) {
            Ok(index) => (index, IORING_ENTER_REGISTERED_RING),
            // Only slower.
            Err(_) => (ring.as_raw_fd(), 0),
        };
        Ok(Self { ring, enter_fd, enter_flags, deadline: Box::default() })
    }

    /// Whether entering would do anything: something to submit, or work the kernel has set aside.
    pub(crate) fn needs_enter(&mut self) -> bool {
        let queue = self.ring.submission();
        !queue.is_empty() || queue.taskrun() || queue.cq_overflow()
    }

    /// Submits what was queued, lets the kernel finish its work, and waits for `want` completions.
    pub(crate) fn enter(&mut self, want: u32) -> io::Result<()> {
        let to_submit = self.ring.submission().len();
        let flags = IORING_ENTER_GETEVENTS | self.enter_flags;
        // SAFETY: plain numbers and no argument structure. What the queued entries point to is
        // kept alive by whoever queued them, as each operation below demands.
        let result = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.enter_fd,
                to_submit as u32,
                want,
                flags,
                std::ptr::null::<libc::c_void>(),
                0_usize,
            )
        };
        if result >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            // A signal, or the kernel has set completions aside until we take some: come again.
            Some(libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
            _ => Err(error),
        }
    }

    /// Whether a completion can be taken without entering.
    pub(crate) fn has_completions(&mut self) -> bool {
        !self.ring.completion().is_empty()
    }

    /// Takes completions, at most as many as a pass should handle.
    pub(crate) fn take(&mut self, into: &mut Vec<Completion>) {
        into.extend(self.ring.completion().take(TAKE_MAX).map(|entry| Completion {
            tag: Tag::unpack(entry.user_data()),
            result: entry.result(),
            buffer: cqueue::buffer_select(entry.flags()),
            more: cqueue::more(entry.flags()),
        }));
    }

    /// Receives into provided buffers until told otherwise.
    pub(crate) fn recv(&mut self, fd: RawFd, conn: ConnId) {
        let entry = opcode::RecvMulti::new(Fd(fd), RECV_GROUP).build();
        // SAFETY: the memory it writes is the registered buffer ring's, see `register_buffers`.
        unsafe { self.push(entry, Tag::Recv(conn)) };
    }

    /// Sends `bytes`.
    ///
    /// # Safety
    ///
    /// `bytes` must stay where it is, unchanged, until the completion for this tag was taken.
    pub(crate) unsafe fn send(&mut self, fd: RawFd, bytes: &[u8], conn: ConnId) {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(Fd(fd), bytes.as_ptr(), len).flags(libc::MSG_NOSIGNAL);
        // SAFETY: the caller keeps the bytes.
        unsafe { self.push(entry.build(), Tag::Send(conn)) };
    }

    /// Accepts until told otherwise.
    pub(crate) fn accept(&mut self, fd: RawFd, listener: u32) {
        let entry = opcode::AcceptMulti::new(Fd(fd)).flags(libc::SOCK_CLOEXEC).build();
        // SAFETY: takes no memory: multishot accept gives no address.
        unsafe { self.push(entry, Tag::Accept(listener)) };
    }

    /// Ends the receiving of `conn`.
    pub(crate) fn cancel_recv(&mut self, conn: ConnId) {
        let entry = opcode::AsyncCancel::new(Tag::Recv(conn).pack()).build();
        // SAFETY: takes no memory.
        unsafe { self.push(entry, Tag::None) };
    }

    /// Ends everything under way on `fd`.
    pub(crate) fn cancel_fd(&mut self, fd: RawFd) {
        let entry = opcode::AsyncCancel2::new(CancelBuilder::fd(Fd(fd)).all()).build();
        // SAFETY: takes no memory.
        unsafe { self.push(entry, Tag::None) };
    }

    /// Ends everything.
    pub(crate) fn cancel_all(&mut self) {
        let entry = opcode::AsyncCancel2::new(CancelBuilder::any().all()).build();
        // SAFETY: takes no memory.
        unsafe { self.push(entry, Tag::None) };
    }

    /// Completes with [`Tag::Deadline`] at `at`; `armed` moves the one that is under way.
    pub(crate) fn deadline(&mut self, at: MonoMs, armed: bool) {
        // The queue may still hold an entry that points to the timespec.
        if !self.ring.submission().is_empty() {
            let _ = self.enter(0);
        }
        *self.deadline = Timespec::new().sec(at.0 / 1_000).nsec((at.0 % 1_000) as u32 * 1_000_000);
        let (entry, tag) = if armed {
            let moved = opcode::TimeoutUpdate::new(Tag::Deadline.pack(), &*self.deadline);
            (moved.flags(TimeoutFlags::ABS).build(), Tag::None)
        } else {
            let new = opcode::Timeout::new(&*self.deadline).flags(TimeoutFlags::ABS);
            (new.build(), Tag::Deadline)
        };
        // SAFETY: the kernel reads the timespec when the entry is submitted; it is boxed and not
        // written before that, because the queue is emptied first (above).
        unsafe { self.push(entry, tag) };
    }

    /// Completes with [`Tag::Bell`] when `fd`, an eventfd, becomes readable.
    pub(crate) fn poll_bell(&mut self, fd: RawFd) {
        let entry = opcode::PollAdd::new(Fd(fd), libc::POLLIN as u32).build();
        // SAFETY: takes no memory.
        unsafe { self.push(entry, Tag::Bell) };
    }

    /// Registers the ring of receive buffers.
    ///
    /// # Safety
    ///
    /// `entries` entries must lie at `ring`, page aligned, and they and the buffers they name must
    /// live, written by no one but through the protocol, as long as this ring.
    pub(crate) unsafe fn register_buffers(
        &mut self,
        ring: *const BufRingEntry,
        entries: u16,
    ) -> io::Result<()> {
        let submitter = self.ring.submitter();
        // SAFETY: the caller's promise.
        unsafe { submitter.register_buf_ring_with_flags(ring as u64, entries, RECV_GROUP, 0) }
    }

    /// # Safety
    ///
    /// What `entry` points to must live until its completion was taken.
    unsafe fn push(&mut self, entry: squeue::Entry, tag: Tag) {
        let entry = entry.user_data(tag.pack());
        loop {
            // SAFETY: the caller's promise, handed on.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return;
            }
            // Full in the middle of a pass. The kernel takes all of it: SUBMIT_ALL.
            if let Err(error) = self.enter(0) {
                panic!("io_uring takes no more submissions: {error}");
            }
        }
    }
}

fn register_ring_fd(fd: RawFd) -> io::Result<RawFd> {
    /// `struct io_uring_rsrc_update`.
    #[repr(C)]
    struct Update {
        offset: u32,
        resv: u32,
        data: u64,
    }
    let mut update = Update { offset: u32::MAX, resv: 0, data: fd as u64 };
    // SAFETY: the kernel reads and writes one `Update`, laid out as it defines it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            fd,
            IORING_REGISTER_RING_FDS,
            std::ptr::from_mut(&mut update),
            1_u32,
        )
    };
    if result == 1 { Ok(update.offset as RawFd) } else { Err(io::Error::last_os_error()) }
}

/// Whether this kernel, and whoever confines us, allows all that the driver needs.
pub(crate) fn probe() -> io::Result<()> {
    let mut ring = Ring::new()?;
    let buffers = RecvBuffers::new(&mut ring, 1, 4_096)?;
    // In this order: the kernel knows the buffers until the ring is gone.
    drop(ring);
    drop(buffers);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_back_as_it_went() {
        let conn = ConnId { index: CONN_INDEX_MAX, generation: u32::MAX };
        let first = ConnId { index: 0, generation: 0 };
        for tag in [
            Tag::Recv(conn),
            Tag::Send(conn),
            Tag::Recv(first),
            Tag::Send(first),
            Tag::Accept(7),
            Tag::Deadline,
            Tag::Bell,
            Tag::None,
        ] {
            assert_eq!(Tag::unpack(tag.pack()), tag);
        }
    }
}
