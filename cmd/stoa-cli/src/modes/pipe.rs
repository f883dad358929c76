//! `--pipe`: requests from stdin straight to the server, replies counted.
//!
//! One thread writes while another reads, so that neither side can be stuck writing. An ECHO of a
//! random text goes last; when it comes back, all replies before it have come.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use stoa_client::{Connection, Error, Stream, Value};

use crate::session::{Failure, Outcome, Session, complain, describe, print};

/// How often a silent server is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Sends all of stdin. The exit code is 1 if any reply was an error.
pub(crate) fn run(session: &mut Session) -> Outcome {
    let mut options = session.options.clone();
    // What comes in is RESP2 as often as not; the replies are only counted.
    options.proto = None;
    let timeout = options.pipe_timeout;
    let mut connection = Session::new(options).into_connection()?;
    let stream = connection.stream().try_clone()?;
    connection.set_read_timeout(Some(LOOK_EVERY))?;
    let last = marker();
    let all_sent = Arc::new(AtomicBool::new(false));
    let writer = {
        let (last, all_sent) = (last.clone(), Arc::clone(&all_sent));
        thread::spawn(move || send_all(stream, &last, &all_sent))
    };
    let (errors, replies) = count_replies(&mut connection, &last, &all_sent, timeout);
    if writer.is_finished() {
        match writer.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(Failure("Error: the sending thread failed".to_owned())),
        }
    }
    print(format!("errors: {errors}, replies: {replies}\n").as_bytes());
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Twenty bytes no reply will have by chance.
fn marker() -> Vec<u8> {
    use std::hash::{BuildHasher, Hasher, RandomState};
    format!("{:020}", RandomState::new().build_hasher().finish()).into_bytes()
}

fn send_all(mut stream: Stream, last: &[u8], all_sent: &AtomicBool) -> std::io::Result<()> {
    let mut stdin = std::io::stdin().lock();
    let mut buf = vec![0; 64 * 1024];
    loop {
        match stdin.read(&mut buf) {
            Ok(0) => break,
            Ok(len) => stream.write_all(&buf[..len])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // An empty line first: the input may end in the middle of one.
    stream.write_all(b"\r\n")?;
    print(b"All data transferred. Waiting for the last reply...\n");
    all_sent.store(true, Ordering::Release);
    let mut request = Vec::new();
    stoa_resp::write_request(&mut request, &[b"ECHO", last]);
    stream.write_all(&request)
}

/// Reads until the marker comes back, the connection ends, or nothing came for too long. Returns
/// errors and replies, the marker not counted.
fn count_replies(
    connection: &mut Connection,
    last: &[u8],
    all_sent: &AtomicBool,
    timeout: Duration,
) -> (u64, u64) {
    let (mut errors, mut replies, mut heard) = (0, 0, Instant::now());
    loop {
        match connection.receive() {
            Ok(Value::Error(text)) => {
                complain(String::from_utf8_lossy(&text));
                errors += 1;
                replies += 1;
            }
            Ok(Value::Bulk(text)) if text == last => {
                print(b"Last reply received from server.\n");
                return (errors, replies);
            }
            Ok(_) => replies += 1,
            Err(error) if error.is_timeout() => {
                if all_sent.load(Ordering::Acquire)
                    && !timeout.is_zero()
                    && heard.elapsed() >= timeout
                {
                    complain(format!("No replies for {} seconds: exiting.", timeout.as_secs()));
                    return (errors + 1, replies);
                }
                continue;
            }
            Err(error @ (Error::Io(_) | Error::Closed | Error::Decode(_))) => {
                complain(describe(&error));
                return (errors + 1, replies);
            }
            Err(error @ (Error::Connect(..) | Error::Refused(..))) => {
                unreachable!("only opening a connection does this: {error}")
            }
        }
        heard = Instant::now();
    }
}
