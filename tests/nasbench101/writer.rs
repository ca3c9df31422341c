//! Writes files of NAS-Bench-101 as TensorFlow and Python do, independently of what reads them.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smoothdarts::cell::nasbench101::Graph;

/// Cells of NAS-Bench-101, the first with the smallest hash.
pub const CELLS: [&str; 3] = [
    "0100 input,output",
    "0111010000000100000010000100000000100000010000000 \
     input,conv1x1-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,maxpool3x3,output",
    "010001000 input,conv3x3-bn-relu,output",
];

/// A cell, its training, and how its record is spelt.
#[derive(Clone)]
pub struct Record {
    pub cell: &'static str,
    pub hash: String,
    pub epochs: u32,
    /// Accuracies of training, validation and test images at the end.
    pub accuracies: [f64; 3],
    pub seconds: f64,
    pub parameters: u64,
}

impl Record {
    pub fn new(cell: &'static str, epochs: u32, valid: f64, test: f64) -> Self {
        let hash = cell.parse::<Graph>().unwrap().hash().unwrap().to_string();
        let (accuracies, seconds) = ([0.99, valid, test], 100.0 * f64::from(epochs) + valid);
        Self { cell, hash, epochs, accuracies, seconds, parameters: 1_000_000 }
    }

    /// The protocol buffer: three evaluations, parameters, total time.
    pub fn metrics(&self) -> Vec<u8> {
        let [train, valid, test] = self.accuracies;
        let evaluations = [
            evaluation(0.0, 0.0, [0.1, 0.1, 0.1]),
            evaluation(f64::from(self.epochs) / 2.0, self.seconds / 2.0, [0.5, 0.5, 0.5]),
            evaluation(f64::from(self.epochs), self.seconds, [train, valid, test]),
        ];
        let mut bytes: Vec<u8> = evaluations.iter().flat_map(|it| counted(1, it)).collect();
        bytes.push(2 << 3);
        bytes.extend(varint(self.parameters));
        bytes.extend(double(3, self.seconds));
        bytes
    }

    /// The JSON list, with these metrics.
    pub fn json(&self, metrics: &[u8]) -> Vec<u8> {
        let (adjacency, operations) = self.cell.split_once(' ').unwrap();
        let operations = operations.trim();
        let metrics = python_base64(metrics);
        serde_json::to_vec(&(&self.hash, self.epochs, adjacency, operations, metrics)).unwrap()
    }

    pub fn framed(&self) -> Vec<u8> {
        frame(&self.json(&self.metrics()))
    }
}

/// Three trainings of every cell, all of the first length first, as they are mixed in the official file.
pub fn records(lengths: &[u32]) -> Vec<Record> {
    let mut records = Vec::new();
    for &epochs in lengths {
        for repeat in 0..3 {
            for (index, cell) in CELLS.into_iter().enumerate() {
                let valid = 0.9 + 0.01 * index as f64 + 0.001 * f64::from(repeat);
                records.push(Record::new(cell, epochs, valid, valid - 0.005));
            }
        }
    }
    records
}

pub fn file(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(Record::framed).collect()
}

pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// An `EvaluationData` with its checkpoint path.
pub fn evaluation(epoch: f64, seconds: f64, accuracies: [f64; 3]) -> Vec<u8> {
    let values = [epoch, seconds].into_iter().chain(accuracies);
    let fields = (1..).zip(values).flat_map(|(field, value)| double(field, value));
    fields.chain(counted(6, b"/path/of/a/checkpoint")).collect()
}

fn double(field: u8, value: f64) -> Vec<u8> {
    [&[field << 3 | 1][..], &value.to_le_bytes()].concat()
}

pub fn counted(field: u8, bytes: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2][..], &varint(bytes.len() as u64), bytes].concat()
}

fn varint(number: u64) -> Vec<u8> {
    let last = number >> 7 == 0;
    let byte = (number & 0x7f) as u8;
    if last { vec![byte] } else { [vec![byte | 0x80], varint(number >> 7)].concat() }
}

/// As `base64.encodebytes`: lines of 76 characters, each with its end.
fn python_base64(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines = text.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line) + "\n");
    lines.collect()
}

pub fn frame(data: &[u8]) -> Vec<u8> {
    let masked = |bytes: &[u8]| {
        let crc = crc32c::crc32c(bytes);
        crc.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
    };
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), data, &masked(data)].concat()
}

/// The cells with these hashes as a table of CSV and as JSON slices; they tell the same, but the seconds.
pub fn csv_and_json(first: &str, second: &str) -> [String; 2] {
    let csv = format!(
        "params,hash,note,adjacency,ops,valid_4,valid_108,test_108,valid_2\n\
         7,{second},\"a, b\",010001000,-1 0 -2,0.5,0.9,0.875,9\n\n\
         ,{first},,0100,-1 -2,,,0.25,\n"
    );
    let json = format!(
        "{{\"key\": [\"{second}\"], \"trainable_parameters\": [7], \"embedding\": [[1, 2]], \
         \"4_final_validation_accuracy\": [0.5], \"108_final_validation_accuracy\": [0.9], \
         \"108_final_test_accuracy\": [0.875], \"final_training_time\": [12.5], \
         \"operations\": [[-1, 0, -2, -3]], \
         \"adjacency\": [[[0.0, 1.0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]]}}"
    );
    [csv, json]
}
