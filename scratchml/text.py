"""From text to numbers: words, their ids, and rows of equal length.

Two kinds of text are prepared here: posts, cut into words, and one long stream of
characters in the 27 letters of text8 (Mahoney, 2006).
"""

import re
import unicodedata
from collections import Counter

import numpy as np

from ._support import require

PADDING, UNKNOWN = 0, 1
ALPHABET = " abcdefghijklmnopqrstuvwxyz"
DIGITS = "zero one two three four five six seven eight nine".split()


def words(text):
    """The words of a text: letters, digits and marks of any alphabet, apostrophes
    inside; emoji.

    Derived in notebooks/04_lime.ipynb, section *Explain digits, text and a photograph*.
    """
    # \w leaves out combining marks, without which Thai or Hindi words fall apart.
    marks = "".join(
        c for c in set(text) if unicodedata.category(c)[0] == "M" and c != "\ufe0f"
    )
    word, emoji = rf"[\w{marks}]+", "\u2300-\u2bff\U0001f000-\U0001faff"
    return re.findall(
        rf"{word}(?:['’\u200c]{word})*|[{emoji}][{emoji}\u200d\ufe0f]*", text
    )


def tokenize(text):
    """Cut a text into lower-case words, in any alphabet: `"Don't go!"` gives `don't`,
    `go`.

    Derived in notebooks/02_rnn.ipynb, section *A text classifier*.
    """
    return words(text.lower())


class Vocabulary:
    """Words and their ids, the most frequent first; 0 is padding, 1 every word not
    known here.

    Give it the training texts only: a model must not know which words the test will
    bring. `size` limits the number of ids, the two special ones included. Raises
    TypeError for a single text, ValueError for a size below 2.

    Derived in notebooks/02_rnn.ipynb, section *A text classifier*.
    """

    def __init__(self, texts, size=None):
        if isinstance(texts, str):
            raise TypeError(
                "Vocabulary expects a list of texts, got a single one: pass [text]"
            )
        require(
            size is None or size >= 2,
            f"Vocabulary expects a size of 2 or more, got {size}",
        )
        counts = Counter(word for text in texts for word in tokenize(text))
        known = sorted(
            counts, key=lambda word: (-counts[word], word)
        )  # ties by alphabet
        self.words = ["<pad>", "<unk>", *known][:size]
        self.ids = {word: i for i, word in enumerate(self.words)}

    def encode(self, text):
        """The ids of the words of a text, as a list."""
        return [self.ids.get(word, UNKNOWN) for word in tokenize(text)]

    def decode(self, ids):
        """The words of the ids `(T,)`, joined by spaces; padding is left out."""
        ids = check_ids("Vocabulary.decode", ids, len(self))
        return " ".join(self.words[i] for i in ids if i != PADDING)

    def __len__(self):
        return len(self.words)


def check_ids(name, ids, n=None):
    """Return ids `(T,)` as an array; raise unless they are integers, and in 0..n-1."""
    ids = np.asarray(ids)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        raise TypeError(
            f"{name} expects integer ids (T,), got {ids.dtype} of shape {ids.shape}"
        )
    if n is not None and ids.size and not 0 <= ids.min() <= ids.max() < n:
        raise ValueError(f"{name} expects ids 0..{n - 1}, got {ids.min()}..{ids.max()}")
    return ids


def pad(sequences, length=None):
    """Put lists of ids into one array `(N, T)`, filled up with 0 behind.

    `T` is the longest length, or `length`, which cuts longer lists; an empty one takes
    one step. Raises TypeError for a list of anything but whole numbers, ValueError for
    a length below 1.

    Derived in notebooks/02_rnn.ipynb, section *A text classifier*.
    """
    sequences = [check_ids("pad", ids) for ids in sequences]
    length = max([1, *map(len, sequences)]) if length is None else length
    require(length >= 1, f"pad expects a length of at least 1, got {length}")
    rows = np.full((len(sequences), length), PADDING)
    for row, ids in zip(rows, sequences, strict=True):
        row[: len(ids)] = ids[:length]
    return rows


def clean_text8(text):
    """Reduce a text to the 27 characters of text8: a to z, and single spaces between
    words.

    Digits are spelled out, one by one, and all other characters separate words.

    Derived in notebooks/02_rnn.ipynb, section *A character model* (Mahoney, 2006).
    """
    text = re.sub("[0-9]", lambda digit: f" {DIGITS[int(digit[0])]} ", text.lower())
    return " ".join(re.findall("[a-z]+", text))


def encode_characters(text):
    """The ids of text8's characters, 0 for the space and 1..26 for a..z: `(T,)`, one
    byte each.

    Raises ValueError for any other character.

    Derived in notebooks/02_rnn.ipynb, section *A character model*.
    """
    strange = sorted(set(text) - set(ALPHABET))
    require(
        not strange,
        f"encode_characters expects a to z and space, got {strange[:5]}: "
        "use clean_text8 first",
    )
    # In ASCII, the space is 32 and a..z are 97..122: the last five bits are the ids.
    return np.frombuffer(text.encode("ascii"), np.uint8) & 31


def decode_characters(ids):
    """The text of character ids `(T,)`, the inverse of `encode_characters`.

    Raises TypeError unless they are whole numbers, ValueError for one outside 0..26.

    Derived in notebooks/02_rnn.ipynb, section *A character model*.
    """
    return "".join(
        ALPHABET[i] for i in check_ids("decode_characters", ids, len(ALPHABET))
    )


def windows(ids, batch_size, seq_len):
    """Cut one long text `(L,)` into inputs and targets, each `(K batch_size, seq_len)`.

    The target of each character is the next one. The text is laid out in `batch_size`
    long rows, read side by side: batch after batch, *in this order*, every row goes on
    where it stopped. What does not fill the last window is left out. Raises ValueError
    when the text is shorter than one batch.

    Derived in notebooks/02_rnn.ipynb, section *A character model*.
    """
    ids = check_ids("windows", ids)
    require(
        min(batch_size, seq_len) >= 1 and len(ids) > batch_size * seq_len,
        f"windows needs {batch_size} x {seq_len} characters and one more, got {len(ids)}: "
        "take a smaller batch_size or a shorter seq_len",
    )
    width = (len(ids) - 1) // batch_size  # of one row
    K = width // seq_len

    def cut(ids):
        rows = ids[: batch_size * width].reshape(batch_size, width)[:, : K * seq_len]
        return rows.reshape(batch_size, K, seq_len).swapaxes(0, 1).reshape(-1, seq_len)

    return cut(ids[:-1]), cut(ids[1:])
