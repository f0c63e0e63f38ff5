"""From text to numbers: words, their ids, and rows of equal length.

Two kinds of text are prepared here: posts, cut into words, and one long stream of
characters in the 27 letters of text8 (Mahoney, 2006).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from ._support import Array, require

PADDING = 0
UNKNOWN = 1
ALPHABET = " abcdefghijklmnopqrstuvwxyz"
DIGITS = "zero one two three four five six seven eight nine".split()
EMOJI = "\u2300-\u2bff\U0001f000-\U0001faff"


def words(text: str) -> list[str]:
    """The words of a text as they are written, and its emoji.

    A word is made of letters, digits and marks of any alphabet, with apostrophes
    inside.

    Raises TypeError for anything but one text.

    Derived in notebooks/deeper/04_lime.ipynb, section *Words*.

    >>> words("Don't split the naïve, O’Neill said ☂")
    ["Don't", 'split', 'the', 'naïve', 'O’Neill', 'said', '☂']
    """
    _check_text("words", text)
    # \w leaves out combining marks, without which Thai or Hindi words fall apart.
    marks = "".join(c for c in set(text) if unicodedata.category(c).startswith("M"))
    marks = marks.replace("\ufe0f", "")  # belongs to an emoji
    letters = rf"[\w{marks}]+"
    word = rf"{letters}(?:['’\u200c]{letters})*"
    emoji = rf"[{EMOJI}][{EMOJI}\u200d\ufe0f]*"
    return re.findall(f"{word}|{emoji}", text)


def tokenize(text: str) -> list[str]:
    """Cut a text into lower-case words, in any alphabet.

    Raises TypeError for anything but one text.

    Derived in notebooks/02_rnn.ipynb, section *A text classifier*.

    >>> tokenize("Don't go! 3.5 km to Köln")
    ["don't", 'go', '3', '5', 'km', 'to', 'köln']
    """
    _check_text("tokenize", text)
    return words(text.lower())


def _check_text(name: str, text: object) -> None:
    if not isinstance(text, str):
        raise TypeError(
            f"{name} expects one text, a str, got {type(text).__name__}: "
            "pass several one by one"
        )


class Vocabulary:
    """Words and their ids, the most frequent first; 0 is padding, 1 an unknown word.

    Give it the training texts only: a model must not know which words the test will
    bring. `size` limits the number of ids, including the two special ones; by default
    every word has one. Words of the same frequency are in alphabetical order.

    Raises TypeError for a single text, ValueError for a size below 2.

    Derived in notebooks/02_rnn.ipynb, section *A text classifier*.

    >>> vocabulary = Vocabulary(["the tank, the track", "the engine"], size=4)
    >>> vocabulary.words
    ['<pad>', '<unk>', 'the', 'engine']
    >>> vocabulary.encode("The engine and the tank")
    [2, 3, 1, 2, 1]
    >>> vocabulary.decode([2, 3, 1, 0, 0])
    'the engine <unk>'
    """

    def __init__(self, texts: Iterable[str], size: int | None = None) -> None:
        if isinstance(texts, str):
            raise TypeError(
                "Vocabulary expects a list of texts, got a single one: pass [text]"
            )
        require(
            size is None or size >= 2,
            f"Vocabulary expects a size of 2 or more, got {size}",
        )
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(tokenize(text))
        known = sorted(counts, key=lambda word: (-counts[word], word))
        self.words = ["<pad>", "<unk>", *known][:size]
        self.ids = {word: i for i, word in enumerate(self.words)}

    def encode(self, text: str) -> list[int]:
        """The ids of the words of a text, as a list."""
        return [self.ids.get(word, UNKNOWN) for word in tokenize(text)]

    def decode(self, ids: ArrayLike) -> str:
        """The words of the ids `(T,)`, joined by spaces; padding is left out."""
        ids = check_ids("Vocabulary.decode", ids, len(self))
        return " ".join(self.words[i] for i in ids if i != PADDING)

    def __len__(self) -> int:
        return len(self.words)


def check_ids(name: object, ids: ArrayLike, n: int | None = None) -> Array:
    """Return ids `(T,)` as an array; raise unless they are integers, and in 0..n-1."""
    found = np.asarray(ids)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise TypeError(
            f"{name} expects integer ids (T,), got {found.dtype} of shape {found.shape}"
        )
    if n is not None and found.size:
        low = found.min()
        high = found.max()
        if low < 0 or high >= n:
            raise ValueError(f"{name} expects ids 0..{n - 1}, got {low}..{high}")
    return found


def pad(sequences: Iterable[ArrayLike], length: int | None = None) -> Array:
    """Put lists of ids into one array `(N, T)`, right-padded with 0.

    `T` is the length of the longest list, or `length`, which cuts longer ones. An empty
    list becomes one padding id.

    Raises TypeError if a list holds anything but integers, ValueError for a length
    below 1.

    Derived in notebooks/deeper/02_rnn.ipynb, section *Embedding and padding*.

    >>> pad([[5, 9, 2], [7]])
    array([[5, 9, 2],
           [7, 0, 0]])
    >>> pad([[5, 9, 2], [7]], length=2)
    array([[5, 9],
           [7, 0]])
    """
    lists = [check_ids("pad", ids) for ids in sequences]
    if length is None:
        length = max([1, *map(len, lists)])
    require(length >= 1, f"pad expects a length of at least 1, got {length}")
    rows = np.full((len(lists), length), PADDING)
    for row, ids in zip(rows, lists, strict=True):
        row[: len(ids)] = ids[:length]
    return rows


def clean_text8(text: str) -> str:
    """Reduce a text to the 27 characters of text8: a to z, and single spaces.

    Digits are spelled out, one by one, and all other characters separate words.
    Raises TypeError for anything but one text.

    Derived in notebooks/02_rnn.ipynb, section *A character model* (Mahoney, 2006).

    >>> clean_text8("Apollo 11, in 1969!")
    'apollo one one in one nine six nine'
    """

    _check_text("clean_text8", text)

    def spelled(digit: re.Match[str]) -> str:
        return f" {DIGITS[int(digit[0])]} "

    spelled_out = re.sub("[0-9]", spelled, text.lower())
    return " ".join(re.findall("[a-z]+", spelled_out))


def encode_characters(text: str) -> Array:
    """The ids of text8's characters: `(T,)`, one byte each.

    The space is 0, and a..z are 1..26. Raises ValueError for any other character,
    TypeError for anything but one text.

    Derived in notebooks/02_rnn.ipynb, section *A character model*.

    >>> encode_characters("a cab")
    array([1, 0, 3, 1, 2], dtype=uint8)
    """
    _check_text("encode_characters", text)
    strange = sorted(set(text) - set(ALPHABET))
    require(
        not strange,
        f"encode_characters expects a to z and space, got {strange[:5]}: "
        "use clean_text8 first",
    )
    # In ASCII, the space is 32 and a..z are 97..122: the last five bits are the ids.
    return np.frombuffer(text.encode("ascii"), np.uint8) & 0b11111


def decode_characters(ids: ArrayLike) -> str:
    """The text of character ids `(T,)`, the inverse of `encode_characters`.

    Raises TypeError unless they are integers, ValueError for one outside 0..26.

    Derived in notebooks/02_rnn.ipynb, section *A character model*.

    >>> decode_characters([1, 0, 3, 1, 2])
    'a cab'
    """
    found = check_ids("decode_characters", ids, len(ALPHABET))
    return "".join(ALPHABET[i] for i in found)


def windows(ids: ArrayLike, batch_size: int, seq_len: int) -> tuple[Array, Array]:
    """Cut one long text `(L,)` into inputs and targets for batches in a fixed order.

    The target of each character is the next one. The text is laid out in `batch_size`
    long rows, read side by side: batch after batch, *in this order*, every row
    continues where it stopped. What does not fill the last window is left out. Shapes:
    K batches make inputs and targets of `(K batch_size, seq_len)` each.

    Raises ValueError if the text is shorter than one batch.

    Derived in notebooks/02_rnn.ipynb, section *A character model*.

    >>> x, y = windows(np.arange(13), batch_size=2, seq_len=3)
    >>> x  # two batches of two rows, which begin at 0 and at 6
    array([[ 0,  1,  2],
           [ 6,  7,  8],
           [ 3,  4,  5],
           [ 9, 10, 11]])
    >>> y[0]
    array([1, 2, 3])
    """
    ids = check_ids("windows", ids)
    require(
        min(batch_size, seq_len) >= 1 and len(ids) > batch_size * seq_len,
        f"windows needs {batch_size} x {seq_len} characters and one more, "
        f"got {len(ids)}: take a smaller batch_size or a shorter seq_len",
    )
    row = (len(ids) - 1) // batch_size  # characters in a row
    K = row // seq_len

    def cut(text: Array) -> Array:
        rows = text[: batch_size * row].reshape(batch_size, row)
        pieces = rows[:, : K * seq_len].reshape(batch_size, K, seq_len)
        return pieces.swapaxes(0, 1).reshape(K * batch_size, seq_len)

    return cut(ids[:-1]), cut(ids[1:])
