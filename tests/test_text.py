"""Words, ids and rows of equal length; text8's 27 characters."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchml.text import (
    ALPHABET,
    PADDING,
    UNKNOWN,
    Vocabulary,
    clean_text8,
    decode_characters,
    encode_characters,
    pad,
    tokenize,
    windows,
)

words = st.lists(st.text("abcdefg'", min_size=1), max_size=12).map(" ".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't go!", ["don't", "go"]),
        ("the 'quoted' word's", ["the", "quoted", "word's"]),
        ("rock’n’roll", ["rock’n’roll"]),
        (
            "NNTP-Posting-Host: mac-12.uni.edu",
            ["nntp", "posting", "host", "mac", "12", "uni", "edu"],
        ),
        ("x_1, 3.5 km/h", ["x_1", "3", "5", "km", "h"]),
        ("Über Straße, naïve", ["über", "straße", "naïve"]),
        ("Καλημέρα κόσμε", ["καλημέρα", "κόσμε"]),
        ("Это и́мя", ["это", "и\u0301мя"]),  # a combining accent
        ("नमस्ते दुनिया।", ["नमस्ते", "दुनिया"]),
        ("ภาษาไทย ที่นี่", ["ภาษาไทย", "ที่นี่"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("你好,世界", ["你好", "世界"]),
        ("İstanbul", ["i\u0307stanbul"]),  # one capital, two characters in lower case
        ("", []),
        (" \n\t", []),
        ("!?... -- ''", []),
    ],
)
def test_words_of_any_alphabet(text, expected):
    assert tokenize(text) == expected


@given(st.text())
def test_any_text_gives_words(text):
    found = tokenize(text)
    assert all(word and not re.search(r"\s", word) for word in found)
    assert tokenize(" ".join(found)) == found


def test_lime_cuts_where_we_do():
    lime = pytest.importorskip("scratchml.lime")
    text = "Don't split शब्द or ภาษา, said O’Neill on 3.5.1969."
    assert [word.lower() for word in lime.words(text)] == tokenize(text)


# --------------------------------------------------------------------------- vocabulary

POSTS = ["The launch of the engine", "the tank, the track", "engine launch"]


def test_vocabulary_counts_and_keeps_two_ids():
    vocabulary = Vocabulary(POSTS)
    assert vocabulary.words == [
        "<pad>",
        "<unk>",
        "the",
        "engine",
        "launch",
        "of",
        "tank",
        "track",
    ]
    assert len(vocabulary) == 8
    assert vocabulary.encode("The engine, the rocket") == [2, 3, 2, UNKNOWN]
    assert vocabulary.decode([2, 3, UNKNOWN, PADDING, PADDING]) == "the engine <unk>"
    assert vocabulary.decode(np.array([4, 0])) == "launch"


@pytest.mark.parametrize("size", [2, 3, 5, 8, 99])
def test_size_limits_all_ids(size):
    vocabulary = Vocabulary(POSTS, size=size)
    assert len(vocabulary) == min(size, 8)
    assert max(vocabulary.encode(" ".join(POSTS))) == min(size, 8) - 1 or size == 2
    assert vocabulary.words == Vocabulary(POSTS).words[:size]


def test_posts_without_words_or_without_known_words():
    vocabulary = Vocabulary(POSTS)
    assert vocabulary.encode("") == vocabulary.encode("-- !") == []
    assert vocabulary.encode("quite unheard-of") == [1, 1, 5]
    assert Vocabulary([]).encode("anything") == [UNKNOWN]
    assert pad([vocabulary.encode("")]).tolist() == [[PADDING]]


def test_special_names_are_no_words():
    """A post cannot write the padding: the brackets are no part of a word."""
    vocabulary = Vocabulary(["<pad> <unk>"])
    assert vocabulary.encode("<pad> <unk>") == [2, 3]


def test_vocabulary_speaks_up():
    with pytest.raises(
        TypeError, match=r"a list of texts, got a single one: pass \[text\]"
    ):
        Vocabulary("one post")
    with pytest.raises(ValueError, match="size of 2 or more, got 1"):
        Vocabulary(POSTS, size=1)


@given(st.lists(words, max_size=6), st.integers(2, 9), words)
def test_encoding_and_back(texts, size, text):
    vocabulary = Vocabulary(texts, size=size)
    ids = vocabulary.encode(text)
    assert len(ids) == len(tokenize(text))
    assert all(UNKNOWN <= i < len(vocabulary) for i in ids)
    expected = [w if w in vocabulary.ids else "<unk>" for w in tokenize(text)]
    assert vocabulary.decode(ids).split() == expected
    assert vocabulary.words == Vocabulary(texts[::-1], size=size).words


# ------------------------------------------------------------------------------ padding


def test_pad_fills_with_zero_behind():
    assert pad([[3, 4], [5], []]).tolist() == [[3, 4], [5, 0], [0, 0]]
    assert pad([[3, 4, 5], [6]], length=2).tolist() == [[3, 4], [6, 0]]
    assert pad([[3]], length=4).tolist() == [[3, 0, 0, 0]]
    assert pad([[], []]).shape == (2, 1) and pad([]).shape == (0, 1)
    assert pad([np.array([3]), (4, 5)]).dtype.kind == "i"
    with pytest.raises(ValueError, match="length of at least 1, got 0"):
        pad([[1]], length=0)


@given(st.lists(st.lists(st.integers(1, 99))), st.none() | st.integers(1, 9))
def test_pad_keeps_every_id_in_its_place(sequences, length):
    rows = pad(sequences, length)
    assert len(rows) == len(sequences)
    for row, ids in zip(rows, sequences, strict=True):
        assert row[row != PADDING].tolist() == ids[:length]
        assert not row[len(ids) :].any()


# -------------------------------------------------------------------------------- text8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", "hello world"),
        ("in 1969", "in one nine six nine"),
        ("a1b", "a one b"),
        ("2001: a space odyssey", "two zero zero one a space odyssey"),
        ("don't -- stop\n\n\tnow", "don t stop now"),
        ("Café ½ ٣", "caf"),  # only a-z, only 0-9
        ("", ""),
        ("...", ""),
        ("  spaced  ", "spaced"),
    ],
)
def test_cleaning_leaves_27_characters(text, expected):
    assert clean_text8(text) == expected


@given(st.text())
def test_cleaned_text_is_clean(text):
    cleaned = clean_text8(text)
    assert (
        set(cleaned) <= set(ALPHABET)
        and "  " not in cleaned
        and cleaned == cleaned.strip()
    )
    assert clean_text8(cleaned) == cleaned


@given(st.text(ALPHABET))
def test_characters_there_and_back(text):
    ids = encode_characters(text)
    assert ids.shape == (len(text),) and ids.dtype == np.uint8
    assert ids.tolist() == [ALPHABET.index(c) for c in text]
    assert decode_characters(ids) == text


@pytest.mark.parametrize("text", ["Hello", "a.b", "a\n", "é"])
def test_other_characters_are_refused(text):
    with pytest.raises(
        ValueError, match=r"expects a to z and space, got \[.*use clean_text8"
    ):
        encode_characters(text)


# ------------------------------------------------------------------------------ windows


def test_windows_side_by_side():
    x, y = windows(np.arange(14), 2, 3)  # rows 0..5 and 6..11, twelve targets 1..12
    assert x.tolist() == [[0, 1, 2], [6, 7, 8], [3, 4, 5], [9, 10, 11]]
    assert (y == x + 1).all()


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 60))
def test_each_batch_goes_on_where_the_last_one_stopped(batch_size, steps, more):
    ids = np.arange(batch_size * steps + 1 + more)
    x, y = windows(ids, batch_size, steps)
    assert x.shape == y.shape and x.shape[1] == steps and len(x) % batch_size == 0
    assert (y == x + 1).all()
    rows = x.reshape(-1, batch_size, steps).swapaxes(0, 1).reshape(batch_size, -1)
    assert (np.diff(rows, axis=1) == 1).all()
    assert len(np.unique(x)) == x.size > len(ids) - 1 - batch_size * (steps + 1)


@pytest.mark.parametrize(
    ("batch_size", "steps"), [(3, 4), (12, 1), (0, 3), (3, 0), (-2, -3)]
)
def test_windows_speak_up(batch_size, steps):
    with pytest.raises(
        ValueError, match=rf"windows needs {batch_size} x {steps} characters"
    ):
        windows(np.arange(12), batch_size, steps)
