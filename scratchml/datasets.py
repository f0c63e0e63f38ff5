"""The data sets of the course: small ones that ship with it, complete ones downloaded
once.

Each loader returns a `Dataset` of three parts. By default it reads the embedded set in
`data/`: offline, and the same on every machine. With `full=True`, or `SCRATCHML_FULL=1`
in the environment, it reads the complete set, found under `SCRATCHML_DATA` (default
`data/downloads/`) or fetched into it. What is published packed is checked against a
known checksum each time it is read; nothing is ever unpickled. `data/README.md` lists
sources, licences and checksums.
"""

import contextlib
import gzip
import json
import logging
import os
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ._support import progress_bar, replace_file, require
from .layers import Linear
from .recurrent import CharacterModel, TextClassifier
from .text import Vocabulary, clean_text8, encode_characters
from .training import load_weights

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
    "Complete sets are looked for, and kept, in the folder that SCRATCHML_DATA names. "
    "The embedded set needs no network: pass full=False, or unset SCRATCHML_FULL."
)


class Dataset(NamedTuple):
    """Three parts of one data set, each a pair (x, y) with one row per example.

    Train on `train`, choose with `validation`, report on `test`, once. The parts of
    `text8`, which has no labels, are x alone.

    See notebooks/01_nn.ipynb, section *Digits, and a baseline to beat*.

    >>> from scratchml import datasets
    >>> datasets.mnist(full=False)
    Dataset(train=4000, validation=500, test=500 examples of shape (1, 28, 28))
    """

    train: tuple | np.ndarray
    validation: tuple | np.ndarray
    test: tuple | np.ndarray

    def __repr__(self) -> str:
        sizes = []
        for name, part in self._asdict().items():
            x = part[0] if isinstance(part, tuple) else part
            sizes.append(f"{name}={len(x)}")
        shape = np.shape(self.train[0])[1:]
        of_shape = f" of shape {shape}" if shape else ""
        return f"Dataset({', '.join(sizes)} examples{of_shape})"


def use_full(full: bool | None = None) -> bool:
    """Complete or embedded data? `full` if given, else the variable SCRATCHML_FULL.

    Unset, empty, 0, false, no and off mean embedded; anything else means complete.
    """
    value = os.environ.get("SCRATCHML_FULL", "") if full is None else str(full)
    return value.strip().lower() not in {"", "0", "false", "no", "off"}


def data_folder() -> Path:
    """Path of the repository's `data/`, where the embedded sets are."""
    return Path(__file__).resolve().parents[1] / "data"


def mnist(full: bool | None = None) -> Dataset:
    """Handwritten digits: x (N, 1, 28, 28) float32 in [0, 1], y (N,) int64 in 0..9.

    Embedded: 4,000 / 500 / 500 for training, validation and test, every digit equally
    often. Complete: 55,000 / 5,000 / 10,000; validation is the last 500 of each digit
    in the training file, test is the official one.

    Raises ConnectionError if the complete set is neither on disk nor downloadable, and
    ValueError if one of its files is damaged.

    See notebooks/01_nn.ipynb, section *Digits, and a baseline to beat*. LeCun, Bottou,
    Bengio and Haffner, *Gradient-based learning applied to document recognition*
    (1998).
    """
    parts = _complete_mnist() if use_full(full) else _embedded_mnist()
    return Dataset(*(_as_digits(images, labels) for images, labels in parts))


def _embedded_mnist():
    arrays = _embedded("mnist.npz", _read_npz)
    return [(arrays[f"{part}_x"], arrays[f"{part}_y"]) for part in Dataset._fields]


def _complete_mnist():
    train_x, train_y, test_x, test_y = map(_read_idx, _MNIST_FILES)
    held_out = np.zeros(len(train_y), bool)
    for digit in range(10):
        held_out[np.flatnonzero(train_y == digit)[-_MNIST_VALIDATION:]] = True
    train = train_x[~held_out], train_y[~held_out]
    validation = train_x[held_out], train_y[held_out]
    return train, validation, (test_x, test_y)


