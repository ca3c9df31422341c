//! What the page and its server read.

use std::sync::LazyLock;

use smoothdarts::draw::figures;
use web::monitor::Monitor;
use web::server::answer::{File, Files, Site};

use super::{Reader, found, runs, said};

pub static FIGURES: Reader = Reader {
    name: "figures",
    seeds: runs::lines,
    found: found!("figures"),
    // Everything that the page makes of a file of events, and the figures of a report.
    read: |bytes| {
        let text = str::from_utf8(bytes).map_err(said)?;
        let monitor = Monitor::from_text(text).map_err(said)?;
        let (_, genotype) = (monitor.status(), monitor.genotype());
        let names = figures::ALL.iter().map(|figure| figure.name);
        let drawn = names.filter(|name| monitor.draw(name).or(monitor.table(name)).is_some());
        Ok(format!("{} figures {}", drawn.count(), genotype.is_some()))
    },
};

static SITE: LazyLock<Site> = LazyLock::new(|| {
    let files = [("/index.html", "<p>page</p>"), ("/js/a.js", "1")];
    let files = files.map(|(path, text)| (path.to_owned(), File::new(text.as_bytes().to_vec())));
    Site::new(Files::from(files), 8080)
});

/// Lines of every answer before its content, with the empty one, but for length and tag.
const LINES: usize = 13;

pub static REQUEST: Reader = Reader {
    name: "request",
    seeds: || {
        let host = "Host: 127.0.0.1:8080\r\n";
        let chromium = "Connection: keep-alive\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
                        Accept: */*\r\nSec-Fetch-Site: same-origin\r\nAccept-Encoding: gzip, br\r\n";
        let tag = SITE.answer(format!("GET / HTTP/1.1\r\n{host}\r\n").as_bytes()).head();
        let tag = tag.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap().to_owned();
        let texts = [
            format!("GET / HTTP/1.1\r\n{host}{chromium}\r\n"),
            "HEAD /js/a.js?x=1#y HTTP/1.0\r\nHost: localhost:8080\r\n\r\n".to_owned(),
            format!("GET /index.html HTTP/1.1\r\n{host}If-None-Match: W/\"1\", {tag}\r\n\r\n"),
        ];
        texts.map(String::into_bytes).to_vec()
    },
    found: found!("request"),
    read: |bytes| {
        let answer = SITE.answer(bytes);
        let head = answer.head();
        assert!(head.starts_with("HTTP/1.1 ") && head.ends_with("\r\n\r\n"), "{head}");
        let optional = ["Content-Length: ", "ETag: "];
        let lines = head.lines().filter(|line| !optional.iter().any(|it| line.starts_with(it)));
        assert_eq!(lines.count(), LINES, "a request adds no line: {head}");
        assert!(answer.body.len() < 64, "nothing but a file or a sentence");
        let good = ["200 OK", "304 Not Modified"].contains(&answer.status);
        let status = answer.status.to_owned();
        if good { Ok(status) } else { Err(status) }
    },
};
