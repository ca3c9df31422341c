//! Serves the page, on this machine only. web/SECURITY.md says against what it stands.
//!
//! (hyper with tower-http's ServeDir is 36 crates and 26 seconds of a processor before the page is first
//! seen, for 150 lines here and in `answer`; ServeDir follows links, and neither bounds the connections nor
//! the time of an answer. tiny_http hung under the connections of a browser.)

pub mod answer;
mod folder;

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use answer::{Answer, Site};

/// Most bytes of a request; those of browsers have less than 2,000.
const MAX_REQUEST: usize = 16 * 1024;

/// Bytes of an answer that are given to the system at a time.
const CHUNK: usize = 64 * 1024;

/// What is read and thrown away behind a request, so that its answer arrives: a connection that is closed
/// before everything was read is reset, and the answer with it.
const MAX_REST: usize = 1 << 20;

/// How long the server rests when the system gives it no connection, for want of file handles.
const REST: Duration = Duration::from_millis(50);

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; a browser opens six.
    pub connections: usize,
    /// From the connection to the end of the request, and for the close after an answer.
    pub request: Duration,
    /// For an answer, and a second more for every [`Self::pace`] bytes of it.
    pub answer: Duration,
    /// Bytes a second that a client has to take.
    pub pace: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let [request, answer] = [10, 20].map(Duration::from_secs);
        Self { connections: 64, request, answer, pace: 32 * 1024 }
    }
}

/// A server with its files.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    site: Arc<Site>,
    address: SocketAddr,
    limits: Limits,
}

impl Server {
    /// Reads the folder and listens on the loopback address.
    ///
    /// # Errors
    /// A folder that cannot be read or is no page, or a port that is taken.
    pub fn bind(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let files = folder::read(folder)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("cannot listen on port {port}; take another with --port"))?;
        let address = listener.local_addr().context("the server has no address")?;
        let site = Arc::new(Site::new(files, address.port()));
        Ok(Self { listener, site, address, limits: Limits::default() })
    }

    /// The same with other limits.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for ever, every connection on its own thread.
    pub fn run(self) {
        // Counts the connections: each holds one until it ends, however it ends.
        let slots = Arc::new(());
        for stream in self.listener.incoming() {
            let Ok(stream) = stream else {
                std::thread::sleep(REST);
                continue;
            };
            let (site, limits, slot) = (Arc::clone(&self.site), self.limits, Arc::clone(&slots));
            if Arc::strong_count(&slots) > limits.connections + 1 {
                turn_away(stream);
                continue;
            }
            // Where the system has no more threads, the connection is closed.
            let _ = std::thread::Builder::new().spawn(move || {
                // Whoever asked may be gone already.
                let _ = serve(stream, &site, limits);
                drop(slot);
            });
        }
    }
}

/// Says that there are too many connections, without waiting for anything.
fn turn_away(mut stream: TcpStream) {
    let answer = answer::BUSY;
    if stream.set_nonblocking(true).is_ok() {
        let _ = stream.write_all(&[answer.head().as_bytes(), answer.body].concat());
    }
}

/// Answers one request and closes the connection.
fn serve(mut stream: TcpStream, site: &Site, limits: Limits) -> io::Result<()> {
    let (mut head, end) = (Vec::new(), Instant::now() + limits.request);
    let answer = match receive(&mut stream, &mut head, end)? {
        Received::All => site.answer(&head),
        Received::TooMuch => answer::TOO_LARGE,
        Received::Late => answer::LATE,
        // Browsers open connections that they then have no need of.
        Received::Nothing => return Ok(()),
    };
    send(&mut stream, &answer, limits)?;
    stream.shutdown(Shutdown::Write)?;
    let (end, mut rest) = (Instant::now() + limits.request, [0; 4096]);
    let mut left = MAX_REST;
    while left > 0 {
        match read(&mut stream, &mut rest, end)? {
            0 => break,
            count => left = left.saturating_sub(count),
        }
    }
    Ok(())
}

/// How far a request came.
enum Received {
    All,
    TooMuch,
    Late,
    Nothing,
}

/// Reads a request up to its empty line.
fn receive(stream: &mut TcpStream, head: &mut Vec<u8>, end: Instant) -> io::Result<Received> {
    let mut part = [0; 2048];
    while head.len() < MAX_REQUEST {
        let count = match read(stream, &mut part, end) {
            Ok(count) => count,
            Err(error) if is_late(&error) && head.is_empty() => return Ok(Received::Nothing),
            Err(error) if is_late(&error) => return Ok(Received::Late),
            Err(error) => return Err(error),
        };
        if count == 0 {
            return Ok(if head.is_empty() { Received::Nothing } else { Received::All });
        }
        // The empty line may have begun before this part.
        let from = head.len().saturating_sub(3);
        head.extend_from_slice(&part[..count]);
        if head[from..].windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(Received::All);
        }
    }
    Ok(Received::TooMuch)
}

/// Writes an answer to a client that takes it at the pace of the limits.
fn send(stream: &mut TcpStream, answer: &Answer, limits: Limits) -> io::Result<()> {
    let seconds = answer.body.len() / limits.pace.max(1);
    let end = Instant::now() + limits.answer + Duration::from_secs(seconds as u64);
    let head = answer.head();
    let body = if answer.with_body { answer.body } else { &[] };
    for mut bytes in std::iter::once(head.as_bytes()).chain(body.chunks(CHUNK)) {
        while !bytes.is_empty() {
            stream.set_write_timeout(Some(left(end)?))?;
            match stream.write(bytes)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => bytes = &bytes[count..],
            }
        }
    }
    Ok(())
}

/// Reads some bytes until then.
fn read(stream: &mut TcpStream, bytes: &mut [u8], end: Instant) -> io::Result<usize> {
    stream.set_read_timeout(Some(left(end)?))?;
    stream.read(bytes)
}

/// The time until then, of which there must be some.
fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Systems call it by either name.
fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}
