//! The catalogue of tables that can be downloaded.

use smoothdarts::data::RemoteFile;

/// One row of the catalogue.
pub struct RemoteTable {
    /// Its name for `sdarts fetch`.
    pub name: &'static str,
    /// What is in it.
    pub help: &'static str,
    /// The official file.
    pub file: RemoteFile,
}

/// All of them. The checksums are those of the benchmark's own README, which gives the sizes as 499 MB and
/// 1.95 GB. The lengths are of other programs that pin these checksums, and they fit each other: beside its
/// 423,624 × 3 records of 108 epochs the full file has as many of 4, 12 and 36, numbers that are two, one
/// and one digit shorter, and 4 × 522,767,376 − (2 + 1 + 1) × 1,270,872 = 2,085,986,016.
pub const ALL: &[RemoteTable] = &[
    RemoteTable {
        name: "nasbench101",
        help: "NAS-Bench-101: 423,624 cells, each trained three times for 108 epochs; 523 MB",
        file: RemoteFile {
            path: "nasbench_only108.tfrecord",
            url: "https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord",
            bytes: 522_767_376,
            sha256: "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
            member: None,
        },
    },
    RemoteTable {
        name: "nasbench101-full",
        help: "the same cells, each trained three times for 4, 12, 36 and 108 epochs; 2.1 GB",
        file: RemoteFile {
            path: "nasbench_full.tfrecord",
            url: "https://storage.googleapis.com/nasbench/nasbench_full.tfrecord",
            bytes: 2_085_986_016,
            sha256: "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
            member: None,
        },
    },
];

/// The table of this name.
pub fn find(name: &str) -> Option<&'static RemoteTable> {
    ALL.iter().find(|table| table.name == name)
}
