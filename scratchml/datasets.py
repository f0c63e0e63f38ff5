"""The data sets of the course: small ones that ship with it, complete ones downloaded
once.

Each loader returns a `Dataset` of three parts. By default it reads the embedded set in
`data/`: offline, and the same on every machine. With `full=True`, or `SCRATCHML_FULL=1`
in the environment, it reads the complete set, found under `SCRATCHML_DATA` (default
`data/downloads/`) or fetched into it. What is published packed is checked against a
known checksum each time it is read; nothing is ever unpickled. `data/README.md` lists
sources, licences and checksums.
"""

import gzip
import json
import os
import re
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ._support import progress_bar, replace_file, require
from .text import clean_text8, encode_characters

_MNIST_FILES = {  # name of the complete set's file -> its checksum
    "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
}
_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",  # tried in this order
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_MNIST_FOLDERS = (
    "mnist",
    ".",
    "MNIST/raw",
)  # ours, loose files, where torchvision puts them
_MNIST_VALIDATION = 500  # of each digit, kept out of the complete training set

_NEWS = "20news-bydate"
_NEWS_HASH = "sha256:8f1b2514ca22a5ade8fbb9cfa5727df95fa587f4c87b786e15c759fa66d95610"
_NEWS_URLS = (
    "https://ndownloader.figshare.com/files/5975967",
    "http://qwone.com/~jason/20Newsgroups/20news-bydate.tar.gz",
)
_TEXT8_HASH = "md5:3bea1919949baf155f99411df5fada7e"
_TEXT8_URLS = (
    "http://mattmahoney.net/dc/text8.zip",
    "https://data.deepai.org/text8.zip",
)

_HELP = (
    "Complete sets are looked for, and kept, in the folder that SCRATCHML_DATA names. The "
    "embedded set needs no network: pass full=False, or unset SCRATCHML_FULL."
)


class Dataset(NamedTuple):
    """Three parts of one data set, each a pair (x, y) of arrays with one row per
    example.

    Train on `train`, choose with `validation`, report on `test`, once. The parts of
    `text8`, which has no labels, are x alone.

    Derived in notebooks/01_nn.ipynb, section *Digits, and a baseline to beat*.
    """

    train: tuple
    validation: tuple
    test: tuple

    def __repr__(self):
        parts = (
            f"{name}={len(part[1] if isinstance(part, tuple) else part)}"
            for name, part in self._asdict().items()
        )
        shape = np.shape(self.train[0])[1:]
        return f"Dataset({', '.join(parts)} examples{f' of shape {shape}' if shape else ''})"


def use_full(full=None):
    """Complete or embedded data? `full` when given, else the environment's
    SCRATCHML_FULL.

    Unset, empty, 0, false, no and off mean embedded; anything else means complete.
    """
    value = os.environ.get("SCRATCHML_FULL", "") if full is None else str(full)
    return value.strip().lower() not in {"", "0", "false", "no", "off"}


def data_folder():
    """Path of the repository's `data/`, where the embedded sets are."""
    return Path(__file__).resolve().parents[1] / "data"


def mnist(full=None):
    """Handwritten digits: x (N, 1, 28, 28) float32 in [0, 1], y (N,) int64 in 0..9.

    Embedded: 4,000 / 500 / 500 train / validation / test, every digit equally often.
    Complete: 55,000 / 5,000 / 10,000; validation is the last 500 of each digit in the
    training file, the rest keeps its order, test is the official one.

    Raises ConnectionError when the complete set is neither on disk nor to be
    downloaded, ValueError when one of its files is damaged.

    Derived in notebooks/01_nn.ipynb, section *Digits, and a baseline to beat*. LeCun,
    Bottou, Bengio and Haffner, *Gradient-based learning applied to document
    recognition* (1998).
    """
    if use_full(full):
        train_x, train_y, test_x, test_y = map(_read_idx, _MNIST_FILES)
        last = [
            np.flatnonzero(train_y == digit)[-_MNIST_VALIDATION:] for digit in range(10)
        ]
        held = np.isin(np.arange(len(train_y)), last)
        parts = (
            (train_x[~held], train_y[~held]),
            (train_x[held], train_y[held]),
            (test_x, test_y),
        )
    else:
        arrays = _embedded("mnist.npz", _read_npz)
        parts = [(arrays[f"{part}_x"], arrays[f"{part}_y"]) for part in Dataset._fields]
    return Dataset(
        *(
            (np.divide(x[:, None], 255, dtype=np.float32), y.astype(np.int64))
            for x, y in parts
        )
    )


