//! Texts: how their files are read, and what is said of files that are none.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use native::datasets::text::open;
use smoothdarts::config::Config;
use smoothdarts::data::DataError;
use smoothdarts::data::corpus::{OWN, find_text};
use smoothdarts::data::text::{Text, TextLoader};

/// Reads a text of these files.
fn read(files: &[(&str, &[u8])], limit: usize) -> Result<Text, DataError> {
    let files: BTreeMap<&str, &[u8]> = files.iter().copied().collect();
    let mut read = |file: &str| Ok(files.get(file).map(|bytes| bytes.to_vec()));
    find_text(OWN).unwrap().decode(limit, &mut read)
}

fn words(text: &Text, part: &[u32]) -> String {
    let word = |&number: &u32| text.vocabulary[number as usize].as_str();
    part.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn words_are_numbered_as_they_appear_and_every_line_has_an_end() {
    let files: [(&str, &[u8]); 3] = [
        ("train.txt", b" the cat \n\n sat\ton the mat"),
        ("valid.txt", b"\xef\xbb\xbfa dog\r\nsat\r\n"),
        ("test.txt", b"the end\n"),
    ];
    let text = read(&files, 0).unwrap();
    assert_eq!(words(&text, &text.train), "the cat <eos> <eos> sat on the mat <eos>");
    assert_eq!(words(&text, &text.valid), "a dog <eos> sat <eos>");
    assert_eq!(words(&text, &text.test), "the end <eos>");
    let expected = ["the", "cat", "<eos>", "sat", "on", "mat", "a", "dog", "end"];
    assert_eq!(text.vocabulary, expected);
    assert_eq!(text.train[..3], [0, 1, 2]);
}

#[test]
fn files_may_have_the_names_of_ptb_and_wikitext_and_be_compressed() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(b"a b c\n").unwrap();
    let packed = packed.finish().unwrap();
    let files: [(&str, &[u8]); 3] =
        [("ptb.train.txt.gz", &packed), ("wiki.valid.tokens", b"b\n"), ("test.txt", b"c\n")];
    let text = read(&files, 0).unwrap();
    assert_eq!((text.train, text.valid, text.test), (vec![0, 1, 2, 3], vec![1, 3], vec![2, 3]));
    let damaged = [("ptb.train.txt.gz", &packed[..packed.len() - 6]), files[1], files[2]];
    let error = read(&damaged, 0).unwrap_err().to_string();
    assert!(error.contains("ptb.train.txt.gz") && error.contains("compressed"), "{error}");
}

#[test]
fn a_limited_vocabulary_keeps_the_frequent_words_and_makes_the_others_unknown() {
    let files: [(&str, &[u8]); 3] =
        [("train.txt", b"a b b c c c\nd\n"), ("valid.txt", b"c d e\n"), ("test.txt", b"b\n")];
    // <eos> and <unk>, and of the others the two most frequent.
    let text = read(&files, 4).unwrap();
    assert_eq!(text.vocabulary, ["b", "c", "<eos>", "<unk>"]);
    assert_eq!(words(&text, &text.train), "<unk> b b c c c <eos> <unk> <eos>");
    assert_eq!(words(&text, &text.valid), "c <unk> <unk> <eos>");
    assert_eq!(read(&files, 100).unwrap().vocabulary.len(), 6);
    assert_ne!(read(&files, 4).unwrap().fingerprint(), read(&files, 5).unwrap().fingerprint());
    // One that the text has is the one that is used.
    let known = [("train.txt", b"<unk> a a b\n" as &[u8]), files[1], files[2]];
    assert_eq!(read(&known, 3).unwrap().vocabulary, ["<unk>", "a", "<eos>"]);
}

#[test]
fn what_is_no_text_is_refused_with_its_file() {
    let good: [(&str, &[u8]); 3] =
        [("train.txt", b"a b\n"), ("valid.txt", b"a\n"), ("test.txt", b"b\n")];
    let with = |name: &'static str, bytes: &'static [u8]| {
        let files = good.map(|file| if file.0 == name { (name, bytes) } else { file });
        read(&files, 0).unwrap_err().to_string()
    };
    for (name, bytes, found) in [
        ("train.txt", &b""[..], "no word at all"),
        ("valid.txt", b" \n \n", "no word at all"),
        ("test.txt", b"one\ncaf\xe9 two\n", "line 2"),
    ] {
        let error = with(name, bytes);
        assert!(error.contains(name) && error.contains(found), "{error}");
    }
    assert!(with("test.txt", b"\xff").contains("UTF-8"));
    let missing = read(&good[..2], 0).unwrap_err();
    assert!(matches!(missing, DataError::Missing { file, .. } if file == "test.txt"));
    // A text of the catalogue is known by its counts.
    let mut files = |file: &str| Ok(good.iter().find(|it| it.0 == file).map(|it| it.1.to_vec()));
    let error = find_text("ptb").unwrap().decode(0, &mut files).unwrap_err().to_string();
    assert!(error.contains("929589 + 73760 + 82430") && error.contains("--data text"), "{error}");
}

#[test]
fn the_text_that_comes_with_the_program_is_there_and_has_words_for_its_preset() {
    let mut config = Config::default();
    config.data.name = "shakespeare".to_owned();
    let text = open(&config).unwrap();
    assert_eq!([&text.train, &text.valid, &text.test].map(Vec::len), [167_822, 13_347, 8_661]);
    assert_eq!(words(&text, &text.train[..9]), "who's there ? <eos> nay , answer me :");
    config.data.vocabulary_limit = 2000;
    let limited = open(&config).unwrap();
    assert_eq!(limited.vocabulary.len(), 2000);
    TextLoader::for_training(limited, &config).unwrap();
}

#[test]
fn a_name_without_a_folder_says_how_to_get_the_text() {
    let mut config = Config::default();
    for (name, said) in [
        ("ptb", "ptb.train.txt"),
        ("wikitext-2", "wiki.train.tokens"),
        ("text", "train.txt"),
        ("cifar10", "ptb"),
    ] {
        config.data.name = name.to_owned();
        let error = format!("{:#}", open(&config).unwrap_err());
        assert!(error.contains(name) && error.contains(said), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    config.data.name = "text".to_owned();
    config.data.dir = folder.path().display().to_string();
    let error = format!("{:#}", open(&config).unwrap_err());
    assert!(error.contains("does not have train.txt"), "{error}");
    config.data.dir += "/nowhere";
    assert!(format!("{:#}", open(&config).unwrap_err()).contains("is not there"));
}

/// The whole Penn Treebank, where it lies beside the checkout.
#[test]
fn the_penn_treebank_has_the_words_that_everybody_counts() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let folder = std::env::var_os("SDARTS_DATA").unwrap_or_else(|| beside.into());
    let beside = PathBuf::from(folder).join("ptb");
    if !beside.is_dir() {
        println!("left out: no Penn Treebank in {}", beside.display());
        return;
    }
    let mut config = Config::default();
    config.data.name = "ptb".to_owned();
    config.data.dir = beside.display().to_string();
    let text = open(&config).unwrap();
    assert_eq!([&text.train, &text.valid, &text.test].map(Vec::len), [929_589, 73_760, 82_430]);
    assert_eq!(text.vocabulary.len(), 10_000);
    assert_eq!(text.vocabulary[..3], ["aer", "banknote", "berlitz"]);
}
