//! `sdarts fetch`, against a server on this machine.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;

use native::fetch::{files, run};
use server::{Behaviour, Ranges, Request, Server};
use sha2::{Digest as _, Sha256};
use smoothdarts::data::RemoteFile;

mod archive;
mod server;

const LENGTH: usize = 1_000_000;

/// Bytes that do not repeat where a transfer breaks or a buffer ends.
fn content() -> Vec<u8> {
    (0..LENGTH as u32)
        .flat_map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes())
        .step_by(4)
        .collect()
}

fn sha256(bytes: &[u8]) -> &'static str {
    let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    hash.leak()
}

/// A row of a catalogue for one file with these bytes.
fn row(bytes: &[u8]) -> RemoteFile {
    RemoteFile {
        path: "digits.bin",
        url: "https://example.org/official/digits.bin",
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
        member: None,
    }
}

/// Names of all files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Fetches the row into the folder, and what that says if it fails.
fn fetch(row: &RemoteFile, folder: &Path, base: &str) -> Result<(), String> {
    files(std::slice::from_ref(row), folder, Some(base)).map_err(|error| format!("{error:#}"))
}

fn everything(sent: usize) -> Request {
    Request { path: "/mirror/digits.bin".to_owned(), range: None, sent }
}

#[test]
fn a_download_arrives_whole_and_leaves_nothing_else() {
    let (folder, content) = (tempfile::tempdir().unwrap(), content());
    let server = Server::start(Behaviour::good(&content));
    let folder = folder.path().join("new/folder");
    fetch(&row(&content), &folder, &server.base()).unwrap();
    assert_eq!(names(&folder), ["digits.bin"]);
    assert!(fs::read(folder.join("digits.bin")).unwrap() == content);
    assert_eq!(server.requests(), [everything(LENGTH)]);
}

