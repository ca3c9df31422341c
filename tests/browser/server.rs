//! The server of the page against whoever does not mean it well (web/SECURITY.md).

mod load;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};

use tempfile::TempDir;
use web::server::answer::{File, Files, Site};
use web::server::{Limits, Server};

/// A folder with a page, beside a secret that links in the folder point to.
fn folder() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let site = root.path().join("site");
    fs::create_dir_all(site.join("js")).unwrap();
    fs::create_dir_all(root.path().join("outside")).unwrap();
    for (name, text) in [
        ("site/index.html", "<p>page</p>"),
        ("site/js/a.js", "1"),
        ("site/a.wasm.gz", "1"),
        ("site/.hidden", "the secret"),
        ("secret", "the secret"),
        ("outside/secret", "the secret"),
    ] {
        fs::write(root.path().join(name), text).unwrap();
    }
    #[cfg(unix)]
    for (target, link) in [("secret", "link"), ("outside", "folder")] {
        std::os::unix::fs::symlink(root.path().join(target), site.join(link)).unwrap();
    }
    root
}

fn start_with(root: &TempDir, limits: Limits) -> SocketAddr {
    let server = Server::bind(&root.path().join("site"), 0).unwrap().with_limits(limits);
    let address = server.address();
    std::thread::spawn(move || server.run());
    address
}

fn start() -> (SocketAddr, TempDir) {
    let root = folder();
    (start_with(&root, Limits::default()), root)
}

/// All that comes back for these bytes, which no client library would send.
fn send(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    // It may have been refused before the last byte.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    rest(stream)
}

fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset ends it as well as an end does.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// A request of a browser with these lines more.
fn ask(address: SocketAddr, line: &str, more: &str) -> String {
    send(address, format!("{line} HTTP/1.1\r\nHost: {address}\r\n{more}\r\n").as_bytes())
}

#[track_caller]
fn has_status(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "no {status}: {answer}");
}

#[test]
fn files_come_with_their_type() {
    let (address, _root) = start();
    for (path, kind) in [
        ("/", "text/html"),
        ("/index.html?x=1", "text/html"),
        ("/js/a.js", "text/javascript"),
        ("/a.wasm.gz", "application/gzip"),
    ] {
        let answer = ask(address, &format!("GET {path}"), "");
        has_status(&answer, 200);
        assert!(answer.contains(&format!("Content-Type: {kind}")), "{path}: {answer}");
    }
}

#[test]
fn every_answer_has_the_headers_that_keep_other_sites_out() {
    let (address, _root) = start();
    let port = address.port();
    let foreign = format!("GET / HTTP/1.1\r\nHost: other.example:{port}\r\n\r\n");
    for (answer, status) in [
        (ask(address, "GET /", ""), 200),
        (ask(address, "GET /", "If-None-Match: *\r\n"), 304),
        (send(address, b"\x00\r\n\r\n"), 400),
        (send(address, foreign.as_bytes()), 403),
        (ask(address, "GET /none", ""), 404),
        (ask(address, "OPTIONS /", "Origin: http://other.example\r\n"), 405),
        (send(address, &[b'a'; 20_000]), 431),
    ] {
        has_status(&answer, status);
        for header in [
            "Content-Security-Policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval';",
            "frame-ancestors 'none'",
            "X-Content-Type-Options: nosniff",
            "Referrer-Policy: no-referrer",
            "Cross-Origin-Resource-Policy: same-origin",
            "Cross-Origin-Opener-Policy: same-origin",
            "Cross-Origin-Embedder-Policy: require-corp",
            "Connection: close",
        ] {
            assert!(answer.contains(header), "{status} lacks {header}: {answer}");
        }
        assert!(!answer.contains("Access-Control-"), "{status} lets others read: {answer}");
        assert!(!answer.contains("Server:"), "{status}: {answer}");
    }
}

