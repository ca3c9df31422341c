//! The memory of a step, measured with two sizes of the batch: what a step holds grows with its images along
//! a line.

use burn::tensor::Device;
use indicatif::HumanBytes;

use crate::bench::memory;

/// Bytes that were in use at most.
#[derive(Clone, Copy)]
pub struct Peak {
    /// Images that were in a step at once.
    images: usize,
    /// Of the process, where the system tells.
    host: Option<f64>,
    /// Of the GPU, where one computes.
    device: Option<f64>,
}

/// Bytes that a run will take.
#[derive(Clone, Copy)]
pub struct Needed {
    /// Of the process.
    pub host: Option<u64>,
    /// Of the GPU.
    pub device: Option<u64>,
}

impl Peak {
    /// Since the last [`memory::reset`], over steps with so many images at once.
    pub fn read(images: usize, device: &Device) -> Self {
        let host = memory::peak().map(|bytes| bytes as f64);
        Self { images, host, device: memory::on_device(device).map(|bytes| bytes as f64) }
    }

    /// What steps with so many images take, on the line through this and one with other images.
    pub fn with(self, other: Option<Self>, images: usize) -> Self {
        let Some(other) = other.filter(|other| other.images != self.images) else { return self };
        let share =
            (images as f64 - self.images as f64) / (self.images as f64 - other.images as f64);
        let line = |here: Option<f64>, there: Option<f64>| {
            here.map(|here| here + share * (here - there.unwrap_or(here)).max(0.0))
        };
        let (host, device) = (line(self.host, other.host), line(self.device, other.device));
        Self { images, host, device }
    }

    /// What steps with so many images take where one size was measured: tensors of a device grow with the images,
    /// and those of a device in software lie in the process.
    pub fn scaled(self, images: usize) -> Self {
        let more = images as f64 / self.images as f64 - 1.0;
        let grown = more * self.device.unwrap_or(0.0);
        let (host, device) = (self.host.map(|host| host + grown), self.device.map(|it| it + grown));
        Self { images, host, device }
    }

    /// What a network of `times` as many cells takes, where the process held so much before there was one.
    pub fn times(self, times: f64, before: Option<u64>) -> Needed {
        let before = before.unwrap_or(0) as f64;
        let more = |bytes: f64, before: f64| (before + (bytes - before).max(0.0) * times) as u64;
        Needed {
            host: self.host.map(|bytes| more(bytes, before)),
            device: self.device.map(|bytes| more(bytes, 0.0)),
        }
    }
}

impl Needed {
    /// In words, if anything is known.
    pub fn words(self) -> Option<String> {
        let of = |bytes: Option<u64>, what: &str| {
            bytes.map(|bytes| format!("{} of the {what}", HumanBytes(bytes)))
        };
        let parts: Vec<String> =
            [of(self.host, "process"), of(self.device, "GPU")].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("about {}", parts.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peak(images: usize, host: f64) -> Peak {
        Peak { images, host: Some(host), device: None }
    }

    #[test]
    fn the_images_of_the_whole_lie_on_the_line_through_two_parts() {
        let needed = peak(8, 180.0).with(Some(peak(4, 140.0)), 64).times(1.0, Some(20));
        assert_eq!(needed.host, Some(740));
        // Twice the cells hold twice of what came after the images of the data set.
        let needed = peak(8, 180.0).with(Some(peak(4, 140.0)), 64).times(2.0, Some(20));
        assert_eq!(needed.host, Some(1460));
        // A device in software, whose kernels would be compiled anew for a second size.
        let software = Peak { device: Some(30.0), ..peak(8, 180.0) }.scaled(16).times(1.0, None);
        assert_eq!((software.host, software.device), (Some(210), Some(60)));
        // The whole was measured.
        assert_eq!(peak(8, 180.0).with(None, 8).times(1.0, Some(20)).host, Some(180));
        // In parts of the batch that are as large, nothing more is held.
        assert_eq!(peak(8, 180.0).with(Some(peak(8, 179.0)), 8).times(1.0, None).host, Some(180));
    }
}