def _as_digits(images, labels):
    """Bytes (N, 28, 28) and labels as the networks want them."""
    x = np.divide(images[:, None], 255, dtype=np.float32)
    return x, labels.astype(np.int64)


def newsgroups(
    groups: Sequence[str] = ("sci.space", "rec.autos"),
    strip_headers: bool = False,
    full: bool | None = None,
) -> Dataset:
    """Which group is a post from? x (N,) texts, y (N,) int64, its place in `groups`.

    Embedded: 1,000 / 200 / 300 posts written for this course in the form of two
    newsgroups; no real person wrote any of them. Complete: the real 20 newsgroups,
    split by date; validation is the last tenth of each group's training posts.
    `strip_headers` leaves only the body of each post, see `strip_post`.

    Raises ValueError for an unknown group and for a damaged or unsafe archive, and
    ConnectionError if the complete set is neither on disk nor downloadable.

    See notebooks/02_rnn.ipynb, section *A text classifier*. Lang, *NewsWeeder* (1995).
    """
    if use_full(full):
        posts = _real_posts(groups)
    else:
        posts = _embedded("posts.jsonl", _read_posts)
    require(
        not isinstance(groups, str) and groups and set(groups) <= set(posts),
        f"newsgroups expects some of the groups {sorted(posts)}, got {groups!r}",
    )
    parts = []
    for part in Dataset._fields:
        parts.append(_shuffled([posts[g][part] for g in groups], strip_headers))
    return Dataset(*parts)


def strip_post(text: str) -> str:
    """The body of a post: without header, quoted lines and signature.

    The header ends at the first empty line. Quoted lines begin with `>`, `|` or `:`,
    the line before them names an author (`... writes:`), and a line of dashes begins
    the signature.

    See notebooks/02_rnn.ipynb, section *A text classifier*.

    >>> from scratchml import datasets
    >>> datasets.strip_post("From: Ann\\n\\n> old tyres?\\nNew ones.\\n--\\nAnn")
    'New ones.'
    """
    lines = text.replace("\r\n", "\n").partition("\n\n")[2].split("\n")
    for i in reversed(range(len(lines))):
        if _SIGNATURE.fullmatch(lines[i]):
            lines = lines[:i]
            break
    return "\n".join(line for line in lines if not _QUOTE.search(line)).strip()


def text8(full: bool | None = None) -> Dataset:
    """One long text in 27 characters, as ids `(L,)` uint8: train, validation, test.

    Embedded: Herman Melville's *Moby-Dick* (1851), 1.15 million characters. Complete:
    text8, the beginning of the English Wikipedia of 2006, 100 million; it is unpacked
    once and memory-mapped, so what you do not use is never read. Both are split 90 / 5
    / 5 %, in the order of the text.

    Raises ValueError for a damaged file, and ConnectionError if the complete text is
    neither on disk nor downloadable.

    See notebooks/02_rnn.ipynb, section *A character model* (Mahoney, 2006).

    >>> from scratchml import datasets, decode_characters
    >>> decode_characters(datasets.text8(full=False).train[:36])
    'chapter one loomings call me ishmael'
    """
    if use_full(full):
        ids = _complete_text8()
    else:
        ids = _embedded("mobydick.txt", _read_mobydick)
    return _in_order(ids)


