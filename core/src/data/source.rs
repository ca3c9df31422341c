//! The catalogue of data sets: a row says where the official files are, how they are read, and
//! which constants normalise them.

use super::files::{Files, Read};
use super::{DataError, Dataset, Images, Part, cifar, idx, svhn};

/// A file of a data set, and the official download that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Where the file stands in the folder of the data set.
    pub path: &'static str,
    /// Address of the download: this file, or an archive with this file in it.
    pub url: &'static str,
    /// Size of the download in bytes.
    pub bytes: u64,
    /// SHA-256 of the download.
    pub sha256: &'static str,
    /// Where the download is a .tar.gz: the path of this file inside it.
    pub member: Option<&'static str>,
}

/// Reads the test images, or for any other part all training images; labels are less than the number of
/// classes.
type Decoder = fn(Part, usize, &mut Files) -> Result<Images, DataError>;

/// A row of the catalogue.
#[derive(Clone, Copy)]
pub struct Source {
    /// Its name in a config.
    pub name: &'static str,
    /// What is in it.
    pub help: &'static str,
    /// Everything that [`Self::decode`] asks for.
    pub files: &'static [RemoteFile],
    /// Names of the classes, by label.
    pub classes: &'static [&'static str],
    /// Mean of pixel / 255 over the training images, for each channel.
    pub mean: &'static [f32],
    /// Standard deviation of pixel / 255 over the training images, for each channel.
    pub std: &'static [f32],
    decoder: Decoder,
}

/// All data sets.
pub const ALL: &[Source] = &[FASHION_MNIST, MNIST, CIFAR10, CIFAR100, SVHN];

