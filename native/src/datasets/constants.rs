//! What is known of the images of a data set as a whole.

use smoothdarts::config::Config;
use smoothdarts::data::{self, photo};

use super::imagenet::IMAGENET;
use super::supply::Opened;

/// What is known of the images of a data set as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Constants {
    /// The name of the data set.
    pub name: String,
    /// Mean of pixel / 255, for each channel.
    pub mean: Vec<f32>,
    /// Standard deviation of pixel / 255, for each channel.
    pub std: Vec<f32>,
    /// Names of the classes, by label; none where only the files would tell.
    pub classes: Vec<String>,
}

/// Those of the data set that `data.name` and `data.dir` ask for. Only a folder of images needs its files,
/// which are read where its mean is measured.
///
/// # Errors
/// An unknown name, or files that are missing or damaged.
pub fn constants(config: &Config) -> anyhow::Result<Constants> {
    let name = config.data.name.clone();
    if let Ok(source) = data::find(&name) {
        let classes = source.classes.iter().map(|&class| class.to_owned()).collect();
        let (mean, std) = (source.mean.to_vec(), source.std.to_vec());
        return Ok(Constants { name, mean, std, classes });
    }
    let (mean, std) = (photo::MEAN.to_vec(), photo::STD.to_vec());
    if name == IMAGENET {
        // Its archives are 150 GB, and their index takes minutes.
        return Ok(Constants { name, mean, std, classes: Vec::new() });
    }
    Ok(match Opened::of(config)? {
        Opened::Memory(dataset) => {
            Constants { name, mean: dataset.mean, std: dataset.std, classes: dataset.class_names }
        }
        Opened::Disk(parts) => Constants { name, mean, std, classes: parts.classes },
    })
}
