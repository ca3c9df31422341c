//! A state_dict as `torch.save` writes it: an archive without compression with a pickle that names the
//! tensors, and a file of numbers for each. `torch.load` reads it with `weights_only=True`, its default.

use anyhow::Context as _;
use flate2::Crc;
use smoothdarts::arrays::Arrays;

/// Folder of all members.
const FOLDER: &str = "archive";

/// Numbers begin at multiples of it, so that PyTorch can map them into memory.
const ALIGNMENT: usize = 64;

/// The bytes of the file.
///
/// # Errors
/// If it would be larger than 4 GiB, where such an archive ends.
pub fn to_bytes(arrays: &Arrays) -> anyhow::Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.add("data.pkl", &pickle(arrays))?;
    archive.add("byteorder", b"little")?;
    for (key, array) in arrays.values().enumerate() {
        let numbers: Vec<u8> = array.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        archive.add(&format!("data/{key}"), &numbers)?;
    }
    archive.add("version", b"3\n")?;
    archive.finish()
}

/// A zip archive whose members are stored as they are.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    members: u16,
}

impl Archive {
    fn add(&mut self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        const HEADER: usize = 30;
        let name = format!("{FOLDER}/{name}");
        let start = number(self.bytes.len())?;
        let mut sum = Crc::new();
        sum.update(content);
        let size = number(content.len())?.to_le_bytes();
        // An extra field `FB` fills the gap, as in the files of PyTorch.
        let unpadded = self.bytes.len() + HEADER + name.len() + 4;
        let gap = unpadded.next_multiple_of(ALIGNMENT) - unpadded;
        let extra = [&b"FB"[..], &(gap as u16).to_le_bytes(), &vec![b'Z'; gap]].concat();
        // Flags, method, time and date (1 January 1980) of a stored member.
        let kind = [0, 0, 0, 0, 0, 0, 0x21, 0];
        let name_length = (name.len() as u16).to_le_bytes();
        let common = |extra: u16| {
            [&kind[..], &sum.sum().to_le_bytes(), &size, &size, &name_length, &extra.to_le_bytes()]
                .concat()
        };
        for part in [&b"PK\x03\x04\x0a\0"[..], &common(extra.len() as u16), name.as_bytes(), &extra]
        {
            self.bytes.extend(part);
        }
        self.bytes.extend(content);
        let rest = [&[0; 10][..], &start.to_le_bytes(), name.as_bytes()].concat();
        for part in [&b"PK\x01\x02\x0a\0\x0a\0"[..], &common(0), &rest] {
            self.directory.extend(part);
        }
        self.members = self.members.checked_add(1).context("there are more than 65,535 tensors")?;
        Ok(())
    }

    fn finish(self) -> anyhow::Result<Vec<u8>> {
        let Self { mut bytes, directory, members } = self;
        let (start, length) = (number(bytes.len())?, number(directory.len())?);
        let members = members.to_le_bytes();
        bytes.extend(&directory);
        for part in [
            &b"PK\x05\x06\0\0\0\0"[..],
            &members,
            &members,
            &length.to_le_bytes(),
            &start.to_le_bytes(),
            &[0; 2],
        ] {
            bytes.extend(part);
        }
        Ok(bytes)
    }
}

fn number(count: usize) -> anyhow::Result<u32> {
    let fault = "the file would be larger than 4 GiB; export the network to safetensors";
    u32::try_from(count).context(fault)
}

/// The pickle of an OrderedDict of tensors, in protocol 2.
fn pickle(arrays: &Arrays) -> Vec<u8> {
    const DICTIONARY: &[u8] = b"ccollections\nOrderedDict\n)R";
    let mut out = [b"\x80\x02", DICTIONARY, b"("].concat();
    for (key, (name, array)) in arrays.iter().enumerate() {
        text(&mut out, name);
        // _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut out, "storage");
        out.extend(b"ctorch\nFloatStorage\n");
        text(&mut out, &key.to_string());
        text(&mut out, "cpu");
        integer(&mut out, array.values.len());
        out.extend(b"tQ");
        integer(&mut out, 0);
        let axes = 0..array.shape.len();
        let strides: Vec<usize> =
            axes.map(|axis| array.shape.iter().skip(axis + 1).product()).collect();
        for numbers in [&array.shape, &strides] {
            out.push(b'(');
            numbers.iter().for_each(|number| integer(&mut out, *number));
            out.push(b't');
        }
        out.push(0x89);
        out.extend(DICTIONARY);
        out.extend(b"tR");
    }
    out.extend(b"u.");
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

/// A number of eight bytes: `torch.save` takes fewer where it can, and readers take both.
fn integer(out: &mut Vec<u8>, number: usize) {
    out.extend(b"\x8a\x08");
    out.extend((number as i64).to_le_bytes());
}