/// Images of clothing in the format of MNIST. The constants are those of its 60,000 training
/// images, also for the part that comes with the program.
const FASHION_MNIST: Source = Source {
    name: "fashion-mnist",
    help: "clothes, 28×28 gray, 10 classes, 60,000 + 10,000 images; its first 4,000 + 1,000 come with the program",
    files: &[
        download(
            "train-images-idx3-ubyte.gz",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        download(
            "train-labels-idx1-ubyte.gz",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-labels-idx1-ubyte.gz",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        download(
            "t10k-images-idx3-ubyte.gz",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-images-idx3-ubyte.gz",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        download(
            "t10k-labels-idx1-ubyte.gz",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-labels-idx1-ubyte.gz",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ],
    classes: &[
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    mean: &[0.286_040_6],
    std: &[0.353_024_24],
    decoder: idx::decode,
};

/// From the mirror that PyTorch keeps: the original site does not serve the files any more.
const MNIST: Source = Source {
    name: "mnist",
    help: "handwritten digits, 28×28 gray, 10 classes, 60,000 + 10,000 images",
    files: &[
        download(
            "train-images-idx3-ubyte.gz",
            "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        download(
            "train-labels-idx1-ubyte.gz",
            "https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        download(
            "t10k-images-idx3-ubyte.gz",
            "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        download(
            "t10k-labels-idx1-ubyte.gz",
            "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ],
    classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    mean: &[0.130_660_48],
    std: &[0.308_107_8],
    decoder: idx::decode,
};

/// The paper's main benchmark (constants: spec §2.4).
const CIFAR10: Source = Source {
    name: "cifar10",
    help: "small photographs, 32×32 RGB, 10 classes, 50,000 + 10,000 images",
    files: &[
        cifar10("cifar-10-batches-bin/data_batch_1.bin"),
        cifar10("cifar-10-batches-bin/data_batch_2.bin"),
        cifar10("cifar-10-batches-bin/data_batch_3.bin"),
        cifar10("cifar-10-batches-bin/data_batch_4.bin"),
        cifar10("cifar-10-batches-bin/data_batch_5.bin"),
        cifar10("cifar-10-batches-bin/test_batch.bin"),
    ],
    classes: &[
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ],
    mean: &[0.491_399_68, 0.482_158_27, 0.446_531_24],
    std: &[0.247_032_33, 0.243_485_05, 0.261_587_68],
    decoder: cifar::decode_10,
};

/// Constants: spec §2.4.
const CIFAR100: Source = Source {
    name: "cifar100",
    help: "small photographs, 32×32 RGB, 100 classes (fine labels), 50,000 + 10,000 images",
    files: &[cifar100("cifar-100-binary/train.bin"), cifar100("cifar-100-binary/test.bin")],
    #[rustfmt::skip]
    classes: &[
        "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle",
        "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle",
        "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch",
        "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox",
        "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
        "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom",
        "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
        "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
        "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake",
        "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
        "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle",
        "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
    ],
    mean: &[0.5071, 0.4865, 0.4409],
    std: &[0.2673, 0.2564, 0.2762],
    decoder: cifar::decode_100,
};

/// Without the 531,131 extra images, as in the paper (constants: spec §2.4).
const SVHN: Source = Source {
    name: "svhn",
    help: "house numbers, 32×32 RGB, 10 classes, 73,257 + 26,032 images",
    files: &[
        download(
            "train_32x32.mat",
            "http://ufldl.stanford.edu/housenumbers/train_32x32.mat",
            182_040_794,
            "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        ),
        download(
            "test_32x32.mat",
            "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
            64_275_384,
            "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        ),
    ],
    classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    mean: &[0.4377, 0.4438, 0.4728],
    std: &[0.1980, 0.2010, 0.1970],
    decoder: svhn::decode,
};

/// A file that is downloaded as it is.
const fn download(
    path: &'static str,
    url: &'static str,
    bytes: u64,
    sha256: &'static str,
) -> RemoteFile {
    RemoteFile { path, url, bytes, sha256, member: None }
}

const fn cifar10(path: &'static str) -> RemoteFile {
    RemoteFile {
        path,
        url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        bytes: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        member: Some(path),
    }
}

const fn cifar100(path: &'static str) -> RemoteFile {
    RemoteFile {
        path,
        url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        bytes: 168_513_733,
        sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        member: Some(path),
    }
}

/// The row of this name.
///
/// # Errors
/// An unknown name; the error says which known one is nearest.
pub fn find(name: &str) -> Result<&'static Source, DataError> {
    ALL.iter().find(|source| source.name == name).ok_or_else(|| {
        let lower = name.to_lowercase();
        let similarity = |source: &Source| strsim::jaro_winkler(source.name, &lower);
        let nearest = ALL.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
        DataError::Unknown {
            name: name.to_owned(),
            nearest: nearest.map_or("", |source| source.name),
        }
    })
}

impl Source {
    /// Reads the data set. `read` gets the name of a file, relative to the folder of the data set,
    /// and returns its bytes, or `None` where there is no such file. A name is asked for as it is
    /// and with `.gz` behind it; the files of an archive with and without its folder.
    ///
    /// # Errors
    /// A file that is missing, cannot be read, or does not hold what it should.
    pub fn decode<'a>(&self, read: &'a mut Read<'a>) -> Result<Dataset, DataError> {
        let (classes, mut files) = (self.classes.len(), Files::new(self.name, read));
        let train = (self.decoder)(Part::Train, classes, &mut files)?;
        let test = (self.decoder)(Part::Test, classes, &mut files)?;
        if [train.height, train.width] != [test.height, test.width] {
            return Err(DataError::unusable(
                format!(
                    "{}: training images are {}×{}, test images {}×{}",
                    self.name, train.height, train.width, test.height, test.width
                ),
                super::FETCH_AGAIN,
            ));
        }
        Ok(self.dataset(train, test))
    }

    /// Reads the training images alone: no file of test images is asked for, and there are none.
    ///
    /// # Errors
    /// As for [`Self::decode`].
    pub fn decode_training<'a>(&self, read: &'a mut Read<'a>) -> Result<Dataset, DataError> {
        let mut files = Files::new(self.name, read);
        let train = (self.decoder)(Part::Train, self.classes.len(), &mut files)?;
        let test = Images { pixels: Vec::new(), labels: Vec::new(), ..train };
        Ok(self.dataset(train, test))
    }

    fn dataset(&self, train: Images, test: Images) -> Dataset {
        Dataset {
            name: self.name.to_owned(),
            train,
            test,
            class_names: self.classes.iter().map(|&class| class.to_owned()).collect(),
            mean: self.mean.to_vec(),
            std: self.std.to_vec(),
        }
    }
}

/// The first 4,000 training and 1,000 test images of Fashion-MNIST, which come with the program
/// (2.2 MB; their licence is in the same folder).
///
/// # Errors
/// None, as long as the program itself is intact.
pub fn embedded() -> Result<Dataset, DataError> {
    FASHION_MNIST.decode(&mut |file| {
        let bytes: Option<&[u8]> = match file {
            "train-images-idx3-ubyte.gz" => {
                Some(include_bytes!("fashion-mnist/train-images-idx3-ubyte.gz"))
            }
            "train-labels-idx1-ubyte.gz" => {
                Some(include_bytes!("fashion-mnist/train-labels-idx1-ubyte.gz"))
            }
            "t10k-images-idx3-ubyte.gz" => {
                Some(include_bytes!("fashion-mnist/t10k-images-idx3-ubyte.gz"))
            }
            "t10k-labels-idx1-ubyte.gz" => {
                Some(include_bytes!("fashion-mnist/t10k-labels-idx1-ubyte.gz"))
            }
            _ => None,
        };
        Ok(bytes.map(<[u8]>::to_vec))
    })
}
