"""The data sets of the course: small ones that ship with it, complete ones downloaded once.

Each loader returns a `Dataset` of three parts. By default it reads the embedded set in `data/`:
offline, and the same on every machine. With `full=True`, or `SCRATCHML_FULL=1` in the environment,
it reads the complete set, found under `SCRATCHML_DATA` (default `data/downloads/`) or fetched into
it. Every download is checked against a known checksum; nothing is ever unpickled.
`data/README.md` lists sources, licences and checksums.
"""

import contextlib
import gzip
import hashlib
import io
import json
import math
import os
import re
import shutil
import tarfile
import textwrap
import zipfile
import zlib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .text import clean_text8, encode_characters

_MNIST_FILES = {  # name of the complete set's file -> its checksum
    "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
}
_MNIST_MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/",  # tried in this order
                  "https://storage.googleapis.com/cvdf-datasets/mnist/")
_MNIST_FOLDERS = ("mnist", ".", "MNIST/raw")  # ours, loose files, where torchvision puts them
_MNIST_VALIDATION = 500  # of each digit, kept out of the complete training set

_NEWS = "20news-bydate"
_NEWS_HASH = "sha256:8f1b2514ca22a5ade8fbb9cfa5727df95fa587f4c87b786e15c759fa66d95610"
_NEWS_URLS = ("https://ndownloader.figshare.com/files/5975967",
              "http://qwone.com/~jason/20Newsgroups/20news-bydate.tar.gz")
_TEXT8_HASH = "md5:3bea1919949baf155f99411df5fada7e"
_TEXT8_URLS = ("http://mattmahoney.net/dc/text8.zip", "https://data.deepai.org/text8.zip")

_CLONE = "clone the repository again"
_EMBEDDED_WORKS = ("The embedded set needs no network: "
                   "pass full=False, or unset SCRATCHML_FULL in the environment.")


class Dataset(NamedTuple):
    """Three parts of one data set, each a pair (x, y) of arrays with one row per example.

    Train on `train`, choose with `validation`, report on `test`, once. The parts of `text8`, which
    has no labels, are x alone.
    Derived in notebooks/01_nn.ipynb, section *Digits, and a baseline to beat*.
    """

    train: tuple
    validation: tuple
    test: tuple

    def __repr__(self):
        parts = (f"{name}={len(part[1] if isinstance(part, tuple) else part)}"
                 for name, part in self._asdict().items())
        shape = np.shape(self.train[0])[1:]
        return f"Dataset({', '.join(parts)} examples{f' of shape {shape}' if shape else ''})"


def use_full(full=None):
    """Complete or embedded data? `full` when given, else the environment's SCRATCHML_FULL.

    Unset, empty, 0, false, no and off mean embedded; anything else means complete.
    """
    value = os.environ.get("SCRATCHML_FULL", "") if full is None else str(full)
    return value.strip().lower() not in {"", "0", "false", "no", "off"}


def data_folder():
    """Path of the repository's `data/`, where the embedded sets are.

    Raises FileNotFoundError when the package was installed without the repository around it.
    """
    folder = Path(__file__).resolve().parent.parent / "data"
    if not folder.is_dir():
        raise FileNotFoundError(f"scratchml is installed without its data/ folder (looked for "
                                f"{folder}): clone the repository and run `pip install -e .` in it")
    return folder


