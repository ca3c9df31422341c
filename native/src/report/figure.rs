//! A figure of a page: the picture, its numbers as a file and as a table, and the command that
//! makes it.

use askama::Template;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use smoothdarts::draw::figures::{Figure, Picture};
use smoothdarts::draw::table::Table;

/// A picture with its data.
#[derive(Template)]
#[template(path = "figure.html")]
pub(crate) struct Html {
    /// SVG that was drawn by this program, which escapes all text in it.
    pub(crate) picture: String,
    pub(crate) caption: String,
    /// Name of the file that its data is saved as, and the data as an address.
    pub(crate) file: String,
    pub(crate) data: String,
    /// The numbers for those who do not see the picture, unless they are only in the file.
    pub(crate) table: Option<Table>,
    /// What makes the picture.
    pub(crate) command: String,
}

impl Html {
    /// A picture of a figure; `number` tells the files of several searches apart.
    pub(crate) fn of(
        figure: &Figure,
        number: Option<usize>,
        picture: &dyn Picture,
        command: &str,
    ) -> Self {
        Self {
            picture: picture.svg(),
            caption: picture.caption(),
            file: format!("{}.csv", figure.stem(number, picture.numbers())),
            data: data_uri("text/csv", &picture.csv()),
            table: picture.table(),
            command: command.to_owned(),
        }
    }
}

/// What RFC 3986 reserves, except the commas, which are half of a CSV and allowed in the data of an
/// address.
const RESERVED: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b',');

/// A text as the address of a file to save.
pub(crate) fn data_uri(kind: &str, text: &str) -> String {
    format!("data:{kind};charset=utf-8,{}", utf8_percent_encode(text, &RESERVED))
}