#[test]
fn a_second_fetch_downloads_nothing() {
    let (folder, content) = (tempfile::tempdir().unwrap(), content());
    let server = Server::start(Behaviour::good(&content));
    fetch(&row(&content), folder.path(), &server.base()).unwrap();
    fetch(&row(&content), folder.path(), &server.base()).unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_file_that_was_damaged_since_is_replaced() {
    let (folder, content) = (tempfile::tempdir().unwrap(), content());
    let server = Server::start(Behaviour::good(&content));
    let path = folder.path().join("digits.bin");
    fs::write(&path, &content[1..]).unwrap();
    fetch(&row(&content), folder.path(), &server.base()).unwrap();
    assert!(fs::read(&path).unwrap() == content);
}

#[test]
fn a_broken_download_goes_on_with_the_rest_only() {
    let (folder, content) = (tempfile::tempdir().unwrap(), content());
    let half = LENGTH / 2;
    let bad = Server::start(Behaviour { breaks_after: Some(half), ..Behaviour::good(&content) });
    let error = fetch(&row(&content), folder.path(), &bad.base()).unwrap_err();
    assert!(error.contains("broke off after 500000 of 1000000 bytes"), "{error}");
    assert!(error.contains("run the same command again"), "{error}");
    assert_eq!(names(folder.path()), ["digits.bin.part"]);

    let good = Server::start(Behaviour::good(&content));
    fetch(&row(&content), folder.path(), &good.base()).unwrap();
    let range = Some(format!("bytes={half}-"));
    assert_eq!(good.requests(), [Request { range, ..everything(LENGTH - half) }]);
    assert_eq!(names(folder.path()), ["digits.bin"]);
    assert!(fs::read(folder.path().join("digits.bin")).unwrap() == content);
}

#[test]
fn a_server_that_sends_no_parts_is_asked_for_everything() {
    for (ranges, requests) in [(Ranges::Ignored, 1), (Ranges::Refused, 2)] {
        let (folder, content) = (tempfile::tempdir().unwrap(), content());
        // Other bytes than those of the file: they must not survive.
        fs::write(folder.path().join("digits.bin.part"), vec![7; 1000]).unwrap();
        let server = Server::start(Behaviour { ranges, ..Behaviour::good(&content) });
        fetch(&row(&content), folder.path(), &server.base()).unwrap();
        assert!(fs::read(folder.path().join("digits.bin")).unwrap() == content);
        let log = server.requests();
        assert_eq!(log.len(), requests);
        assert_eq!(log[0].range.as_deref(), Some("bytes=1000-"));
        assert_eq!(log[requests - 1].sent, LENGTH);
    }
}

#[test]
fn a_download_that_was_complete_before_a_kill_is_not_repeated() {
    let (folder, content) = (tempfile::tempdir().unwrap(), content());
    fs::write(folder.path().join("digits.bin.part"), &content).unwrap();
    let server = Server::start(Behaviour::good(&content));
    fetch(&row(&content), folder.path(), &server.base()).unwrap();
    assert_eq!(server.requests(), []);
    assert_eq!(names(folder.path()), ["digits.bin"]);
}

#[test]
fn a_wrong_checksum_is_refused_and_nothing_is_kept() {
    let (folder, content) = (tempfile::tempdir().unwrap(), content());
    let mut wrong = content.clone();
    wrong[LENGTH / 3] ^= 1;
    let server = Server::start(Behaviour::good(&wrong));
    let error = fetch(&row(&content), folder.path(), &server.base()).unwrap_err();
    for part in ["digits.bin", sha256(&content), sha256(&wrong), "--url-base"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_page_instead_of_the_file_costs_nothing_that_was_there() {
    let (folder, content) = (tempfile::tempdir().unwrap(), content());
    fs::write(folder.path().join("digits.bin.part"), &content[..1000]).unwrap();
    let page = Behaviour { ranges: Ranges::Ignored, ..Behaviour::good(b"please log in") };
    let server = Server::start(page);
    let error = fetch(&row(&content), folder.path(), &server.base()).unwrap_err();
    assert!(error.contains("expected 1000000 bytes, found 13"), "{error}");
    assert!(fs::read(folder.path().join("digits.bin.part")).unwrap() == content[..1000]);
}

#[test]
fn an_http_status_is_told_with_the_address_and_a_way_out() {
    for (status, remedy) in [("404 Not Found", "mirror"), ("503 Service Unavailable", "later")] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(Behaviour { status, ..Behaviour::good(b"sorry") });
        let error = fetch(&row(b"12345"), folder.path(), &server.base()).unwrap_err();
        for part in [status, &format!("{}/digits.bin", server.base()), remedy] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(!folder.path().join("digits.bin").exists());
    }
}

#[test]
fn without_a_server_the_error_says_what_to_check() {
    let folder = tempfile::tempdir().unwrap();
    // The port was free a moment ago, so nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fetch(&row(b"12345"), folder.path(), &format!("http://{address}")).unwrap_err();
    assert!(error.contains("cannot reach") && error.contains("check the network"), "{error}");
}

#[test]
fn two_processes_do_not_write_one_download() {
    let (folder, content) = (tempfile::tempdir().unwrap(), content());
    let other = File::create(folder.path().join("digits.bin.part")).unwrap();
    other.lock().unwrap();
    let server = Server::start(Behaviour::good(&content));
    let error = fetch(&row(&content), folder.path(), &server.base()).unwrap_err();
    assert!(error.contains("another process"), "{error}");
    drop(other);
    fetch(&row(&content), folder.path(), &server.base()).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_as_such() {
    let (folder, content) = (tempfile::tempdir().unwrap(), content());
    std::os::unix::fs::symlink("/dev/full", folder.path().join("digits.bin.part")).unwrap();
    let server = Server::start(Behaviour::good(&content));
    let error = fetch(&row(&content), folder.path(), &server.base()).unwrap_err();
    assert!(error.contains("the disk is full: free some space"), "{error}");
    assert!(error.contains("digits.bin.part"), "{error}");
}

#[test]
fn a_data_set_of_the_catalogue_is_asked_for_by_its_official_names() {
    let folder = tempfile::tempdir().unwrap();
    let status = "404 Not Found";
    let server = Server::start(Behaviour { status, ..Behaviour::good(b"") });
    run("mnist", folder.path(), Some(&server.base())).unwrap_err();
    assert_eq!(server.requests()[0].path, "/mirror/train-images-idx3-ubyte.gz");
}

#[test]
fn an_unknown_data_set_is_an_error_with_the_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    let error = run("cifar01", folder.path(), None).unwrap_err();
    assert!(format!("{error:#}").contains("\"cifar10\""), "{error:#}");
}

#[test]
fn a_base_without_its_scheme_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = run("mnist", folder.path(), Some("example.org/data")).unwrap_err();
    assert!(format!("{error:#}").contains("https://example.org/data"), "{error:#}");
}

#[test]
fn a_table_of_another_length_is_refused_and_lies_in_the_folder_of_its_name() {
    let (folder, content) = (tempfile::tempdir().unwrap(), content());
    let server = Server::start(Behaviour::good(&content));
    let error = run("nasbench101", folder.path(), Some(&server.base())).unwrap_err();
    assert!(format!("{error:#}").contains("522767376 bytes"), "{error:#}");
    assert_eq!(server.requests()[0].path, "/mirror/nasbench_only108.tfrecord");
    let part = "nasbench101/nasbench_only108.tfrecord.part";
    assert_eq!(fs::metadata(folder.path().join(part)).unwrap().len(), 0);
}
