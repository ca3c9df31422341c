//! Serves the page, on this machine only.
//!
//! All files are read at the start and looked up by their exact path: what is not in the folder
//! cannot be asked for, however the path is written. Links are not followed.
//!
//! (hyper with tower-http's ServeDir is 36 crates and 26 seconds of a processor before the page is first
//! seen, for 45 lines here; ServeDir follows links. tiny_http hung under the connections of a browser.)

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

/// Most bytes of a request; those of browsers have less than 2,000.
const MAX_REQUEST: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// How long a client may take to send or receive.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// Files by their path.
type Files = HashMap<String, File>;

/// A file with what tells it from another version of itself.
struct File {
    body: Vec<u8>,
    tag: String,
}

impl File {
    fn new(body: Vec<u8>) -> Self {
        let mut hash = DefaultHasher::new();
        body.hash(&mut hash);
        Self { tag: format!("\"{:016x}\"", hash.finish()), body }
    }
}

/// A server with its files.
pub struct Server {
    listener: TcpListener,
    files: Arc<Files>,
    address: SocketAddr,
}

impl Server {
    /// Reads the folder and listens on the loopback address.
    pub fn bind(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let mut files = HashMap::new();
        read(folder, "", &mut files)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("cannot listen on port {port}; take another with --port"))?;
        let address = listener.local_addr().context("the server has no address")?;
        Ok(Self { listener, files: Arc::new(files), address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for ever, every connection on its own thread.
    pub fn run(self) {
        for stream in self.listener.incoming().flatten() {
            let (files, address) = (Arc::clone(&self.files), self.address);
            std::thread::spawn(move || {
                // Whoever asked may be gone already.
                let _ = serve(stream, &files, address);
            });
        }
    }
}

/// All files below a folder by their path in URLs.
fn read(folder: &Path, prefix: &str, files: &mut Files) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let kind = entry.file_type().with_context(unreadable)?;
        let path = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            read(&entry.path(), &path, files)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
            files.insert(path, File::new(bytes));
        }
    }
    Ok(())
}

/// Answers one request and closes the connection.
fn serve(mut stream: TcpStream, files: &Files, address: SocketAddr) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = receive(&mut stream)?;
    let answer = respond(&head, files, address);
    let Answer { status, kind, tag, body, with_body } = &answer;
    // A browser keeps the file, and asks whether it is still the same (no-cache).
    let tag = tag.map_or_else(String::new, |tag| format!("ETag: {tag}\r\n"));
    let header = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Content-Security-Policy: {POLICY}\r\nX-Content-Type-Options: nosniff\r\n\
         Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         {tag}Cache-Control: no-cache\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(header.as_bytes())?;
    if *with_body {
        stream.write_all(body)?;
    }
    stream.flush()
}

/// The request up to its empty line; what does not end within the limit is cut there.
fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut head, mut part) = (Vec::new(), [0; 2048]);
    while head.len() < MAX_REQUEST && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part)? {
            0 => break,
            count => head.extend_from_slice(&part[..count]),
        }
    }
    Ok(head)
}

struct Answer<'a> {
    status: &'static str,
    kind: &'static str,
    tag: Option<&'a str>,
    body: &'a [u8],
    with_body: bool,
}

fn refuse(status: &'static str, text: &'static str) -> Answer<'static> {
    let kind = "text/plain; charset=utf-8";
    Answer { status, kind, tag: None, body: text.as_bytes(), with_body: true }
}

fn respond<'a>(head: &[u8], files: &'a Files, address: SocketAddr) -> Answer<'a> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if !request.parse(head).is_ok_and(|status| status.is_complete()) {
        return refuse("400 Bad Request", "this is no request\n");
    }
    let method = request.method.unwrap_or_default();
    if !["GET", "HEAD"].contains(&method) {
        return refuse("405 Method Not Allowed", "only GET and HEAD\n");
    }
    // A foreign name that resolves to this machine would let another site read the page.
    let header = |name| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map_or(&b""[..], |header| header.value)
    };
    let host = header("host");
    let port = address.port();
    let own = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    if !own.iter().any(|own| own.as_bytes() == host) {
        return refuse("403 Forbidden", "this server answers as 127.0.0.1 only\n");
    }
    let path = request.path.unwrap_or_default().split(['?', '#']).next().unwrap_or_default();
    let path = if path == "/" { "/index.html" } else { path };
    match files.get(path) {
        Some(File { body, tag }) => {
            let (status, body) = match header("if-none-match") == tag.as_bytes() {
                true => ("304 Not Modified", &[][..]),
                false => ("200 OK", body.as_slice()),
            };
            let (kind, tag) = (content_type(path), Some(tag.as_str()));
            Answer { status, kind, tag, body, with_body: method == "GET" }
        }
        None => refuse("404 Not Found", "no such file\n"),
    }
}

