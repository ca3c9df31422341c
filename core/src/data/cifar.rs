//! The binary version of CIFAR-10 and CIFAR-100: records without any header.
//!
//! A record is its label bytes, then 32×32 bytes of red, of green and of blue. As nothing in the
//! file says how many records there are, each file must have exactly the official number.

use super::files::Files;
use super::input::Input;
use super::{DataError, Images, Part};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;

/// How the records of one data set look.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Folder inside the official archive.
    folder: &'static str,
    /// Bytes before the pixels.
    label_bytes: usize,
    /// Which of them is the label.
    label_at: usize,
}

/// Those of CIFAR-10.
pub const CIFAR10: Layout = Layout { folder: "cifar-10-batches-bin", label_bytes: 1, label_at: 0 };
/// Those of CIFAR-100. The first byte is one of 20 coarse classes; the paper and everybody else use the
/// fine one.
pub const CIFAR100: Layout = Layout { folder: "cifar-100-binary", label_bytes: 2, label_at: 1 };

const TRAIN_BATCHES: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];

/// Training or test images of CIFAR-10, from six files of 10,000 records.
pub(super) fn decode_10(
    part: Part,
    classes: usize,
    files: &mut Files,
) -> Result<Images, DataError> {
    let names: &[&str] = if part == Part::Test { &["test_batch.bin"] } else { &TRAIN_BATCHES };
    CIFAR10.part(files, names, 10_000, classes)
}

/// Training or test images of CIFAR-100, with fine labels.
pub(super) fn decode_100(
    part: Part,
    classes: usize,
    files: &mut Files,
) -> Result<Images, DataError> {
    match part {
        Part::Test => CIFAR100.part(files, &["test.bin"], 10_000, classes),
        _ => CIFAR100.part(files, &["train.bin"], 50_000, classes),
    }
}

const NONE: Images =
    Images { pixels: Vec::new(), labels: Vec::new(), height: SIDE, width: SIDE, channels: 3 };

impl Layout {
    /// The images of a file of so many records, plain or as gzip; `file` names it in errors.
    ///
    /// # Errors
    /// [`DataError::Malformed`]: another number of bytes, or a label that is not less than `classes`.
    pub fn images(
        &self,
        file: &str,
        bytes: &[u8],
        records: usize,
        classes: usize,
    ) -> Result<Images, DataError> {
        let mut images = NONE;
        self.append(&mut images, file, bytes, records, classes)?;
        Ok(images)
    }

    fn part(
        &self,
        files: &mut Files,
        names: &[&str],
        records: usize,
        classes: usize,
    ) -> Result<Images, DataError> {
        let mut images = NONE;
        for name in names {
            let (file, bytes) = files.get(&[&format!("{}/{name}", self.folder), name])?;
            self.append(&mut images, &file, &bytes, records, classes)?;
        }
        Ok(images)
    }

    fn append(
        &self,
        images: &mut Images,
        file: &str,
        bytes: &[u8],
        records: usize,
        classes: usize,
    ) -> Result<(), DataError> {
        let record_len = self.label_bytes + 3 * PLANE;
        let what = format!("{records} records of {record_len} bytes");
        let mut input = Input::new(file, bytes);
        let bytes = input.bytes((records * record_len) as u64, &what)?;
        input.end(&what)?;
        images.pixels.reserve(records * 3 * PLANE);
        for (index, record) in bytes.chunks_exact(record_len).enumerate() {
            let (labels, planes) = record.split_at(self.label_bytes);
            let label = labels[self.label_at];
            if usize::from(label) >= classes {
                return Err(input.malformed(
                    format!("labels from 0 to {}", classes - 1),
                    format!("label {label} in record {index}"),
                ));
            }
            images.labels.push(u16::from(label));
            let (red, rest) = planes.split_at(PLANE);
            let (green, blue) = rest.split_at(PLANE);
            for ((&red, &green), &blue) in red.iter().zip(green).zip(blue) {
                images.pixels.extend([red, green, blue]);
            }
        }
        Ok(())
    }
}