#[test]
fn a_file_that_is_known_is_not_sent_again() {
    let (address, root) = start();
    let ask_with = |tag: &str| ask(address, "GET /js/a.js", &format!("If-None-Match: {tag}\r\n"));
    let first = ask_with("\"other\"");
    has_status(&first, 200);
    assert!(first.ends_with("\r\n\r\n1"), "{first}");
    let tag = first.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap();
    for known in [tag, "*", &format!("W/{tag}"), &format!("\"other\", {tag}")] {
        let again = ask_with(known);
        has_status(&again, 304);
        assert!(again.ends_with("\r\n\r\n") && !again.contains("Content-Length"), "{again}");
        assert!(again.contains(&format!("ETag: {tag}")), "{again}");
    }
    // Another content has another tag.
    fs::write(root.path().join("site/js/a.js"), "2").unwrap();
    let other = start_with(&root, Limits::default());
    let answer = ask(other, "GET /js/a.js", &format!("If-None-Match: {tag}\r\n"));
    has_status(&answer, 200);
}

#[test]
fn nothing_outside_of_the_folder_is_served() {
    let (address, _root) = start();
    for path in [
        "/../secret",
        "/js/../../secret",
        "/./../secret",
        "..",
        "/%2e%2e/secret",
        "/%2E%2E/secret",
        "/..%2fsecret",
        "/..%5csecret",
        "/%252e%252e/secret",
        "/%252e%252e%252fsecret",
        "/%c0%ae%c0%ae/secret",
        "/%00/../secret",
        "/index.html%00.js",
        "/index.html\0",
        "/..\\secret",
        "\\..\\secret",
        "/js\\..\\..\\secret",
        "//secret",
        "//../secret",
        "/link",
        "/folder/secret",
        "/folder",
        "/js",
        "/js/",
        "/.hidden",
        "/index.html/",
        "/INDEX.HTML",
        "/etc/passwd",
        "//etc/passwd",
        "/file:///etc/passwd",
        "file:///etc/passwd",
        "C:\\secret",
        "http://127.0.0.1/secret",
        "*",
    ] {
        let answer = ask(address, &format!("GET {path}"), "");
        let refused = ["HTTP/1.1 404 ", "HTTP/1.1 400 "];
        assert!(refused.iter().any(|start| answer.starts_with(start)), "{path}: {answer}");
        assert!(!answer.contains("the secret") && !answer.contains("root:"), "{path}: {answer}");
    }
}

#[test]
fn a_folder_that_is_no_page_is_not_served() {
    let root = folder();
    let error = Server::bind(&root.path().join("outside"), 0).unwrap_err();
    assert!(format!("{error:#}").contains("is no page"), "{error:#}");
}

#[test]
fn only_names_of_this_machine_are_answered() {
    let (address, _root) = start();
    let port = address.port();
    let with = |host: &str| send(address, format!("GET / HTTP/1.1\r\n{host}\r\n").as_bytes());
    for own in ["127.0.0.1", "localhost"] {
        has_status(&with(&format!("Host: {own}:{port}\r\n")), 200);
        has_status(&with(&format!("hOST:{own}:{port}\r\n")), 200);
    }
    // A name that resolves to this machine, now or after a while.
    for foreign in [
        format!("attacker.example:{port}"),
        format!("localhost.attacker.example:{port}"),
        format!("attacker.example#localhost:{port}"),
        format!("user@localhost:{port}"),
        format!("localhost.:{port}"),
        format!("127.0.0.1.:{port}"),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("[::1]:{port}"),
        "localhost".to_owned(),
        format!("localhost:{}", port ^ 1),
        format!("localhost:{port}, attacker.example"),
        String::new(),
    ] {
        has_status(&with(&format!("Host: {foreign}\r\n")), 403);
    }
    let own = format!("Host: localhost:{port}\r\n");
    has_status(&with(""), 400);
    has_status(&with(&format!("{own}Host: attacker.example\r\n")), 400);
    has_status(&with(&format!("{own}{own}")), 400);
    // What a proxy would go by does not count.
    has_status(&with(&format!("Host: attacker.example\r\nX-Forwarded-{own}")), 403);
}

