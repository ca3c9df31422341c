//! What a setting of the images can be.

use serde::{Deserialize, Serialize};

choice! {
    /// Where the validation batch of a step comes from.
    AlphaBatches {
        /// The first batch of a fresh shuffle of the validation half, every step.
        Fresh,
        /// One pass after another over the validation half.
        Pass,
    }
}

choice! {
    /// How the training set is split in two.
    Split {
        /// The first part trains w, the last part α; no shuffle before.
        Contiguous,
        /// A seeded shuffle before the cut.
        Shuffled,
    }
}

choice! {
    /// How a training image becomes an input.
    Transform {
        /// A crop of the padded image (CIFAR).
        Crop,
        /// A random part at a random scale, resized (ImageNet; spec §9.2).
        ResizedCrop,
    }
}

choice! {
    /// Where the images of a folder are kept.
    Keep {
        /// In memory where they are few and all of one transform, else on the disk.
        Auto,
        /// In memory, at their final size.
        Memory,
        /// On the disk: each is read when its turn comes.
        Disk,
    }
}