def mnist(full=None):
    """Handwritten digits: x (N, 1, 28, 28) float32 in [0, 1], y (N,) int64 in 0..9.

    Embedded: 4,000 / 500 / 500 train / validation / test, every digit equally often. Complete:
    55,000 / 5,000 / 10,000; validation is the last 500 of each digit in the training file, the
    rest keeps its order, test is the official one.

    Raises ConnectionError when the complete set is neither on disk nor to be downloaded,
    ValueError when one of its files is damaged.

    Derived in notebooks/01_nn.ipynb, section *Digits, and a baseline to beat*.
    LeCun, Bottou, Bengio and Haffner, *Gradient-based learning applied to document recognition*
    (1998).
    """
    if not use_full(full):
        arrays = _load_npz(data_folder() / "mnist.npz", _CLONE)
        return Dataset(*(_digits(arrays[f"{part}_x"], arrays[f"{part}_y"])
                         for part in Dataset._fields))
    train_x, train_y, test_x, test_y = map(_mnist_file, _MNIST_FILES)
    for kind, x, y in (("train", train_x, train_y), ("t10k", test_x, test_y)):
        if x.shape != (*y.shape, 28, 28) or y.ndim != 1 or y.max(initial=0) > 9:
            raise ValueError(f"MNIST {kind} files: expected images (N, 28, 28) and N labels 0..9, "
                             f"found images {x.shape} and labels {y.shape} up to "
                             f"{y.max(initial=0)}")
    held_out = np.zeros(len(train_y), bool)
    for digit in range(10):
        held_out[np.flatnonzero(train_y == digit)[-_MNIST_VALIDATION:]] = True
    return Dataset(_digits(train_x[~held_out], train_y[~held_out]),
                   _digits(train_x[held_out], train_y[held_out]), _digits(test_x, test_y))


def newsgroups(groups=("sci.space", "rec.autos"), strip_headers=False, full=None):
    """Which group is a post from? x (N,) texts, y (N,) int64, the place of the group in `groups`.

    Embedded: 1,000 / 200 / 300 posts written for this course in the form of two newsgroups; no
    real person wrote any of them. Complete: the real 20 newsgroups, split by date; validation is
    the last tenth of each group's training posts. `strip_headers` leaves the body of each post
    only, see `strip_post`.

    Raises ValueError for a group that is not there and for an archive that is damaged or unsafe,
    ConnectionError when the complete set is neither on disk nor to be downloaded.

    Derived in notebooks/02_rnn.ipynb, section *A text classifier*. Lang, *NewsWeeder* (1995).
    """
    available, read = _real_posts() if use_full(full) else _course_posts()
    if isinstance(groups, str) or not groups or not set(groups) <= set(available):
        raise ValueError(f"newsgroups expects some of the groups {sorted(available)}, "
                         f"got {groups!r}")
    parts = zip(*map(read, groups), strict=True)  # of each part, the texts of each group
    return Dataset(*(_shuffled(texts, strip_headers) for texts in parts))


def strip_post(text):
    """The body of a post: without header, quoted lines and signature.

    The header ends at the first empty line. Quoted lines begin with `>`, `|` or `:`, the line
    before them names an author (`... writes:`), and a line of dashes begins the signature.

    Derived in notebooks/02_rnn.ipynb, section *Explain*.
    """
    lines = text.replace("\r\n", "\n").partition("\n\n")[2].split("\n")
    ends = [i for i, line in enumerate(lines) if _SIGNATURE.fullmatch(line)]
    lines = lines[: ends[-1]] if ends else lines
    return "\n".join(line for line in lines if not _QUOTE.search(line)).strip()


