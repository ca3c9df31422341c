//! From a request to its answer: bytes in, bytes out.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

const MAX_HEADERS: usize = 64;

/// What a page of ours may load: its own files, and WebAssembly.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
                      style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Content types by extension.
const TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("gz", "application/gzip"),
];

const TEXT: &str = "text/plain; charset=utf-8";
const OK: &str = "200 OK";
const NOT_MODIFIED: &str = "304 Not Modified";
const BAD: Answer = refusal("400 Bad Request", "this is no request\n");
const FOREIGN: Answer = refusal("403 Forbidden", "this server answers as 127.0.0.1 only\n");
const UNKNOWN: Answer = refusal("404 Not Found", "no such file\n");
const METHOD: Answer = refusal("405 Method Not Allowed", "only GET and HEAD\n");
pub(super) const LATE: Answer = refusal("408 Request Timeout", "the request took too long\n");
pub(super) const TOO_LARGE: Answer =
    refusal("431 Request Header Fields Too Large", "the request is too large\n");
pub(super) const BUSY: Answer = refusal("503 Service Unavailable", "too many connections\n");

/// Files by their path.
pub type Files = HashMap<String, File>;

/// A file with what tells it from another version of itself.
#[derive(Clone, Debug)]
pub struct File {
    body: Vec<u8>,
    tag: String,
}

impl File {
    /// One with this content.
    pub fn new(body: Vec<u8>) -> Self {
        let mut hash = DefaultHasher::new();
        body.hash(&mut hash);
        Self { tag: format!("\"{:016x}\"", hash.finish()), body }
    }
}

/// Files, and the names under which they are served.
#[derive(Debug)]
pub struct Site {
    files: Files,
    hosts: Vec<String>,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Its code in words.
    pub status: &'static str,
    kind: &'static str,
    tag: Option<&'a str>,
    /// Its content.
    pub body: &'a [u8],
    /// Whether the content is sent, or only told of.
    pub with_body: bool,
}

const fn refusal(status: &'static str, text: &'static str) -> Answer<'static> {
    Answer { status, kind: TEXT, tag: None, body: text.as_bytes(), with_body: true }
}

impl Answer<'_> {
    /// All lines before the content. Every answer has the same ones, so that nothing is left open anywhere.
    pub fn head(&self) -> String {
        let Self { status, kind, tag, body, .. } = self;
        // A browser keeps the file, and asks whether it is still the same (no-cache).
        let tag = tag.map_or_else(String::new, |tag| format!("ETag: {tag}\r\n"));
        // What was not modified is sent without a length, which would be that of the file.
        let length = match *status {
            NOT_MODIFIED => String::new(),
            _ => format!("Content-Length: {}\r\n", body.len()),
        };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{length}Content-Security-Policy: {POLICY}\r\n\
             X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\n\
             Cross-Origin-Embedder-Policy: require-corp\r\n{tag}Cache-Control: no-cache\r\n\
             Allow: GET, HEAD\r\nAccept-Ranges: none\r\nConnection: close\r\n\r\n"
        )
    }
}

impl Site {
    /// These files under the names of this machine.
    pub fn new(files: Files, port: u16) -> Self {
        let names = ["127.0.0.1", "localhost"];
        let mut hosts: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
        if port == 80 {
            // Browsers leave it away.
            hosts.extend(names.map(str::to_owned));
        }
        Self { files, hosts }
    }

    /// The answer to these bytes.
    pub fn answer(&self, request: &[u8]) -> Answer<'_> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(request) {
            Ok(status) if status.is_complete() => self.find(&parsed),
            Err(httparse::Error::TooManyHeaders) => TOO_LARGE,
            _ => BAD,
        }
    }

    fn find(&self, request: &httparse::Request) -> Answer<'_> {
        let method = request.method.unwrap_or_default();
        if !["GET", "HEAD"].contains(&method) {
            return METHOD;
        }
        // A foreign name that resolves to this machine would let another site read the page.
        let mut hosts = values(request, "host");
        match (hosts.next(), hosts.next()) {
            (Some(host), None) if self.hosts.iter().any(|own| own.as_bytes() == host) => {}
            (Some(_), None) => return FOREIGN,
            _ => return BAD,
        }
        let path = request.path.unwrap_or_default().split(['?', '#']).next().unwrap_or_default();
        let path = if path == "/" { "/index.html" } else { path };
        let Some(File { body, tag }) = self.files.get(path) else { return UNKNOWN };
        let (status, body) = match values(request, "if-none-match").any(|known| names(known, tag)) {
            true => (NOT_MODIFIED, &[][..]),
            false => (OK, body.as_slice()),
        };
        let (kind, tag) = (content_type(path), Some(tag.as_str()));
        Answer { status, kind, tag, body, with_body: method == "GET" }
    }
}

/// The values of a header, which may stand there more than once.
fn values<'a>(request: &'a httparse::Request, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let all = request.headers.iter();
    all.filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// Whether a list of tags has this one.
fn names(list: &[u8], tag: &str) -> bool {
    let mut tags = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tags.any(|known| known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == tag.as_bytes())
}

fn content_type(path: &str) -> &'static str {
    let extension = path.rsplit('.').next().unwrap_or_default();
    let known = TYPES.iter().find(|(known, _)| *known == extension);
    known.map_or("application/octet-stream", |(_, kind)| kind)
}