fn content_type(path: &str) -> &'static str {
    let extension = path.rsplit('.').next().unwrap_or_default();
    let known = TYPES.iter().find(|(known, _)| *known == extension);
    known.map_or("application/octet-stream", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = anyhow::Result<()>;

    /// A server of a folder with one page, beside a secret that a link in the folder points to.
    fn start() -> anyhow::Result<(SocketAddr, tempfile::TempDir)> {
        let root = tempfile::tempdir()?;
        let folder = root.path().join("site");
        fs::create_dir_all(folder.join("js"))?;
        fs::write(folder.join("index.html"), "<p>page</p>")?;
        fs::write(folder.join("js/a.js"), "1")?;
        fs::write(folder.join("a.wasm.gz"), "1")?;
        fs::write(root.path().join("secret"), "secret")?;
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path().join("secret"), folder.join("link"))?;
        let server = Server::bind(&folder, 0)?;
        let address = server.address();
        std::thread::spawn(move || server.run());
        Ok((address, root))
    }

    /// Sends a request line as it is, which no client library would.
    fn ask(address: SocketAddr, line: &str, host: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn files_come_with_their_type_and_the_policy() -> Outcome {
        let (address, _root) = start()?;
        let host = address.to_string();
        for (path, kind) in [
            ("/", "text/html"),
            ("/index.html?x=1", "text/html"),
            ("/js/a.js", "text/javascript"),
            ("/a.wasm.gz", "application/gzip"),
        ] {
            let answer = ask(address, &format!("GET {path}"), &host)?;
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
            assert!(answer.contains(&format!("Content-Type: {kind}")), "{path}: {answer}");
            assert!(answer.contains("X-Content-Type-Options: nosniff"), "{answer}");
            assert!(answer.contains("script-src 'self' 'wasm-unsafe-eval';"), "{answer}");
        }
        Ok(())
    }

    #[test]
    fn a_file_that_is_known_is_not_sent_again() -> Outcome {
        let (address, root) = start()?;
        let ask_with =
            |tag: &str| ask(address, "GET /js/a.js", &format!("{address}\r\nIf-None-Match: {tag}"));
        let first = ask_with("\"other\"")?;
        assert!(first.starts_with("HTTP/1.1 200") && first.ends_with("\r\n\r\n1"), "{first}");
        let tag = first.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap_or_default();
        let again = ask_with(tag)?;
        assert!(again.starts_with("HTTP/1.1 304") && again.ends_with("\r\n\r\n"), "{again}");
        assert!(again.contains(&format!("ETag: {tag}")), "{again}");
        // Another content has another tag.
        fs::write(root.path().join("site/js/a.js"), "2")?;
        let server = Server::bind(&root.path().join("site"), 0)?;
        assert!(server.files["/js/a.js"].tag != tag);
        Ok(())
    }

    #[test]
    fn nothing_outside_of_the_folder_is_served() -> Outcome {
        let (address, _root) = start()?;
        for path in [
            "/../secret",
            "/js/../../secret",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/%252e%252e/secret",
            "/..\\secret",
            "//secret",
            "/./../secret",
            "/link",
            "/js",
            "/js/",
            "/etc/passwd",
            "//etc/passwd",
            "/file:///etc/passwd",
        ] {
            let answer = ask(address, &format!("GET {path}"), &address.to_string())?;
            let refused = ["HTTP/1.1 404", "HTTP/1.1 400"];
            assert!(refused.iter().any(|start| answer.starts_with(start)), "{path}: {answer}");
            assert!(!answer.contains("secret\n") && !answer.contains("root:"), "{path}: {answer}");
        }
        Ok(())
    }

    #[test]
    fn other_methods_and_other_hosts_are_refused() -> Outcome {
        let (address, _root) = start()?;
        let host = address.to_string();
        assert!(ask(address, "POST /", &host)?.starts_with("HTTP/1.1 405"));
        assert!(ask(address, "GET /", "attacker.example")?.starts_with("HTTP/1.1 403"));
        assert!(ask(address, "GET", &host)?.starts_with("HTTP/1.1 400"));
        Ok(())
    }

    #[test]
    fn it_listens_on_loopback_only() -> Outcome {
        let (address, _root) = start()?;
        assert!(address.ip().is_loopback());
        Ok(())
    }
}