def text8(full=None):
    """One long text in 27 characters, as ids `(L,)` uint8: train, validation, test.

    Embedded: the bodies of the posts of `newsgroups`, about 450,000 / 90,000 / 134,000 characters.
    Complete: text8, the beginning of the English Wikipedia of 2006, 90 / 5 / 5 million characters.
    It is unpacked once and memory-mapped: what you do not use is never read.

    Raises as `newsgroups` does.

    Derived in notebooks/02_rnn.ipynb, section *A character model* (Mahoney, 2006).
    """
    if not use_full(full):
        bodies = (part[0] for part in newsgroups(strip_headers=True, full=False))
        return Dataset(*(encode_characters(clean_text8(" ".join(part))) for part in bodies))
    path = _downloads_folder() / "text8.ids"
    if not path.exists():
        archive = _download("text8.zip", _TEXT8_URLS, _TEXT8_HASH)
        with zipfile.ZipFile(archive) as file, _whole(path) as part:
            codes = np.frombuffer(file.read("text8"), np.uint8)
            (codes & 31).tofile(part)  # in ASCII, space is 32 and a..z are 97..122
    ids = np.memmap(path, np.uint8, mode="r")
    return Dataset(*np.split(ids, (9 * len(ids) // 10, 19 * len(ids) // 20)))


def references(name):
    """Frozen results of other libraries on our inputs: dict of arrays from data/references.

    `make references` computes them with PyTorch or scikit-learn; the tests compare with them
    where those libraries are not installed.
    """
    path = data_folder() / "references" / f"{name}.npz"
    return _load_npz(path, "run `make references` where PyTorch is installed")


# ---------------------------------------------------------------------------------- files on disk

def _digits(images, labels):
    """(N, 28, 28) and (N,) uint8 -> (N, 1, 28, 28) float32 in [0, 1] and (N,) int64."""
    x = images.astype(np.float32)[:, None]
    x /= 255
    return x, labels.astype(np.int64)


def _load_npz(path, remedy):
    """All arrays of one .npz in a dict; never unpickles."""
    with _reading(path, remedy), np.load(path, allow_pickle=False) as archive:
        return dict(archive)


@contextlib.contextmanager
def _reading(path, remedy):
    """Turn whatever a missing or damaged file makes its reader say into one clear error."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing: {remedy}") from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, gzip.BadGzipFile, tarfile.TarError,
            zlib.error) as error:
        raise ValueError(f"{path} is damaged ({error}): {remedy}") from error


def _mnist_file(name):
    """One array of the complete set: from disk, packed or unpacked, else from a mirror."""
    for folder in _MNIST_FOLDERS:
        packed = _downloads_folder() / folder / name
        if packed.exists():
            return _read_idx(_verified(packed, _MNIST_FILES[name]))
        if packed.with_suffix("").exists():
            return _read_idx(packed.with_suffix(""))
    urls = [mirror + name for mirror in _MNIST_MIRRORS]
    return _read_idx(_download(f"{_MNIST_FOLDERS[0]}/{name}", urls, _MNIST_FILES[name]))


def _read_idx(path):
    """Read an array of bytes in MNIST's idx format, gzipped or not.

    Two zero bytes, the type (8: unsigned byte), the number of axes, each axis as a big-endian
    32-bit integer, then the data in C order.
    Raises ValueError naming the file, what was expected and what was found.
    """
    with (_reading(path, "delete it and run again"),
          (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file):
        raw = file.read()
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: expected an idx file of unsigned bytes (0, 0, 8, number of "
                         f"axes), found it to begin with {raw[:4]!r}")
    start = 4 + 4 * raw[3]
    shape = tuple(int.from_bytes(raw[i:i + 4], "big") for i in range(4, start, 4))
    if len(raw) != start + math.prod(shape):
        raise ValueError(f"{path}: expected {start} bytes of header and {math.prod(shape)} of data "
                         f"for shape {shape}, found {len(raw)} bytes in all")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


_QUOTE = re.compile(r"^\s*[>|:]|^In article|(writes|wrote|says|said)( in .*)?:")
_OUTSIDE = re.compile(r"^[/\\]|:|(^|[/\\])\.\.([/\\]|$)")  # absolute, or with a step upwards
_SIGNATURE = re.compile(r"(-|_|=|\*){2,}\s*")


def _course_posts():
    """The embedded groups, and what gives the (train, validation, test) texts of one."""
    path, posts = data_folder() / "posts.jsonl", defaultdict(lambda: ([], [], []))
    with _reading(path, _CLONE), open(path, encoding="utf-8") as file:
        for post in map(json.loads, file):
            posts[post["group"]][Dataset._fields.index(post["split"])].append(post["text"])
    return posts, posts.get


def _real_posts():
    """The same of the real groups; validation is the latest tenth of the training posts."""
    folder = _news_folder()

    def read(group):
        train, test = ([_decode(file.read_bytes()) for file in sorted(
            (folder / f"{_NEWS}-{part}" / group).glob("[0-9]*"), key=lambda file: int(file.name))]
            for part in ("train", "test"))
        kept = len(train) - len(train) // 10
        return train[:kept], train[kept:], test

    return {path.name for path in (folder / f"{_NEWS}-train").iterdir()}, read


def _shuffled(texts, strip):
    """Lists of texts, one a group -> x (N,) strings and y (N,) int64, in a fixed mixed order."""
    y = np.repeat(np.arange(len(texts)), [len(group) for group in texts])
    x = np.array([strip_post(text) if strip else text for group in texts for text in group], object)
    order = np.random.default_rng(0).permutation(len(y))
    return x[order], y[order]


def _decode(content):
    """UTF-8 where it is valid, else Latin-1, which any bytes are."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _news_folder():
    """Where the real posts are; unpacked from the archive, and that downloaded, if need be."""
    for folder in (_downloads_folder(), _downloads_folder() / _NEWS):
        if (folder / f"{_NEWS}-train").is_dir():
            return folder
    archive = _download(f"{_NEWS}.tar.gz", _NEWS_URLS, _NEWS_HASH)
    with (_whole(folder) as part, _reading(archive, "delete it and run again"),
          tarfile.open(archive) as tar):
        for member in tar:  # the archive is not trusted, though its checksum is right
            path = part / member.name
            if _OUTSIDE.search(member.name) or not (member.isfile() or member.isdir()):
                raise ValueError(f"{member.name!r} is a link or leads out of its folder")
            if member.isfile():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tar.extractfile(member).read())
    return folder


# -------------------------------------------------------------------------------------- downloads

def _downloads_folder():
    """Where complete sets are looked for and kept: SCRATCHML_DATA or data/downloads/."""
    return Path(os.environ.get("SCRATCHML_DATA") or data_folder() / "downloads").expanduser()


def _mismatch(content, known_hash):
    """Empty when the bytes have the checksum "algorithm:digest", else what was found instead."""
    algorithm, expected = known_hash.split(":")
    found = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
    return "" if found == expected else (f"expected {algorithm} {expected}, found {found} "
                                         f"({len(content):,} bytes)")


def _verified(path, known_hash):
    """`path` again when its checksum is right. A file that is there already is never replaced."""
    if problem := _mismatch(path.read_bytes(), known_hash):
        raise ValueError(f"{path} is damaged: {problem}. Delete it and run again to download it "
                         f"anew. {_EMBEDDED_WORKS}")
    return path


def _download(name, urls, known_hash):
    """Path of `name` below the downloads folder, fetched from the first url that works.

    Held in memory until its checksum is right, then written beside its place and renamed: what
    fails or is killed on the way leaves no file under that name.
    Raises ConnectionError when every url fails, OSError when the folder cannot be written,
    ValueError when the file is there and damaged.
    """
    path = _downloads_folder() / name
    if path.exists():
        return _verified(path, known_hash)
    tried = []
    for url in urls:
        content, problem = _fetch(url, path.name)
        if not (problem := problem or _mismatch(content, known_hash)):
            with _whole(path) as part:
                part.write_bytes(content)
            return path
        tried.append(f"  {url}: {problem}")
    raise ConnectionError("\n".join([
        f"{path.name} is missing. Looked in {_downloads_folder()} (SCRATCHML_DATA names another "
        "folder), then tried to download it:", *tried, _EMBEDDED_WORKS]))


def _fetch(url, title):
    """(content, "") of a url, with a progress bar, or (b"", what went wrong)."""
    import pooch
    from tqdm.auto import tqdm

    content = io.BytesIO()
    # pooch puts the true total in; a bar without any would count as no bar.
    with tqdm(total=1, desc=title, unit="B", unit_scale=True, leave=False) as bar:
        try:
            pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16)(url, content, None)
        except (OSError, ValueError) as error:
            reason = getattr(error.args[0] if error.args else None, "reason", error)
            return b"", textwrap.shorten(f"{type(error).__name__}: {reason}", 200)
    return content.getvalue(), ""


@contextlib.contextmanager
def _whole(path):
    """Write a file or folder beside its place; it gets its name only when it is whole."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # another process may write it too
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise OSError(f"{path} is missing and cannot be written ({error}). Set SCRATCHML_DATA to "
                      f"a folder that has it, or a writable one. {_EMBEDDED_WORKS}") from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(part) if part.is_dir() else part.unlink()


# ------------------------------------------------------------------------------------ real images

_PHOTOGRAPHS = {"astronaut": "astronaut", "cat": "chelsea", "coffee": "coffee", "rocket": "rocket",
                "brick": "brick", "grass": "grass"}  # class: its name in skimage.data
PHOTO_CLASSES = (*_PHOTOGRAPHS, "blank")  # the names of the labels of `photos`


def faces():
    """Face or not: x (N, 1, 25, 25) float32 in [0, 1], y (N,) int64, 1 for a face.

    120 / 20 / 60 train / validation / test, half of each part faces, all from different pictures:
    the 200 crops of `skimage.data.lfw_subset`. Raises ImportError without scikit-image.

    Derived in notebooks/03_cnn.ipynb, section *Real images*. Huang, Ramesh, Berg and
    Learned-Miller, *Labeled faces in the wild* (2007).
    """
    from skimage.data import lfw_subset  # 100 faces, then 100 others

    x = lfw_subset()[:, None].astype(np.float32)
    order = np.random.default_rng(0).permutation(100)
    rows = np.stack([order, order + 100], axis=1).ravel()  # a face, another thing, a face, ...
    return Dataset(*((x[r], (r < 100).astype(np.int64)) for r in np.split(rows, [120, 140])))


def photographs():
    """The whole photographs that `photos` cuts up: {class: (H, W, 3) uint8}; two are grey.

    All are in the public domain or CC0, and come inside scikit-image: nothing is downloaded.
    Raises ImportError without it.

    Derived in notebooks/03_cnn.ipynb, section *Real images*.
    """
    from skimage import data

    images = {name: getattr(data, key)() for name, key in _PHOTOGRAPHS.items()}
    return {name: image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
            for name, image in images.items()}


def photos():
    """Which photograph is a patch from? x (N, 3, 32, 32) float32 in [0, 1], y (N,) int64.

    `PHOTO_CLASSES[y]` names the class: one of six `photographs`, each taken at three sizes, or
    "blank", patches with every part hidden. A network that has seen those need not guess where
    LIME hides things. Train, validation and test come from different `photo_regions` and share no
    pixel, but they do share the photograph. 4,200 / 420 / 714 patches, each class equally often.

    Raises ImportError without scikit-image.

    Derived in notebooks/03_cnn.ipynb, section *Real images*.
    """
    rng, patches = np.random.default_rng(0), ([], [], [])
    for image in photographs().values():
        for height in (160, 200, 256):
            small = shrink(image, height).astype(np.float32) / 255
            views = np.lib.stride_tricks.sliding_window_view(small, (32, 32), axis=(0, 1))
            regions = photo_regions(*small.shape[:2])
            for part, (found, n) in enumerate(zip(patches, (200, 20, 34), strict=True)):
                here = regions == part  # a patch is there when its four corners are, ...
                here = here[:-35] & here[35:]
                inside = np.argwhere(here[:, :-35] & here[:, 35:])
                rows, columns = (rng.permutation(inside)[:n] + 2).T  # ... 2 pixels from the edge
                found.append(views[rows, columns])
    return Dataset(*(_with_blank(np.concatenate(found), rng) for found in patches))


def photo_regions(height, width):
    """Which part each pixel of a photograph belongs to: 0 train, 1 validation, 2 test.

    A chessboard of four rows, where the held-out squares are a knight's move apart.
    Shape: `(height, width)` integers.

    Derived in notebooks/03_cnn.ipynb, section *Real images*.
    """
    rows, columns = 4, round(4 * width / height)
    row, column = np.arange(height) * rows // height, np.arange(width) * columns // width
    return np.array([0, 2, 0, 1, 0])[(2 * row[:, None] + column) % 5]


def shrink(image, height):
    """A photograph `(H, W, 3)` uint8 at another height, its shape kept: `(height, w, 3)` uint8.

    Derived in notebooks/03_cnn.ipynb, section *Real images*.
    """
    from skimage.transform import resize

    size = height, round(image.shape[1] * height / image.shape[0])
    return np.rint(255 * resize(image, size, anti_aliasing=True)).astype(np.uint8)


def collage(left, right, height=192):
    """The middles of two photographs side by side: `(height, 3 height / 2, 3)` uint8.

    Here the truth about an explanation is known: what speaks for the left one lies on the left.

    Derived in notebooks/03_cnn.ipynb, section *Explain*.
    """
    half, halves = 3 * height // 4, (shrink(left, height), shrink(right, height))
    starts = [(image.shape[1] - half) // 2 for image in halves]
    return np.hstack([image[:, a : a + half] for image, a in zip(halves, starts, strict=True)])


def vary_photos(x, rng):
    """Patches as they might have been, for `fit(..., augment=vary_photos)`: `(N, 3, H, W)` to same.

    Half of them mirrored, each lighter or darker by up to a quarter, half with parts hidden, so
    that the network knows the holes that LIME makes.

    Derived in notebooks/03_cnn.ipynb, section *Real images*.
    """
    shape = len(x), 1, 1, 1
    brightness = rng.uniform(0.75, 1.25, shape).astype(x.dtype)
    x = np.clip(np.where(rng.random(shape) < 0.5, x, x[..., ::-1]) * brightness, 0, 1)
    return np.where(rng.random(shape) < 0.5, x, hide_parts(x, rng))


def hide_parts(x, rng, everything=False):
    """Cut images `(N, C, H, W)` along two random lines, and hide up to three of the four parts.

    As LIME hides parts: behind their mean colour, in a third of the images behind grey.
    `everything` hides all four.

    Derived in notebooks/03_cnn.ipynb, section *Real images*.
    """
    rows, columns = (np.linspace(-0.5, 0.5, n) for n in x.shape[2:])
    angle = rng.uniform(0, 2 * np.pi, (2, len(x), 1, 1, 1))
    offset = rng.uniform(-0.3, 0.3, angle.shape)
    grey = rng.random((len(x), 1, 1, 1)) < 1 / 3
    a, b = np.cos(angle) * rows[:, None] + np.sin(angle) * columns > offset  # (N, 1, H, W)
    for part in (a & b, a & ~b, ~a & b, ~a & ~b)[: 4 if everything else 3]:
        size = np.maximum(part.sum(axis=(2, 3), keepdims=True), 1)
        colour = (x * part).sum(axis=(2, 3), keepdims=True) / size.astype(x.dtype)
        colour = np.where(grey, x.dtype.type(0.5), colour)
        x = np.where(part & (everything | (rng.random(size.shape) < 0.5)), colour, x)
    return x


def _with_blank(x, rng):
    """Number the photographs' patches, and add as many blank ones as each photograph has."""
    n = len(x) // len(_PHOTOGRAPHS)
    blank = hide_parts(x[rng.permutation(len(x))[:n]], rng, everything=True)
    return np.concatenate([x, blank]), np.repeat(np.arange(len(PHOTO_CLASSES)), n)
