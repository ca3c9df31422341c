//! One file over HTTP, with the rest of a broken download.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use indicatif::HumanBytes;
use smoothdarts::data::{DataError, RemoteFile};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::disk::{BUFFER, cannot_write, last_part, sha256};
use crate::byte_progress::ByteProgress;
use crate::output;

/// Longest wait for a connection, an answer, or the next bytes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Downloads `url` into `part`, going on where an earlier transfer broke off, and checks length
/// and SHA-256 against the catalogue.
///
/// # Errors
/// No network, an HTTP status other than success, a broken transfer (what came is kept), a wrong
/// length or checksum (`part` is removed), a failed write.
pub fn download(file: &RemoteFile, url: &str, part: &Path) -> anyhow::Result<()> {
    fill(file, url, part)?;
    if let Some((expected, found)) = difference(file, part)? {
        fs::remove_file(part).with_context(|| format!("cannot remove {}", part.display()))?;
        let remedy = "the download was removed; run the same command again, or take a mirror with \
                      --url-base URL";
        return Err(DataError::Malformed { file: url.to_owned(), expected, found, remedy }.into());
    }
    Ok(())
}

fn fill(file: &RemoteFile, url: &str, part: &Path) -> anyhow::Result<()> {
    let mut out = open(part)?;
    let length = out.seek(SeekFrom::End(0)).map_err(|error| cannot_write(part, error))?;
    if length == file.bytes {
        return Ok(());
    }
    let have = if length < file.bytes { length } else { 0 };
    let (response, start) = request(url, have)?;
    check_length(file, url, start, response.body().content_length())?;
    if start < length {
        out.set_len(start).map_err(|error| cannot_write(part, error))?;
    }
    out.seek(SeekFrom::Start(start)).map_err(|error| cannot_write(part, error))?;
    transfer(file, url, part, response, &mut out, start)?;
    out.sync_all().map_err(|error| cannot_write(part, error))
}

/// Opens the file and locks it: two processes must not append to it.
fn open(part: &Path) -> anyhow::Result<File> {
    let out = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(part)
        .map_err(|error| cannot_write(part, error))?;
    // A file system without locks is no reason to refuse: the checksum tells in the end.
    if let Err(TryLockError::WouldBlock) = out.try_lock() {
        bail!("{} is being downloaded by another process; wait for it", part.display());
    }
    Ok(out)
}

/// Asks for what is missing after `have` bytes. Returns the answer and the position that it starts
/// at: 0 from a server that sends no parts.
fn request(url: &str, have: u64) -> anyhow::Result<(Response<Body>, u64)> {
    let response = get(url, have)?;
    let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
    let continues = range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")));
    match response.status() {
        StatusCode::OK => Ok((response, 0)),
        StatusCode::PARTIAL_CONTENT if continues => Ok((response, have)),
        // Another part than the one asked for, or none: once more, for everything.
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
            request(url, 0)
        }
        status => Err(refused(url, status)),
    }
}

fn get(url: &str, have: u64) -> anyhow::Result<Response<Body>> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .build()
        .into();
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    request.call().with_context(|| {
        format!(
            "cannot reach {url}; check the network and run the same command again, or take a \
             mirror with --url-base URL"
        )
    })
}

fn refused(url: &str, status: StatusCode) -> anyhow::Error {
    let remedy = if status.is_server_error() {
        "the server is in trouble: try later, or take a mirror with --url-base URL"
    } else {
        "the file is not there any more: take a mirror with --url-base URL"
    };
    anyhow!("{url}: the server answers {status}; {remedy}")
}

/// Refuses a download of another length before it replaces anything: some networks answer every
/// request with a page of their own.
fn check_length(
    file: &RemoteFile,
    url: &str,
    start: u64,
    length: Option<u64>,
) -> anyhow::Result<()> {
    match length.map(|length| start + length) {
        Some(total) if total != file.bytes => Err(DataError::Malformed {
            file: url.to_owned(),
            expected: format!("{} bytes", file.bytes),
            found: total.to_string(),
            remedy: "it is another file: check the network, or take a mirror with --url-base URL",
        }
        .into()),
        _ => Ok(()),
    }
}

fn transfer(
    file: &RemoteFile,
    url: &str,
    part: &Path,
    response: Response<Body>,
    out: &mut File,
    start: u64,
) -> anyhow::Result<()> {
    let mut have = start;
    let name = last_part(url);
    let from = if start > 0 { format!(", from byte {start} on") } else { String::new() };
    output::note(&format!("{name}: {} from {url}{from}", HumanBytes(file.bytes)));
    let mut progress = ByteProgress::new(name, file.bytes, start);
    // One byte more than expected is enough to see that there are too many.
    let mut body = response.into_body().into_reader().take(file.bytes - start + 1);
    let mut buffer = vec![0; BUFFER];
    let broken: Option<io::Error> = loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => break None,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => break Some(error),
        };
        out.write_all(&buffer[..count]).map_err(|error| cannot_write(part, error))?;
        have += count as u64;
        progress.show(have);
    };
    if have < file.bytes {
        return Err(broke_off(file, url, have, broken));
    }
    Ok(())
}

fn broke_off(file: &RemoteFile, url: &str, have: u64, why: Option<io::Error>) -> anyhow::Error {
    let why = why.unwrap_or_else(|| io::Error::other("the server closed the connection"));
    anyhow!(why).context(format!(
        "{url}: the transfer broke off after {have} of {} bytes, which are kept; run the same \
         command again to get the rest",
        file.bytes
    ))
}

/// What the catalogue says and what is there, where that is not the same.
fn difference(file: &RemoteFile, part: &Path) -> anyhow::Result<Option<(String, String)>> {
    let length =
        fs::metadata(part).with_context(|| format!("cannot read {}", part.display()))?.len();
    if length != file.bytes {
        return Ok(Some((format!("{} bytes", file.bytes), format!("at least {length}"))));
    }
    let found = sha256(part)?;
    Ok((found != file.sha256).then(|| (format!("SHA-256 {}", file.sha256), found)))
}
