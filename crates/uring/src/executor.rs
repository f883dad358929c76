//! What a shard's loop runs inside: a glommio executor, or the bare thread.
//!
//! In glommio the loop is its main task. While there is work it never yields, except when the
//! executor's preempt timer says that others have waited; to sleep it awaits a read of the
//! shard's eventfd, which our ring and other shards write. glommio can only read files that it
//! opened itself, so we open one and put the eventfd in its place.
//!
//! Two traps of glommio 0.9 shape this. Its executor may go to sleep with a runnable task if the
//! preempt timer fires before it looks; so the loop never relies on being noticed as runnable but
//! always on a completed read, the timer keeps its default of 100 ms, and a tick bounds what a
//! lost wake-up can cost. And it serves its own timers late when busy; so deadlines are on our
//! ring.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use glommio::io::BufferedFile;
use glommio::{LocalExecutorBuilder, Placement};

use crate::core::Turn;
use crate::options::ExecutorChoice;
use crate::service::Service;
use crate::uring_driver::UringDriver;

/// A wake-up lost by the executor is made up for after this long. Cheap enough for an idle server.
const TICK: Duration = Duration::from_secs(1);

/// The least the executor takes for its own buffers; it pins them, and we do not use them.
const IO_MEMORY_BYTES: usize = 64 * 1024;

/// glommio refuses to start below this much lockable memory.
pub(crate) const MEMLOCK_BYTES_MIN: u64 = 512 * 1024;

/// Runs the shard that `make` builds, on this thread, until it stops.
pub(crate) fn run<S: Service>(
    executor: ExecutorChoice,
    spins_before_park: u32,
    make: impl FnOnce() -> io::Result<UringDriver<S>>,
) -> io::Result<()> {
    match executor {
        ExecutorChoice::Thread => in_thread(make()?, spins_before_park),
        ExecutorChoice::Glommio => {
            // The thread is pinned already; an executor that binds itself would undo that.
            let executor = LocalExecutorBuilder::new(Placement::Unbound)
                .io_memory(IO_MEMORY_BYTES)
                .make()
                .map_err(|error| io::Error::other(format!("cannot start glommio: {error}")))?;
            executor.run(async { in_glommio(make()?, spins_before_park).await })
        }
    }
}

fn in_thread<S: Service>(mut driver: UringDriver<S>, spins_before_park: u32) -> io::Result<()> {
    let mut idle = 0;
    loop {
        match driver.turn()? {
            Turn::Again => idle = 0,
            Turn::Blocked => std::thread::yield_now(),
            Turn::Done => return Ok(()),
            Turn::Idle if idle < spins_before_park => {
                idle += 1;
                std::hint::spin_loop();
            }
            Turn::Idle => {
                idle = 0;
                driver.park_in_ring()?;
                driver.unpark();
            }
        }
    }
}

async fn in_glommio<S: Service>(
    mut driver: UringDriver<S>,
    spins_before_park: u32,
) -> io::Result<()> {
    driver.register_bell()?;
    let shared = driver.shared();
    let bell = shared.bell(driver.shard());
    let file = as_glommio_file(bell.as_fd()).await?;
    let tick = glommio::spawn_local(async {
        loop {
            glommio::timer::sleep(TICK).await;
        }
    });
    let mut idle = 0;
    loop {
        match driver.turn()? {
            Turn::Again => {
                idle = 0;
                if glommio::executor().need_preempt() {
                    // Others have waited long enough: one round of the executor, and the ring of
                    // our own bell brings us back.
                    bell.ring();
                    await_bell(&file).await?;
                }
            }
            Turn::Blocked => std::thread::yield_now(),
            Turn::Done => break,
            Turn::Idle if idle < spins_before_park => {
                idle += 1;
                std::hint::spin_loop();
            }
            Turn::Idle => {
                idle = 0;
                if driver.park_on_eventfd()? {
                    await_bell(&file).await?;
                }
                driver.unpark();
            }
        }
    }
    tick.cancel().await;
    drop(driver);
    file.close().await.map_err(io::Error::from)
}

async fn await_bell(file: &BufferedFile) -> io::Result<()> {
    file.read_at(0, 8).await.map(drop).map_err(io::Error::from)
}

/// `fd` as a file that glommio can read.
async fn as_glommio_file(fd: BorrowedFd<'_>) -> io::Result<BufferedFile> {
    let file = BufferedFile::open("/dev/null").await?;
    // SAFETY: plain descriptors. `file` owns the one that is replaced and goes on owning it under
    // the same number; what was open there is only `/dev/null`.
    let result = unsafe { libc::dup3(fd.as_raw_fd(), file.as_raw_fd(), libc::O_CLOEXEC) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(file) }
}