def newsgroups(groups=("sci.space", "rec.autos"), strip_headers=False, full=None):
    """Which group is a post from? x (N,) texts, y (N,) int64, the place of the group in
    `groups`.

    Embedded: 1,000 / 200 / 300 posts written for this course in the form of two
    newsgroups; no real person wrote any of them. Complete: the real 20 newsgroups,
    split by date; validation is the last tenth of each group's training posts.
    `strip_headers` leaves only the body of each post, see `strip_post`.

    Raises ValueError for a group that is not there and for an archive that is damaged
    or unsafe, ConnectionError when the complete set is neither on disk nor to be
    downloaded.

    Derived in notebooks/02_rnn.ipynb, section *A text classifier*. Lang, *NewsWeeder*
    (1995).
    """
    posts = (
        _real_posts(groups) if use_full(full) else _embedded("posts.jsonl", _read_posts)
    )
    require(
        not isinstance(groups, str) and groups and set(groups) <= set(posts),
        f"newsgroups expects some of the groups {sorted(posts)}, got {groups!r}",
    )
    parts = zip(
        *(posts[group] for group in groups), strict=True
    )  # the texts of each group
    return Dataset(*(_shuffled(texts, strip_headers) for texts in parts))


def strip_post(text):
    """The body of a post: without header, quoted lines and signature.

    The header ends at the first empty line. Quoted lines begin with `>`, `|` or `:`,
    the line before them names an author (`... writes:`), and a line of dashes begins
    the signature.

    Derived in notebooks/02_rnn.ipynb, section *A text classifier*.
    """
    lines = text.replace("\r\n", "\n").partition("\n\n")[2].split("\n")
    ends = [i for i, line in enumerate(lines) if _SIGNATURE.fullmatch(line)]
    lines = lines[: ends[-1]] if ends else lines
    return "\n".join(line for line in lines if not _QUOTE.search(line)).strip()


