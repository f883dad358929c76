//! The connections of one core under io_uring: which socket, what is under way, what is owed.
//!
//! A row outlives its socket's use until the kernel has completed everything that names it;
//! only then is the descriptor closed and the row given to somebody else, one generation later.
//! So nothing the kernel still reads is freed, and a late completion finds nobody.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use stoa_stdx::ConnId;

use crate::ring::CONN_INDEX_MAX;

/// All rows, used and free.
#[derive(Default)]
pub(crate) struct Conns {
    rows: Vec<Row>,
    free: Vec<u32>,
    /// Rows with a send under way.
    sending: usize,
}

/// One connection.
#[derive(Default)]
pub(crate) struct Row {
    fd: Option<OwnedFd>,
    generation: u32,
    /// What the kernel is sending.
    out: Vec<u8>,
    out_sent: usize,
    /// To be sent after `out`, before closing.
    last: Vec<u8>,
    /// Arrived while reading was paused. Boxed: hardly any row has it.
    pub(crate) kept: Option<Box<Kept>>,
    pub(crate) phase: Phase,
    /// A receive is armed in the kernel.
    pub(crate) receiving: bool,
    sending: bool,
    /// The service wants to send more after what is under way.
    pub(crate) again: bool,
    /// The service does not want to be given data.
    pub(crate) paused: bool,
    /// The peer will send no more.
    pub(crate) ended: bool,
}

/// What arrived for a paused connection.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ended: bool,
}

/// How far the life of a connection has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The row is free.
    #[default]
    Free,
    Open,
    /// The service is done with it; its last output is being sent.
    Flushing,
    /// Everything under way is being cancelled.
    Closing,
}

impl Conns {
    /// A row for `fd`. `None` if there are as many as a tag can name.
    pub(crate) fn open(&mut self, fd: OwnedFd) -> Option<ConnId> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.rows.len() > CONN_INDEX_MAX as usize => return None,
            None => {
                self.rows.push(Row::default());
                self.rows.len() as u32 - 1
            }
        };
        let row = &mut self.rows[index as usize];
        row.fd = Some(fd);
        row.phase = Phase::Open;
        Some(ConnId { index, generation: row.generation })
    }

    /// The row of `conn`, unless it is somebody else's by now.
    pub(crate) fn get(&mut self, conn: ConnId) -> Option<&mut Row> {
        let row = self.rows.get_mut(conn.index as usize)?;
        (row.generation == conn.generation && row.phase != Phase::Free).then_some(row)
    }

    /// The row of `conn`, if the service still knows it.
    pub(crate) fn get_open(&mut self, conn: ConnId) -> Option<&mut Row> {
        self.get(conn).filter(|row| row.phase == Phase::Open)
    }

    /// Starts sending `bytes`; they stay in the row until `sent` or `end_send`.
    pub(crate) fn start_send(&mut self, conn: ConnId, bytes: Vec<u8>) -> &[u8] {
        let row = &mut self.rows[conn.index as usize];
        assert!(!row.sending && !bytes.is_empty(), "one send at a time, of something");
        row.sending = true;
        row.out = bytes;
        row.out_sent = 0;
        self.sending += 1;
        &row.out
    }

    /// The kernel took `count` bytes; what is left, if anything.
    pub(crate) fn sent(&mut self, conn: ConnId, count: usize) -> &[u8] {
        let row = &mut self.rows[conn.index as usize];
        row.out_sent += count;
        assert!(row.out_sent <= row.out.len(), "sent {} of {}", row.out_sent, row.out.len());
        &row.out[row.out_sent..]
    }

    /// The kernel is done with the output, which comes back.
    pub(crate) fn end_send(&mut self, conn: ConnId) -> Vec<u8> {
        let row = &mut self.rows[conn.index as usize];
        assert!(row.sending, "a send ended that did not begin");
        row.sending = false;
        self.sending -= 1;
        std::mem::take(&mut row.out)
    }

    /// Frees the row and closes its socket if the kernel is done with it.
    pub(crate) fn reap(&mut self, conn: ConnId) {
        let Some(row) = self.get(conn) else { return };
        if row.phase == Phase::Closing && !row.receiving && !row.sending {
            let generation = row.generation.wrapping_add(1);
            // Drops the descriptor, which closes it, and every buffer.
            *row = Row { generation, ..Row::default() };
            self.free.push(conn.index);
        }
    }

    /// How many sends are under way.
    pub(crate) fn sending(&self) -> usize {
        self.sending
    }

    /// Whether the kernel still has an operation on any row.
    pub(crate) fn is_under_way(&self) -> bool {
        self.rows.iter().any(|row| row.receiving || row.sending)
    }

    /// Every row in use.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        let used = self.rows.iter().enumerate().filter(|(_, row)| row.phase != Phase::Free);
        used.map(|(n, row)| ConnId { index: n as u32, generation: row.generation }).collect()
    }
}

impl Row {
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.fd.as_ref().expect("a row in use has a socket").as_raw_fd()
    }

    pub(crate) fn is_sending(&self) -> bool {
        self.sending
    }

    pub(crate) fn set_last(&mut self, last: Vec<u8>) {
        self.last = last;
    }

    pub(crate) fn take_last(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.last)
    }

    /// Whether the kernel should be receiving for it and is not.
    pub(crate) fn wants_recv(&self) -> bool {
        self.phase == Phase::Open && !self.receiving && !self.paused && !self.ended
    }
}

/// What an idle connection costs us, besides the kernel's socket.
const _: () = assert!(size_of::<Row>() <= 128, "an idle connection is to stay below 1 KiB");

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> OwnedFd {
        std::os::unix::net::UnixStream::pair().expect("a pair").0.into()
    }

    #[test]
    fn a_row_used_again_does_not_answer_to_its_old_id() {
        let mut conns = Conns::default();
        let old = conns.open(socket()).expect("room");
        conns.get(old).expect("open").phase = Phase::Closing;
        conns.reap(old);
        let new = conns.open(socket()).expect("room");
        assert_eq!(new.index, old.index);
        assert!(conns.get(old).is_none() && conns.get(new).is_some());
    }

    #[test]
    fn a_row_is_not_freed_while_the_kernel_reads_its_output() {
        let mut conns = Conns::default();
        let conn = conns.open(socket()).expect("room");
        conns.start_send(conn, b"reply".to_vec());
        conns.get(conn).expect("open").phase = Phase::Closing;
        conns.reap(conn);
        assert!(conns.get(conn).is_some());
        assert_eq!(conns.end_send(conn), b"reply");
        conns.reap(conn);
        assert!(conns.get(conn).is_none());
    }
}
