//! A small HTTP/1.1 server on this machine that can be as bad as those out there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// What the server does with a request for a part.
#[derive(Clone, Copy, PartialEq)]
pub enum Ranges {
    /// 206 and the part.
    Served,
    /// 200 and everything.
    Ignored,
    /// 416.
    Refused,
}

/// Every request gets the same body.
#[derive(Clone)]
pub struct Behaviour {
    pub body: Vec<u8>,
    pub ranges: Ranges,
    /// Bytes of the body after which the connection is closed.
    pub breaks_after: Option<usize>,
    pub status: &'static str,
}

/// What the server was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub path: String,
    pub range: Option<String>,
    /// Bytes of the body that were sent.
    pub sent: usize,
}

/// Runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Behaviour {
    pub fn good(body: &[u8]) -> Self {
        let body = body.to_vec();
        Self { body, ranges: Ranges::Served, breaks_after: None, status: "200 OK" }
    }
}

impl Server {
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, stopped) = (Arc::clone(&requests), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                answer(stream.unwrap(), &behaviour, &log);
            }
        });
        Self { address, requests, stop, thread: Some(thread) }
    }

    /// What `--url-base` gets.
    pub fn base(&self) -> String {
        format!("http://{}/mirror", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread up.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn answer(mut stream: TcpStream, behaviour: &Behaviour, log: &Mutex<Vec<Request>>) {
    let (path, range) = read(&stream);
    let Behaviour { body, ranges, breaks_after, status } = behaviour;
    let mut head = format!("HTTP/1.1 {status}\r\n");
    let mut start = 0;
    if let Some(from) = range.as_deref().and_then(|range| range.strip_prefix("bytes=")) {
        let from: usize = from.trim_end_matches('-').parse().unwrap();
        match ranges {
            Ranges::Ignored => {}
            Ranges::Refused => head = "HTTP/1.1 416 Range Not Satisfiable\r\n".to_owned(),
            Ranges::Served => {
                let (last, all) = (body.len() - 1, body.len());
                head = "HTTP/1.1 206 Partial Content\r\n".to_owned();
                head += &format!("Content-Range: bytes {from}-{last}/{all}\r\n");
                start = from;
            }
        }
    }
    let rest = &body[start..];
    head += &format!("Content-Length: {}\r\nConnection: close\r\n\r\n", rest.len());
    let sent = &rest[..breaks_after.unwrap_or(rest.len()).min(rest.len())];
    // Logged before the client can see the end of the answer.
    log.lock().unwrap().push(Request { path, range, sent: sent.len() });
    // A client may hang up on an answer that it does not like.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent));
    let _ = stream.shutdown(Shutdown::Both);
}

/// Path and Range of a request.
fn read(stream: &TcpStream) -> (String, Option<String>) {
    let (mut path, mut range) = (String::new(), None);
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.is_empty() {
            break;
        } else if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next().unwrap_or_default().to_owned();
        } else if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("range")
        {
            range = Some(value.trim().to_owned());
        }
    }
    (path, range)
}
