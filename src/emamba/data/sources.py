"""The official files of the data sets: their addresses and checksums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from emamba.data.dataset import Task
from emamba.errors import ConfigError

Name = Literal["digits", "fashion-mnist", "cifar-10", "mars", "wikitext-2"]


@dataclass(frozen=True)
class Download:
    """A file, addresses that have it (the official one first), and its MD5 or SHA-256; "" where none is known."""

    file: str
    addresses: tuple[str, ...]
    checksum: str

    @property
    def algorithm(self) -> str:
        """Of `checksum`, told by its length."""
        return "md5" if len(self.checksum) == 32 else "sha256"


@dataclass(frozen=True)
class Source:
    """What a data set is, and which files its official release has (none: it comes with a library)."""

    task: Task
    sizes: str
    downloads: tuple[Download, ...] = ()


def _fashion(file: str, md5: str) -> Download:
    official = f"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/{file}"
    mirror = f"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/{file}"
    return Download(file, (official, mirror), md5)


def _mars(file: str, sha256: str) -> Download:
    place = "https://raw.githubusercontent.com/SizheAn/MARS"
    commit = "dc902822f864ca0d5df90d559d53d3cd919d3c7c"
    return Download(file, tuple(f"{place}/{version}/feature/{file}" for version in (commit, "main")), sha256)


SOURCES: dict[Name, Source] = {
    "digits": Source("classification", "1,150 + 287 + 360 images 8x8x1, 10 classes"),
    "fashion-mnist": Source(
        "classification",
        "55,000 + 5,000 + 10,000 images 28x28x1, 10 classes",
        (
            _fashion("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            _fashion("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
            _fashion("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
            _fashion("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
    ),
    "cifar-10": Source(
        "classification",
        "45,000 + 5,000 + 10,000 images 32x32x3, 10 classes",
        (
            Download(
                "cifar-10-binary.tar.gz",
                ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
                "c32a1d4ab5d03f1284b67883e8d87530",
            ),
        ),
    ),
    # The authors publish no checksums. These are of the files at that commit, as an independent user of the data
    # published them; those of labels_validate and labels_test were computed again from the labels themselves.
    "mars": Source(
        "regression",
        "24,066 + 8,033 + 7,984 frames 8x8x5, 57 coordinates",
        (
            _mars("featuremap_train.npy", "f00c9266059e6367c688d4bff0a7f5add633994c50fe0addbc501ed6f3ea0462"),
            _mars("featuremap_validate.npy", "13b701b45fce07b2105b3ec5fa348f70f50a64909257e8a92772915266d30807"),
            _mars("featuremap_test.npy", "331551d42039e97a0afc260029d605dec29f4a0d11ede65e4c1328c49cb5c145"),
            _mars("labels_train.npy", "14cc4f3e56dd2135f677fae68ba33d5973615136917cdc6b66d0a960da5324c7"),
            _mars("labels_validate.npy", "613f6b83d4d4ca9a785be6693e4eee75b52f607b3ea887203a3114c77cb8d9da"),
            _mars("labels_test.npy", "a1f29ebee5d5b4a63810997e9eda811af97bd222dcf4d4766777ccaea1b256e8"),
        ),
    ),
    "wikitext-2": Source(
        "language",
        "42,176 + 4,381 + 4,908 frames of 256 bytes",
        (
            Download(
                "wikitext-2-v1.zip",
                (
                    "https://s3.amazonaws.com/research.metamind.io/wikitext/wikitext-2-v1.zip",
                    "https://wikitext.smerity.com/wikitext-2-v1.zip",
                ),
                "542ccefacc6c27f945fb54453812b3cd",
            ),
        ),
    ),
}


def source(name: str) -> Source:
    """The source of that data set; ConfigError if there is none."""
    for known, found in SOURCES.items():
        if known == name:
            return found
    raise ConfigError(f"there is no data set {name!r}", f"there are: {', '.join(SOURCES)}")
