//! Serves the page, on this machine only.
//!
//! All files are read at the start and looked up by their exact path: what is not in the folder
//! cannot be asked for, however the path is written. Links are not followed.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tiny_http::{Header, Method, Request, Response};

/// Threads that answer; a browser opens up to six connections.
const THREADS: usize = 4;

/// What a page of ours may load: its own files, and WebAssembly.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
                      style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
                      manifest-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

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

/// A server with its files.
pub struct Server {
    http: Arc<tiny_http::Server>,
    files: Arc<HashMap<String, Vec<u8>>>,
    address: SocketAddr,
}

impl Server {
    /// Reads the folder and listens on the loopback address.
    pub fn bind(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let mut files = HashMap::new();
        read(folder, "", &mut files)?;
        let http = tiny_http::Server::http((Ipv4Addr::LOCALHOST, port))
            .map_err(|error| anyhow!("{error}"))
            .with_context(|| format!("cannot listen on port {port}; take another with --port"))?;
        let address = http.server_addr().to_ip().context("the server has no address")?;
        Ok(Self { http: Arc::new(http), files: Arc::new(files), address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for ever.
    pub fn run(self) {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (http, files, address) =
                    (Arc::clone(&self.http), Arc::clone(&self.files), self.address);
                std::thread::spawn(move || {
                    for request in http.incoming_requests() {
                        answer(request, &files, address);
                    }
                })
            })
            .collect();
        for thread in threads {
            // A thread ends only when the server is dropped, and nothing waits for its result.
            let _ = thread.join();
        }
    }
}

/// All files below a folder by their path in URLs.
fn read(folder: &Path, prefix: &str, files: &mut HashMap<String, Vec<u8>>) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let kind = entry.file_type().with_context(unreadable)?;
        let path = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            read(&entry.path(), &path, files)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
            files.insert(path, bytes);
        }
    }
    Ok(())
}

fn answer(request: Request, files: &HashMap<String, Vec<u8>>, address: SocketAddr) {
    let (status, kind, body) = respond(&request, files, address);
    let mut response = Response::from_data(body).with_status_code(status);
    for (name, value) in [
        ("Content-Type", kind),
        ("Content-Security-Policy", POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cache-Control", "no-cache"),
    ] {
        if let Ok(header) = Header::from_bytes(name, value) {
            response.add_header(header);
        }
    }
    // Whoever asked may be gone already.
    let _ = request.respond(response);
}

type Answer = (u16, &'static str, Vec<u8>);

fn respond(request: &Request, files: &HashMap<String, Vec<u8>>, address: SocketAddr) -> Answer {
    let refuse = |status, text: &str| (status, "text/plain; charset=utf-8", text.into());
    if !matches!(request.method(), Method::Get | Method::Head) {
        return refuse(405, "only GET and HEAD\n");
    }
    // A foreign name that resolves to this machine would let another site read the page.
    let host = request.headers().iter().find(|header| header.field.equiv("Host"));
    let host = host.map_or("", |header| header.value.as_str());
    let port = address.port();
    if ![format!("127.0.0.1:{port}"), format!("localhost:{port}")].iter().any(|own| own == host) {
        return refuse(403, "this server answers as 127.0.0.1 only\n");
    }
    let path = request.url().split(['?', '#']).next().unwrap_or_default();
    let path = if path == "/" { "/index.html" } else { path };
    match files.get(path) {
        Some(bytes) => (200, content_type(path), bytes.clone()),
        None => refuse(404, "no such file\n"),
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
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    type Outcome = anyhow::Result<()>;

    /// A server of a folder with one page, beside a secret that a link in the folder points to.
    fn serve() -> anyhow::Result<(SocketAddr, tempfile::TempDir)> {
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
        let (address, _root) = serve()?;
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
    fn nothing_outside_of_the_folder_is_served() -> Outcome {
        let (address, _root) = serve()?;
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
            assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
            assert!(!answer.contains("secret\n") && !answer.contains("root:"), "{path}: {answer}");
        }
        Ok(())
    }

    #[test]
    fn other_methods_and_other_hosts_are_refused() -> Outcome {
        let (address, _root) = serve()?;
        let host = address.to_string();
        assert!(ask(address, "POST /", &host)?.starts_with("HTTP/1.1 405"));
        assert!(ask(address, "GET /", "attacker.example")?.starts_with("HTTP/1.1 403"));
        Ok(())
    }

    #[test]
    fn it_listens_on_loopback_only() -> Outcome {
        let (address, _root) = serve()?;
        assert!(address.ip().is_loopback());
        Ok(())
    }
}
