//! The files of a data set, asked for by name: the crate opens none itself.

use super::DataError;

/// Gives the bytes of a file by its name, or `None` where there is no such file, or why not.
pub type Read<'a> = dyn FnMut(&str) -> Result<Option<Vec<u8>>, String> + 'a;

/// The files of one data set, as far as they are there.
pub(super) struct Files<'a> {
    dataset: &'static str,
    read: &'a mut Read<'a>,
}

impl<'a> Files<'a> {
    /// Those of the data set of this name.
    pub fn new(dataset: &'static str, read: &'a mut Read<'a>) -> Self {
        Self { dataset, read }
    }

    /// The first of these files that exists, plain or with `.gz`, and its name.
    pub fn get(&mut self, names: &[&str]) -> Result<(String, Vec<u8>), DataError> {
        for file in names.iter().flat_map(|name| [(*name).to_owned(), format!("{name}.gz")]) {
            match (self.read)(&file) {
                Ok(Some(bytes)) => return Ok((file, bytes)),
                Ok(None) => {}
                Err(reason) => return Err(DataError::Unreadable { file, reason }),
            }
        }
        let file = names.first().copied().unwrap_or_default().to_owned();
        Err(DataError::Missing { dataset: self.dataset, file })
    }
}
