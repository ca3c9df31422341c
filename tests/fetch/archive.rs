//! Data sets that come as a .tar.gz.

use std::fs;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use native::fetch::{files, unpack};
use smoothdarts::data::RemoteFile;
use tar::{Builder, EntryType, Header};

use super::server::{Behaviour, Server};
use super::{names, sha256};

/// An entry of an archive: path, kind, bytes.
type Entry<'a> = (&'a str, EntryType, &'a [u8]);

const TRAIN: Entry<'static> = ("set/train.bin", EntryType::Regular, b"train bytes");
const TEST: Entry<'static> = ("./set/test.bin", EntryType::Regular, b"test bytes");

/// Writes paths as they are; the library would refuse the bad ones.
fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, kind, bytes) in entries {
        let mut header = Header::new_old();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// The rows of a catalogue for both files.
fn rows(archive: &[u8]) -> [RemoteFile; 2] {
    ["set/train.bin", "set/test.bin"].map(|path| RemoteFile {
        path,
        url: "https://example.org/official/set.tar.gz",
        bytes: archive.len() as u64,
        sha256: sha256(archive),
        member: Some(path),
    })
}

/// Unpacks these entries in a folder, where `check` looks around afterwards.
fn unpacked(entries: &[Entry], check: impl FnOnce(Result<(), String>, &Path)) {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("inside");
    fs::create_dir(&folder).unwrap();
    let (path, bytes) = (outside.path().join("set.tar.gz"), archive(entries));
    fs::write(&path, &bytes).unwrap();
    let result = unpack(&path, &rows(&bytes), &folder).map_err(|error| format!("{error:#}"));
    assert_eq!(names(outside.path()), ["inside", "set.tar.gz"], "something was written outside");
    check(result, &folder);
}

#[test]
fn an_archive_gives_the_files_of_the_catalogue_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let readme = ("set/readme.html", EntryType::Regular, b"hello".as_slice());
    let directory = ("set/", EntryType::Directory, b"".as_slice());
    let archive = archive(&[directory, TRAIN, readme, TEST]);
    let server = Server::start(Behaviour::good(&archive));
    files(&rows(&archive), folder.path(), Some(&server.base())).unwrap();
    assert_eq!(server.requests().len(), 1, "one archive is one download");
    assert_eq!(names(folder.path()), ["set", "set.tar.gz.sha256"]);
    assert_eq!(names(&folder.path().join("set")), ["test.bin", "train.bin"]);
    assert_eq!(fs::read(folder.path().join("set/train.bin")).unwrap(), TRAIN.2);
    assert_eq!(fs::read(folder.path().join("set/test.bin")).unwrap(), TEST.2);
}

#[test]
fn an_archive_that_was_unpacked_is_not_downloaded_again_unless_a_file_changed() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(&[TRAIN, TEST]);
    let server = Server::start(Behaviour::good(&archive));
    let fetch = || files(&rows(&archive), folder.path(), Some(&server.base())).unwrap();
    fetch();
    fetch();
    assert_eq!(server.requests().len(), 1);
    fs::write(folder.path().join("set/test.bin"), b"other bytes").unwrap();
    fetch();
    assert_eq!(server.requests().len(), 2);
    assert_eq!(fs::read(folder.path().join("set/test.bin")).unwrap(), TEST.2);
}

#[test]
fn the_list_of_the_files_is_that_of_sha256sum() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(&[TRAIN, TEST]);
    let server = Server::start(Behaviour::good(&archive));
    files(&rows(&archive), folder.path(), Some(&server.base())).unwrap();
    let list = fs::read_to_string(folder.path().join("set.tar.gz.sha256")).unwrap();
    let (train, test) = (sha256(TRAIN.2), sha256(TEST.2));
    assert_eq!(list, format!("{train}  set/train.bin\n{test}  set/test.bin\n"));
}

#[test]
fn a_path_that_leaves_the_folder_is_refused_with_the_whole_archive() {
    for path in ["../evil", "set/../../evil", "/tmp/sdarts-test-evil"] {
        unpacked(&[TRAIN, TEST, (path, EntryType::Regular, b"evil")], |result, folder| {
            let error = result.unwrap_err();
            assert!(error.contains(path), "{path}: {error}");
            assert!(!Path::new("/tmp/sdarts-test-evil").exists());
            assert_eq!(names(&folder.join("set")), Vec::<String>::new());
        });
    }
}

#[test]
fn a_link_in_the_place_of_a_file_is_refused() {
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Directory] {
        unpacked(&[(TRAIN.0, kind, b""), TEST], |result, folder| {
            assert!(result.unwrap_err().contains(TRAIN.0));
            assert_eq!(names(folder), Vec::<String>::new());
        });
    }
}

#[test]
fn an_archive_without_a_file_of_the_catalogue_is_refused_with_its_name() {
    unpacked(&[TRAIN], |result, folder| {
        let error = result.unwrap_err();
        assert!(error.contains("the file set/test.bin"), "{error}");
        assert_eq!(names(&folder.join("set")), Vec::<String>::new());
    });
}

#[test]
fn an_archive_that_is_cut_off_leaves_no_half_file() {
    let outside = tempfile::tempdir().unwrap();
    let (path, bytes) = (outside.path().join("set.tar.gz"), archive(&[TRAIN, TEST]));
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = unpack(&path, &rows(&bytes), outside.path()).unwrap_err();
    assert!(format!("{error:#}").contains("set.tar.gz: expected an intact .tar.gz"), "{error:#}");
    assert!(!outside.path().join("set/train.bin").exists());
    assert!(!outside.path().join("set/test.bin").exists());
}
