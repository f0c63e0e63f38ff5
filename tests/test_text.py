"""Words, ids and rows of equal length; text8's 27 characters."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchml.text import (
    ALPHABET,
    DIGITS,
    PADDING,
    UNKNOWN,
    Vocabulary,
    check_ids,
    clean_text8,
    decode_characters,
    encode_characters,
    pad,
    tokenize,
    windows,
)
from scratchml.text import words as words_of

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


def test_words_keep_their_case_and_emoji_their_modifiers():
    assert words_of("Don't SPLIT it’s ☂\ufe0f ok") == [
        *("Don't", "SPLIT", "it’s"),
        *("☂\ufe0f", "ok"),
    ]
    assert words_of("👩\u200d🚀 x") == ["👩\u200d🚀", "x"]
    assert words_of("می\u200cخواهم") == ["می\u200cخواهم"]  # joined inside a word
    assert words_of("a' 'b a''b") == ["a", "b", "a", "b"]


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


def test_words_of_one_frequency_are_in_alphabetical_order():
    vocabulary = Vocabulary(["b a c a", "c d"])
    assert vocabulary.words[2:] == ["a", "c", "b", "d"]
    assert vocabulary.ids == {"<pad>": 0, "<unk>": 1, "a": 2, "c": 3, "b": 4, "d": 5}
    assert (PADDING, UNKNOWN) == (0, 1)


@pytest.mark.parametrize(
    "ids", [[[1, 2]], [1.0], ["a"], 3, np.ones((2, 2), int), [True], np.zeros((0, 2))]
)
def test_ids_are_integers_in_one_row(ids):
    for read in (check, Vocabulary(POSTS).decode, decode_characters):
        with pytest.raises(TypeError, match=r"expects integer ids \(T,\), got "):
            read(ids)
    with pytest.raises(TypeError, match=r"pad expects integer ids \(T,\), got "):
        pad([ids])


def check(ids):
    return check_ids("this", ids)


@pytest.mark.parametrize(
    ("ids", "says"),
    [([8], "8..8"), ([-1], "-1..-1"), ([0, 7, 8, 2], "0..8"), ([3, -2, 5], "-2..5")],
)
def test_ids_outside_are_named_with_the_smallest_and_the_largest(ids, says):
    message = re.escape(f"this expects ids 0..7, got {says}")
    with pytest.raises(ValueError, match=message):
        check_ids("this", ids, 8)
    assert check_ids("this", ids).tolist() == ids  # without n, any integers


@pytest.mark.parametrize("ids", [[0, 7], [], np.array([7, 3], np.uint8)])
def test_ids_inside_pass(ids):
    assert check_ids("this", ids, 8).tolist() == list(ids)


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


def test_every_digit_is_spelled_out():
    assert clean_text8("0123456789").split() == DIGITS
    assert DIGITS[0] == "zero" and DIGITS[9] == "nine" and len(DIGITS) == 10


def test_the_first_strange_characters_are_named():
    with pytest.raises(ValueError, match=re.escape("['!', '.', '1', '2', '3']: ")):
        encode_characters("a1b2c3d4.!?")


@pytest.mark.parametrize("ids", [[27], [-1], [3, 99]])
def test_ids_of_no_character_are_refused(ids):
    with pytest.raises(ValueError, match=r"decode_characters expects ids 0\.\.26, got"):
        decode_characters(ids)


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


@pytest.mark.parametrize(("length", "batches"), [(12, 1), (13, 2), (18, 2), (19, 3)])
def test_a_window_is_made_as_soon_as_every_target_is_there(length, batches):
    x, y = windows(np.arange(length), 2, 3)  # 6 more characters for each batch
    assert x.shape == y.shape == (2 * batches, 3)
    row = (length - 1) // 2
    assert x[:2, 0].tolist() == [0, row]
    assert y[-1, -1] == row + 3 * batches


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
