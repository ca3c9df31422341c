"""The sizes that compare.py times, and the names of the methods."""

# Names of the methods, and what `sdarts bench` calls them.
METHODS = {
    "darts": "darts",
    "sdarts-rs": "sdarts-rs",
    "sdarts-adv": "sdarts-adv",
    "second-order": "darts-2nd",
}
# Space of the searches of a size, where it is not s5.
SPACES = {"oneshot": "oneshot-1"}
# Flag of the peer, setting of sdarts, and their value in each size.
SIZES = {
    "paper": (
        ("--batch", "search.batch_size", 16),
        ("--channels", "search.channels", 16),
        ("--cells", "search.cells", 8),
        ("--image-size", "data.image_size", 32),
    ),
    # The network of c10_s5_pgd, trained as in the paper's tables.
    "train": (
        ("--batch", "train.batch_size", 96),
        ("--channels", "train.channels", 36),
        ("--cells", "train.cells", 20),
        ("--image-size", "data.image_size", 32),
    ),
    "small": (
        ("--batch", "search.batch_size", 64),
        ("--channels", "search.channels", 4),
        ("--cells", "search.cells", 4),
        ("--image-size", "data.image_size", 16),
    ),
    # NAS-Bench-1Shot1 as in Figures 3 to 5.
    "oneshot": (
        ("--batch", "search.batch_size", 96),
        ("--channels", "search.channels", 16),
        ("--cells", "search.cells", 9),
        ("--image-size", "data.image_size", 32),
    ),
    "gpu": (
        ("--batch", "search.batch_size", 64),
        ("--channels", "search.channels", 16),
        ("--cells", "search.cells", 8),
        ("--image-size", "data.image_size", 32),
    ),
}