/// Browsers leave the port of http away.
#[test]
fn on_port_80_the_name_alone_is_right() {
    let files = Files::from([("/index.html".to_owned(), File::new(b"page".to_vec()))]);
    let answer = |port, host: &str| {
        let site = Site::new(files.clone(), port);
        site.answer(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).status
    };
    assert_eq!(answer(80, "localhost"), "200 OK");
    assert_eq!(answer(80, "localhost:80"), "200 OK");
    assert_eq!(answer(8080, "localhost"), "403 Forbidden");
    assert_eq!(answer(80, "attacker.example"), "403 Forbidden");
}

#[test]
fn only_get_and_head_are_answered() {
    let (address, _root) = start();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get", "X"] {
        let answer = ask(address, &format!("{method} /"), "");
        has_status(&answer, 405);
        assert!(answer.contains("Allow: GET, HEAD\r\n"), "{answer}");
    }
    let head = ask(address, "HEAD /", "");
    has_status(&head, 200);
    assert!(head.contains("Content-Length: 11\r\n") && head.ends_with("\r\n\r\n"), "{head}");
}

#[test]
fn what_is_no_request_is_refused() {
    let (address, _root) = start();
    let host = format!("Host: {address}\r\n");
    for request in [
        "\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET /\r\n\r\n".to_owned(),
        format!("GET / HTTP/9.9\r\n{host}\r\n"),
        format!("GET / HTTP/1.1 \r\n{host}\r\n"),
        format!("GET  / HTTP/1.1\r\n{host}\r\n"),
        format!(" GET / HTTP/1.1\r\n{host}\r\n"),
        format!("GET / HTTP/1.1\r\n{host} folded: x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}no colon\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}name : x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}: x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}a: \0\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}a: x\ry\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}"),
        "GET / HTTP/1.1".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\0\r\n\r\n".to_owned(),
    ] {
        has_status(&send(address, request.as_bytes()), 400);
    }
    assert_eq!(send(address, b""), "", "who says nothing is told nothing");
    has_status(&ask(address, "GET /", ""), 200);
}

/// Nothing behind a request is ever read as another one, whatever length it claims.
#[test]
fn a_connection_has_one_request() {
    let (address, _root) = start();
    let request = format!("GET /js/a.js HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let with = |line: &str| request.replacen("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"), 1);
    for first in [
        request.clone(),
        with("Connection: keep-alive"),
        with("Content-Length: 0"),
        with("Content-Length: 99999999999999999999"),
        with("Transfer-Encoding: chunked"),
        with("Expect: 100-continue"),
        with("Upgrade: websocket"),
    ] {
        let answer = send(address, format!("{first}{request}{request}").as_bytes());
        has_status(&answer, 200);
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert!(answer.ends_with("\r\n\r\n1"), "{answer}");
    }
}

#[test]
fn ranges_are_not_cut_out_of_files() {
    let (address, _root) = start();
    for range in ["bytes=0-0", "bytes=-1", "bytes=0-0,1-1,2-2", "bytes=9-1", "bytes=0-184467440737"]
    {
        let answer = ask(address, "GET /", &format!("Range: {range}\r\n"));
        has_status(&answer, 200);
        assert!(answer.ends_with("<p>page</p>"), "{range}: {answer}");
        assert!(answer.contains("Accept-Ranges: none"), "{answer}");
    }
}

#[test]
fn it_listens_on_one_address_of_the_loopback() {
    let (address, _root) = start();
    assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
    // Every address of 127/8 is this machine, and a server of all addresses would answer there.
    let other = SocketAddr::from(([127, 0, 0, 2], address.port()));
    assert!(TcpStream::connect(other).is_err(), "it listens on {other}");
}