def _in_order(ids):
    """The first 90 % of a text for training, 5 % each for validation and test."""
    L = len(ids)
    return Dataset(*np.split(ids, [9 * L // 10, 19 * L // 20]))


def _complete_text8():
    path = _downloads_folder() / "text8.ids"
    if not path.exists():
        archive = zipfile.ZipFile(_complete("text8.zip", _TEXT8_URLS, _TEXT8_HASH))
        with archive:
            # The rule of encode_characters, without a string of 100 million characters.
            replace_file(
                path, (np.frombuffer(archive.read("text8"), np.uint8) & 31).tofile
            )
    return np.memmap(path, np.uint8, mode="r")


def mobydick_model() -> CharacterModel:
    """A character model that has read *Moby-Dick* for 40 minutes: an LSTM, 320 units.

    It comes in eval mode, for `generate`. Its training, on the training part of
    `text8(full=False)`, is in tools/make_mobydick_lstm.py. Raises ValueError if the
    file of weights is missing or damaged.

    See notebooks/02_rnn.ipynb, section *A character model*.
    """
    path = data_folder() / "mobydick_lstm.npz"
    require(path.exists(), f"{path} is missing: {_CLONE}")
    model = CharacterModel(hidden=320, rng=np.random.default_rng(0))
    load_weights(model, path)
    model.eval()
    return model


def faces() -> Dataset:
    """Face or not: x (N, 1, 25, 25) float32 in [0, 1], y (N,) int64, 1 for a face.

    120 / 20 / 60 for training, validation and test, half of each part faces, all from
    different pictures: the 200 crops of `skimage.data.lfw_subset`. Raises ImportError
    without scikit-image.

    See notebooks/deeper/03_cnn.ipynb, section *How a network cheats*. Huang, Ramesh,
    Berg and Learned-Miller, *Labeled faces in the wild* (2007).
    """
    from skimage.data import lfw_subset

    x = lfw_subset()[:, None].astype(np.float32)
    y = np.repeat([1, 0], 100)
    order = np.random.default_rng(0).permutation(100)
    rows = np.stack([order, order + 100], axis=1).ravel()  # face, other, face, other
    return Dataset(*((x[part], y[part]) for part in np.split(rows, [120, 140])))


class NewsNetwork(NamedTuple):
    """Two networks trained on real posts, and what was measured; see `news_networks`.

    `model` is a `TextClassifier` (an RNN), `bag` a `Linear` on counts `(N, words)`.
    Both read ids of `vocabulary`, the first 150 of a post. `measured` holds arrays by
    name, among them `accuracy/RNN`, one share of right test posts for each seed.
    """

    groups: tuple[str, str]
    vocabulary: Vocabulary
    model: TextClassifier
    bag: Linear
    measured: dict[str, np.ndarray]


def news_networks() -> dict[tuple[str, str], NewsNetwork]:
    """Networks trained on the real 20 newsgroups: by groups, and by what they read.

    The keys are a pair, "space-autos" or "atheism-christian", and a part, "whole" or
    "body" (see `strip_post`). No text of a post is kept, and only words that ten posts
    of five authors share.

    Raises ValueError if the file is missing or damaged.

    See notebooks/02_rnn.ipynb, section *Explain*. Lang, *NewsWeeder* (1995).

    >>> from scratchml import datasets
    >>> network = datasets.news_networks()["atheism-christian", "whole"]
    >>> network.groups
    ('alt.atheism', 'soc.religion.christian')
    """
    return _embedded("news.npz", _read_news)


def imagenet_names() -> list[str]:
    """The names of ImageNet's 1,000 classes, in the order of `squeezenet`'s scores.

    Each is the first of WordNet's synonyms. Raises ValueError if the file is damaged.

    See notebooks/03_cnn.ipynb, section *Real images*. Deng, Dong, Socher, Li, Li and
    Fei-Fei, *ImageNet: a large-scale hierarchical image database* (2009).

    >>> from scratchml import datasets
    >>> datasets.imagenet_names()[967]
    'espresso'
    """
    return _embedded("imagenet_names.txt", _read_names)


def references(name: str) -> dict[str, np.ndarray]:
    """Frozen results of other libraries on our inputs, from data/references.

    `make references` computes them with PyTorch, scikit-learn or lime; notebooks and
    tests compare with them where those libraries are not installed.
    """
    remedy = "run `make references`, with PyTorch"
    return _embedded(f"references/{name}.npz", _read_npz, remedy)


# ------------------------------------------------------------------- the embedded files

_CLONE = "clone the repository and install scratchml from there, with -e"


def _embedded(name: str, read: Callable[[IO[bytes]], Any], remedy: str = _CLONE) -> Any:
    """`read(file)` of a file in data/; whatever is wrong with it becomes one error."""
    path = data_folder() / name
    try:
        with open(path, "rb") as file:
            return read(file)
    except Exception as error:
        raise ValueError(f"{path} is missing or damaged ({error}): {remedy}") from error


def _read_npz(file: IO[bytes]) -> dict[str, np.ndarray]:
    """All arrays of one .npz in a dict; never unpickles."""
    return dict(np.load(file, allow_pickle=False))


def _read_news(file):
    places: dict[tuple[str, str], dict[str, Any]] = {}
    for name, array in _read_npz(file).items():
        pair, part, rest = name.split("/", 2)
        places.setdefault((pair, part), {})[rest] = array
    return {place: _news_network(arrays) for place, arrays in places.items()}


def _news_network(arrays):
    """One network of the arrays of its place in the file; every array is used once."""
    groups = tuple(arrays.pop("groups").tolist())
    # Each word is a text of its own here: their alphabetical order stays.
    vocabulary = Vocabulary(arrays.pop("words").tolist())
    n_words, n_embedding = arrays["RNN/embedding.W"].shape
    n_hidden = len(arrays["RNN/cell.W_hh"])
    require(n_words == len(vocabulary), f"{n_words} rows for {len(vocabulary)} ids")
    rng = np.random.default_rng(0)
    model = TextClassifier(
        n_words, 2, embedding=n_embedding, hidden=n_hidden, cell="RNN", rng=rng
    )
    for name, p in model.parameters().items():
        p[...] = arrays.pop(f"RNN/{name}")
    bag = Linear(n_words, 2, rng=rng)
    bag.params["W"][...] = arrays.pop("bag of words/W")
    return NewsNetwork(groups, vocabulary, model, bag, arrays)


def _read_names(file: IO[bytes]) -> list[str]:
    """One name a line."""
    names = file.read().decode().splitlines()
    require(len(set(names)) == 1000, f"{len(set(names))} names instead of 1000")
    return names


def _read_mobydick(file: IO[bytes]) -> np.ndarray:
    """The ids of the novel in text8's 27 characters."""
    ids = encode_characters(clean_text8(file.read().decode()))
    require(len(ids) == 1_153_177, f"{len(ids)} characters instead of 1153177")
    return ids


def _read_posts(file: IO[bytes]) -> dict[str, dict[str, list[str]]]:
    """{group: {"train": [text, ...], "validation": ..., "test": ...}}."""
    posts: dict[str, dict[str, list[str]]] = {}
    for post in map(json.loads, file):
        parts = posts.setdefault(post["group"], {part: [] for part in Dataset._fields})
        parts[post["split"]].append(post["text"])
    return posts


def _shuffled(texts, strip):
    """Lists of texts, one a group -> x (N,) strings, y (N,) int64, in a mixed order."""
    y = np.repeat(np.arange(len(texts)), [len(group) for group in texts])
    x = np.array([text for group in texts for text in group], object)
    if strip:
        x[:] = [strip_post(text) for text in x]
    order = np.random.default_rng(0).permutation(len(y))
    return x[order], y[order]


# ------------------------------------------------------------------- the complete files

_QUOTE = re.compile(r"^\s*[>|:]|^In article|(writes|wrote|says|said)( in .*)?:")
_SIGNATURE = re.compile(r"(-|_|=|\*){2,}\s*")


def _read_idx(name: str) -> np.ndarray:
    """One array of bytes of the complete MNIST, from its gzipped idx format.

    Two zero bytes, the type (8: unsigned byte), the number of axes, each axis as a
    big-endian 32-bit integer, then the data in C order.
    """
    urls = [mirror + name for mirror in _MNIST_MIRRORS]
    path = _complete(name, urls, _MNIST_FILES[name], _MNIST_FOLDERS)
    raw = gzip.decompress(path.read_bytes())
    axes = raw[3]
    shape = np.frombuffer(raw, ">u4", count=axes, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _real_posts(groups: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """As `_read_posts`, of the real groups; only the texts of `groups` are read."""
    found: dict[str, dict[str, dict[int, str]]] = {}
    for name, read in _real_files():
        match = re.search(rf"{_NEWS}-(train|test)/([^/]+)/(\d+)$", name)
        if match is None:
            continue
        part, group, number = match.groups()
        texts = found.setdefault(group, {"train": {}, "test": {}})[part]
        texts[int(number)] = _decode(read()) if group in groups else ""
    posts = {}
    for group, parts in found.items():
        train = [parts["train"][number] for number in sorted(parts["train"])]
        test = [parts["test"][number] for number in sorted(parts["test"])]
        kept = len(train) - len(train) // 10
        posts[group] = dict(train=train[:kept], validation=train[kept:], test=test)
    return posts


def _real_files() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The name of each file of 20 newsgroups and what reads it, unpacked or archived.

    The archive is never unpacked, so nothing in it can do harm; a suspicious one is
    refused.
    """
    root = _downloads_folder()
    unpacked = [
        *root.glob(f"{_NEWS}-*/*/*"),
        *root.glob(f"{_NEWS}/{_NEWS}-*/*/*"),
    ]
    if unpacked:
        for path in unpacked:
            yield path.as_posix(), path.read_bytes
        return
    archive = _complete(f"{_NEWS}.tar.gz", _NEWS_URLS, _NEWS_HASH)
    with tarfile.open(archive) as tar:
        for member in tar:
            if ".." in member.name or not (member.isfile() or member.isdir()):
                raise ValueError(
                    f"{archive} is refused: {member.name!r} leads elsewhere. {_HELP}"
                )
            content = tar.extractfile(member)
            if content is not None:
                yield member.name, content.read


def _decode(content: bytes) -> str:
    """UTF-8 where it is valid, else Latin-1, which any bytes are."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _downloads_folder() -> Path:
    """Where complete sets are looked for and kept."""
    folder = os.environ.get("SCRATCHML_DATA")
    return Path(folder).expanduser() if folder else data_folder() / "downloads"


def _complete(
    name: str, urls: Iterable[str], known_hash: str, folders: Iterable[str] = (".",)
) -> Path:
    """Path of a file of a complete set, found in `folders` or fetched into the first.

    Its checksum is tested every time, and a file that is there already is never
    replaced. Raises ValueError for a damaged file, and ConnectionError, saying why, if
    no url works.
    """
    import pooch

    places = [_downloads_folder() / folder / name for folder in folders]
    algorithm, expected = known_hash.split(":")
    for path in places:
        if path.exists():
            found = pooch.file_hash(path, algorithm)
            require(
                found == expected,
                f"{path} is damaged: expected {algorithm} {expected}, found {found}. "
                f"Delete it and run again to download it anew. {_HELP}",
            )
            return path
    return _download(places[0], urls, known_hash)


def _download(path: Path, urls: Iterable[str], known_hash: str) -> Path:
    """Fetch a file from the first url that works; it gets its name when it is whole."""
    import pooch

    failures = []
    for url in urls:
        # pooch puts the true total in; a bar without any would count as no bar.
        with progress_bar(1, desc=path.name, unit="B", unit_scale=True) as bar:
            downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16)
            try:
                with _quiet(pooch.get_logger()):
                    pooch.retrieve(
                        url, known_hash, path.name, path.parent, downloader=downloader
                    )
            except (OSError, ValueError) as error:
                failures.append(f"  {url}: {type(error).__name__}: {error}")
            else:
                path.chmod(0o644)  # readable for all, as a class shares it
                return path
    lines = [f"{path} is missing. Tried to download it:", *failures, _HELP]
    raise ConnectionError("\n".join(lines))


@contextlib.contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