def text8(full=None):
    """One long text in 27 characters, as ids `(L,)` uint8: train, validation, test.

    Embedded: the bodies of the posts of `newsgroups`, about 450,000 / 90,000 / 134,000
    characters. Complete: text8, the beginning of the English Wikipedia of 2006, 90 / 5
    / 5 million characters. It is unpacked once and memory-mapped: what you do not use
    is never read.

    Raises as `newsgroups` does.

    Derived in notebooks/02_rnn.ipynb, section *A character model* (Mahoney, 2006).
    """
    if not use_full(full):
        bodies = (part[0] for part in newsgroups(strip_headers=True, full=False))
        return Dataset(
            *(encode_characters(clean_text8(" ".join(part))) for part in bodies)
        )
    path = _downloads_folder() / "text8.ids"
    if not path.exists():
        with zipfile.ZipFile(
            _complete("text8.zip", _TEXT8_URLS, _TEXT8_HASH)
        ) as archive:
            # The rule of encode_characters, without a string of 100 million characters.
            ids = np.frombuffer(archive.read("text8"), np.uint8) & 31
        replace_file(path, ids.tofile)
    ids = np.memmap(path, np.uint8, mode="r")
    return Dataset(*np.split(ids, (9 * len(ids) // 10, 19 * len(ids) // 20)))


def faces():
    """Face or not: x (N, 1, 25, 25) float32 in [0, 1], y (N,) int64, 1 for a face.

    120 / 20 / 60 train / validation / test, half of each part faces, all from different
    pictures: the 200 crops of `skimage.data.lfw_subset`. Raises ImportError without
    scikit-image.

    Derived in notebooks/03_cnn.ipynb, section *Real images*. Huang, Ramesh, Berg and
    Learned-Miller, *Labeled faces in the wild* (2007).
    """
    from skimage.data import lfw_subset  # 100 faces, then 100 others

    x = lfw_subset()[:, None].astype(np.float32)
    order = np.random.default_rng(0).permutation(100)
    rows = np.stack(
        [order, order + 100], axis=1
    ).ravel()  # a face, another thing, a face, ...
    return Dataset(
        *((x[r], (r < 100).astype(np.int64)) for r in np.split(rows, [120, 140]))
    )


def references(name):
    """Frozen results of other libraries on our inputs: dict of arrays from
    data/references.

    `make references` computes them with PyTorch, scikit-learn or lime; notebooks and
    tests compare with them where those libraries are not installed.
    """
    return _embedded(
        f"references/{name}.npz", _read_npz, "run `make references`, with PyTorch"
    )


# ------------------------------------------------------------------- the embedded files


def _embedded(
    name, read, remedy="clone the repository and install scratchml from there, with -e"
):
    """`read(file)` of a file in data/; whatever is wrong with it becomes one clear
    error.
    """
    path = data_folder() / name
    try:
        with open(path, "rb") as file:
            return read(file)
    except Exception as error:
        raise ValueError(f"{path} is missing or damaged ({error}): {remedy}") from error


def _read_npz(file):
    """All arrays of one .npz in a dict; never unpickles."""
    return dict(np.load(file, allow_pickle=False))


def _read_posts(file):
    """{group: (train, validation, test)}, each a list of texts."""
    posts = defaultdict(lambda: ([], [], []))
    for post in map(json.loads, file):
        posts[post["group"]][Dataset._fields.index(post["split"])].append(post["text"])
    return posts


def _shuffled(texts, strip):
    """Lists of texts, one a group -> x (N,) strings and y (N,) int64, in a fixed mixed
    order.
    """
    y = np.repeat(np.arange(len(texts)), [len(group) for group in texts])
    x = np.array(
        [strip_post(text) if strip else text for group in texts for text in group],
        object,
    )
    order = np.random.default_rng(0).permutation(len(y))
    return x[order], y[order]


# ------------------------------------------------------------------- the complete files

_QUOTE = re.compile(r"^\s*[>|:]|^In article|(writes|wrote|says|said)( in .*)?:")
_SIGNATURE = re.compile(r"(-|_|=|\*){2,}\s*")


def _read_idx(name):
    """One array of bytes of the complete MNIST, from its gzipped idx format.

    Two zero bytes, the type (8: unsigned byte), the number of axes, each axis as a
    big-endian 32-bit integer, then the data in C order.
    """
    urls = [mirror + name for mirror in _MNIST_MIRRORS]
    raw = gzip.decompress(
        _complete(name, urls, _MNIST_FILES[name], _MNIST_FOLDERS).read_bytes()
    )
    shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def _real_posts(groups):
    """As `_read_posts`, of the real groups; validation is the last tenth of the
    training posts.
    """
    posts = defaultdict(lambda: {"train": {}, "test": {}})
    for name, read in _real_files():
        if post := re.search(rf"{_NEWS}-(train|test)/([^/]+)/(\d+)$", name):
            part, group, number = post.groups()
            posts[group][part][int(number)] = _decode(read()) if group in groups else ""
    for group, parts in posts.items():
        train, test = (
            [text for _, text in sorted(part.items())] for part in parts.values()
        )
        kept = len(train) - len(train) // 10
        posts[group] = train[:kept], train[kept:], test
    return posts


def _real_files():
    """The name of each file of 20 newsgroups and what reads it: unpacked, or in its
    archive.

    The archive is never unpacked, so nothing in it can do harm; a suspicious one is
    refused.
    """
    root, pattern = _downloads_folder(), f"{_NEWS}-*/*/*"
    if paths := [*root.glob(pattern), *root.glob(f"{_NEWS}/{pattern}")]:
        yield from ((path.as_posix(), path.read_bytes) for path in paths)
        return
    with tarfile.open(_complete(f"{_NEWS}.tar.gz", _NEWS_URLS, _NEWS_HASH)) as tar:
        for member in tar:
            if ".." in member.name or not (member.isfile() or member.isdir()):
                raise ValueError(
                    f"{tar.name} is refused: {member.name!r} leads elsewhere. {_HELP}"
                )
            if member.isfile():
                yield member.name, tar.extractfile(member).read


def _decode(content):
    """UTF-8 where it is valid, else Latin-1, which any bytes are."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _downloads_folder():
    """Where complete sets are looked for and kept: SCRATCHML_DATA or
    data/downloads/.
    """
    return Path(
        os.environ.get("SCRATCHML_DATA") or data_folder() / "downloads"
    ).expanduser()


def _complete(name, urls, known_hash, folders=(".",)):
    """Path of a file of a complete set: in one of these folders, or fetched into the
    first.

    Its checksum is tested every time. A file that is there already is never replaced; a
    new one is written under another name, and gets its own when its checksum is right.
    Raises ValueError for a damaged file, ConnectionError when no url works, saying why.
    """
    import pooch

    places = [_downloads_folder() / folder / name for folder in folders]
    algorithm, expected = known_hash.split(":")
    for path in filter(Path.exists, places):
        found = pooch.file_hash(path, algorithm)
        if found != expected:
            raise ValueError(
                f"{path} is damaged: expected {algorithm} {expected}, found {found}. "
                f"Delete it and run again to download it anew. {_HELP}"
            )
        return path
    path, tried = places[0], []
    pooch.get_logger().setLevel("ERROR")
    for url in urls:
        # pooch puts the true total in; a bar without any would count as no bar.
        with progress_bar(1, desc=name, unit="B", unit_scale=True) as bar:
            fetch = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16)
            try:
                pooch.retrieve(url, known_hash, name, path.parent, downloader=fetch)
                path.chmod(0o644)  # readable for all, as a class shares it
                return path
            except (OSError, ValueError) as error:
                tried.append(f"  {url}: {type(error).__name__}: {error}")
    raise ConnectionError(
        "\n".join([f"{path} is missing. Tried to download it:", *tried, _HELP])
    )
