//! Events as lines of the file events.jsonl. Every line carries a checksum over its place in the
//! file and its text, so that a line that was changed, lost or moved is noticed:
//!
//! `{"type":"step",…,"crc32c":"1a2b3c4d"}`
//!
//! Lines of an earlier version have none. They are read all the same, but not behind a line that
//! has one.

use crc32c::{crc32c, crc32c_append};

use super::{EpochFinished, Event};
use crate::cell::{Choice, Rows};

/// What stands before the eight digits of the checksum.
const BEFORE: &str = ",\"crc32c\":\"";

/// What stands behind them.
const AFTER: &str = "\"}";

/// Length of a checksum in digits.
const DIGITS: usize = 8;

/// Why a line is not the event that was written.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Its checksum is another one.
    #[error("the line is damaged, or lines before it are missing: its checksum does not fit")]
    Checksum,
    /// It has none, though a line before it has one.
    #[error("the line is damaged: its checksum is missing")]
    Unchecked,
    /// It is no event.
    #[error("this is no event: {0}")]
    NoEvent(String),
    /// Its numbers belong to other choices than those of the search.
    #[error("the line is damaged: it has not one number of {0} for every option of the search")]
    Shape(&'static str),
}

/// The line of an event without its end; `index` counts the lines of the file from 0.
///
/// # Errors
/// If the event has no JSON form.
pub fn write(event: &Event, index: u64) -> Result<String, serde_json::Error> {
    let mut line = serde_json::to_string(event)?;
    let sum = checksum(index, &line);
    // An event is an object that is not empty, so this brace is its last.
    line.truncate(line.len().saturating_sub(1));
    line.push_str(&format!("{BEFORE}{sum:08x}{AFTER}"));
    Ok(line)
}

/// Reads the lines of a file, one after another.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    index: u64,
    /// Whether a line before had a checksum.
    checked: bool,
    /// What the search chooses from, where a line before told it.
    choices: Option<Vec<Choice>>,
}

impl Lines {
    /// The event of the next line, which is given without its end.
    ///
    /// # Errors
    /// [`LineError`]; the line counts all the same.
    pub fn read(&mut self, line: &[u8]) -> Result<Event, LineError> {
        let index = self.index;
        self.index += 1;
        let no_event = |error: &dyn std::fmt::Display| LineError::NoEvent(error.to_string());
        let line = std::str::from_utf8(line).map_err(|error| no_event(&error))?;
        if let Some((before, digits)) = split(line) {
            self.checked = true;
            // The checksum was taken before it was put in.
            if digits != format!("{:08x}", checksum(index, &format!("{before}}}"))) {
                return Err(LineError::Checksum);
            }
        } else if self.checked {
            return Err(LineError::Unchecked);
        }
        let event = serde_json::from_str(line).map_err(|error| no_event(&error))?;
        match &event {
            Event::Started(started) => self.choices = Some(started.choices.clone()),
            Event::StageStarted(stage) => self.choices = Some(stage.choices.clone()),
            Event::EpochFinished(epoch) => self.check(epoch)?,
            _ => {}
        }
        Ok(event)
    }

    /// What is drawn of an epoch takes it for granted that its numbers are those of the options.
    fn check(&self, epoch: &EpochFinished) -> Result<(), LineError> {
        let Some(choices) = &self.choices else { return Ok(()) };
        let fits = |(rows, choice): (&Rows, &Choice)| {
            rows.len() == choice.rows.len()
                && rows.iter().zip(&choice.rows).all(|(row, of)| row.len() == of.options.len())
        };
        let fit = |all: &[Rows]| all.len() == choices.len() && all.iter().zip(choices).all(fits);
        // Methods that sample cells at random, or by a controller, have no α.
        if !epoch.alpha.is_empty() && !fit(&epoch.alpha) {
            return Err(LineError::Shape("α"));
        }
        if !fit(&epoch.probabilities) {
            return Err(LineError::Shape("p"));
        }
        Ok(())
    }
}

/// The text before the checksum of a line, and its digits.
fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_suffix(AFTER)?;
    let (before, digits) = line.split_at_checked(line.len().checked_sub(DIGITS)?)?;
    Some((before.strip_suffix(BEFORE)?, digits))
}

fn checksum(index: u64, line: &str) -> u32 {
    crc32c_append(crc32c(&index.to_le_bytes()), line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Warning, WarningCode};

    fn lines() -> Result<Vec<String>, serde_json::Error> {
        let event = |epoch| {
            let (code, message) = (WarningCode::Collapse, "look at it".to_owned());
            Event::Warning(Warning { epoch, code, message })
        };
        (0..3).map(|index| write(&event(index as usize), index)).collect()
    }

    fn faults(lines: &[String]) -> Vec<usize> {
        let mut reader = Lines::default();
        let read = lines.iter().map(|line| reader.read(line.as_bytes()).is_err());
        read.enumerate().filter_map(|(index, fault)| fault.then_some(index)).collect()
    }

    #[test]
    fn a_line_that_was_changed_lost_or_moved_is_noticed() -> Result<(), serde_json::Error> {
        let whole = lines()?;
        assert!(faults(&whole).is_empty());
        assert_eq!(faults(&whole[1..]), [0, 1]);
        assert_eq!(faults(&[whole[1].clone(), whole[0].clone()]), [0, 1]);
        let changed = whole[1].replace("look", "lock");
        assert_eq!(faults(&[whole[0].clone(), changed, whole[2].clone()]), [1]);
        let without = whole[1].replace("crc32c", "crc32b");
        assert_eq!(faults(&[whole[0].clone(), without]), [1]);
        Ok(())
    }

    #[test]
    fn lines_of_an_earlier_version_are_read_before_those_of_this_one()
    -> Result<(), serde_json::Error> {
        let mut lines = lines()?;
        let event: Event = serde_json::from_str(&lines[0])?;
        lines[0] = serde_json::to_string(&event)?;
        assert!(faults(&lines).is_empty());
        Ok(())
    }
}
