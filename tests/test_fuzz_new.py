"""Hostile input where test_fuzz does not reach: photographs, typed words, instruments.

What comes out must be right, or an error that names who refuses, what it got and what
it expects: no other exception, no NaN or picture that only looks like an answer.
"""

import errno
import html.parser
import pickle
import sys
import threading
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import scratchml as s
from scratchml import datasets, photos
from scratchml.squeezenet import MEAN, preprocess, squeezenet_probabilities
from scratchml.text import clean_text8, encode_characters, tokenize, words

Image = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (2, 9, 8, 3), np.uint8)


def few(n):
    return settings(max_examples=n)


# --------------------------------------------------------------------- SqueezeNet's door


def small_network():
    rng = np.random.default_rng(0)
    return s.Sequential(s.Conv2d(3, 4, 3, rng=rng), s.GlobalAvgPool2d())


def numbers(kinds="biufcO"):
    dtypes = [
        d for d in "? u1 i8 u8 f2 f4 f8 c8 O".split() if np.dtype(d).kind in kinds
    ]
    return st.sampled_from(dtypes).flatmap(
        lambda dtype: arrays.arrays(
            "i8" if dtype == "O" else dtype,
            arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=3)
            | st.just((1, 2, 2, 3)),
        ).map(lambda a: a.astype(dtype))
    )


@few(150)
@given(numbers())
def test_any_array_is_preprocessed_or_refused(images):
    with np.errstate(all="ignore"):
        top = 1 if images.dtype.kind == "f" else 255
        good = (
            images.ndim == 4
            and images.shape[3] == 3
            and images.dtype.kind in "iuf"
            and bool(np.all((images >= 0) & (images <= top)))
        )
    if not good:
        with pytest.raises(ValueError, match=r"^preprocess expects .*, got "):
            preprocess(images)
        return
    found = preprocess(images)
    wanted = images[..., ::-1].astype(float) * 255 / top - MEAN
    np.testing.assert_allclose(found, wanted.transpose(0, 3, 1, 2), atol=1e-3)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (PIXELS > 127, "integers in 0..255 or floats in .0, 1., got bool"),
        (PIXELS.astype(complex), "got complex128"),
        (PIXELS.astype(object), "got object"),
        (PIXELS.astype(str), "got <U3"),
        (PIXELS[0], r"got \(9, 8, 3\); for a single one: image\[None\]"),
        (None, r"images \(N, H, W, 3\), got \(\)"),
        ([PIXELS[0], PIXELS[0, :5]], "of one size: cut them with photos.square"),
    ],
)
@pytest.mark.parametrize("call", [preprocess, squeezenet_probabilities])
def test_what_is_no_batch_of_photographs_is_refused(call, images, says):
    ask = partial(call, small_network()) if call is squeezenet_probabilities else call
    with pytest.raises(ValueError, match=f"^{call.__name__} expects.*{says}"):
        ask(images)


@pytest.mark.parametrize("value", [-1, 256, 10**6])
def test_integers_outside_a_byte_are_told(value):
    images = PIXELS.astype(int)
    images[1, 2, 3, 0] = value
    low, high = images.min(), images.max()
    with pytest.raises(
        ValueError, match=rf"preprocess expects .* got {low}\.\.{high}$"
    ):
        preprocess(images)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_no_batch_is_too_small(batch_size):
    says = (
        f"squeezenet_probabilities expects a batch_size of at least 1, got {batch_size}"
    )
    with pytest.raises(ValueError, match=says):
        squeezenet_probabilities(small_network(), PIXELS, batch_size=batch_size)


def test_a_list_of_photographs_is_a_batch():
    model = small_network()
    found = squeezenet_probabilities(model, [*PIXELS], batch_size=1)
    np.testing.assert_allclose(
        found, squeezenet_probabilities(model, PIXELS), rtol=1e-5
    )


# ---------------------------------------------------------------------------- BatchNorm


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n_features": 0}, "1 feature or more, got 0"),
        ({"n_features": -3}, "1 feature or more, got -3"),
        ({"momentum": -0.1}, "momentum 0 <= momentum <= 1, got -0.1"),
        ({"momentum": 1.5}, "momentum 0 <= momentum <= 1, got 1.5"),
        ({"momentum": np.nan}, "momentum 0 <= momentum <= 1, got nan"),
        ({"eps": -1e-5}, "an eps >= 0, got -1e-05"),
        ({"eps": np.nan}, "an eps >= 0, got nan"),
        ({"eps": np.inf}, "an eps >= 0, got inf"),
    ],
)
def test_batch_norm_refuses_options_that_give_no_average(options, says):
    with pytest.raises(ValueError, match=f"^BatchNorm expects .*{says}"):
        s.BatchNorm(**{"n_features": 3} | options)


@few(100)
@given(st.integers(2, 9), st.floats(0, 1), st.floats(-1e15, 1e15), st.integers(0, 9))
def test_batch_norm_of_any_column_is_finite(n, momentum, height, seed):
    """The first column is constant, and both may lie far from 0."""
    rng = np.random.default_rng(seed)
    x = np.full((n, 2), height)
    x[:, 1] += rng.standard_normal(n)
    layer = s.BatchNorm(2, momentum=momentum, dtype=np.float64)
    y = layer.forward(x)
    dx = layer.backward(rng.standard_normal(y.shape))
    later = layer.eval().forward(x)
    assert all(np.isfinite(a).all() for a in (y, dx, later))
    # Rounding of the mean is all that is left of a constant.
    assert np.abs(y[:, 0]).max() <= abs(height) * 1e-12
    assert layer.buffers["running_var"].min() >= 0


@pytest.mark.parametrize("momentum", [0, 1])
def test_batch_norm_remembers_nothing_or_the_last_batch_alone(momentum):
    layer = s.BatchNorm(3, momentum=momentum, dtype=np.float64)
    x = RNG.standard_normal((6, 3)) + 5
    layer.forward(x + 7)
    layer.forward(x)
    means = layer.buffers["running_mean"]
    np.testing.assert_allclose(means, x.mean(axis=0) * momentum)


def test_batch_norm_of_small_floats_is_that_of_large_ones():
    """100 squared is nothing, but six such squares are more than float16 holds."""
    x = (500 + 200 * RNG.standard_normal((6, 3))).astype(np.float16)
    small = s.BatchNorm(3, dtype=np.float16)
    large = s.BatchNorm(3, dtype=np.float64)
    y = small.forward(x)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, large.forward(x.astype(np.float64)), atol=0.01)
    for name, buffer in small.buffers.items():
        np.testing.assert_allclose(buffer, large.buffers[name], rtol=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_batch_norm_that_overflows_says_so(dtype):
    x = RNG.standard_normal((6, 2)).astype(dtype)
    x[:, 0] *= np.finfo(dtype).max / 10
    layer = s.BatchNorm(2, dtype=dtype)
    with np.errstate(all="ignore"):
        y = layer.forward(x)
    assert np.isnan(y[:, 0]).all() and np.isfinite(y[:, 1]).all()
    assert np.isnan(layer.eval().forward(x)[:, 0]).all()


def test_training_stops_where_batch_norm_overflows():
    rng = np.random.default_rng(0)
    model = s.Sequential(s.BatchNorm(3), s.Linear(3, 2, rng=rng))
    x = np.float32(1e30) * rng.standard_normal((8, 3), dtype=np.float32)
    with np.errstate(all="ignore"), pytest.raises(s.DivergedError):
        s.fit(
            model,
            s.CrossEntropyLoss(),
            s.SGD(0.1),
            (x, rng.integers(0, 2, 8)),
            epochs=1,
            batch_size=8,
            rng=rng,
            progress=False,
        )


@pytest.mark.parametrize("other", [1, 2, 4])
def test_batch_norm_of_another_width_is_not_loaded(other):
    layer = s.BatchNorm(3)
    before = {name: a.copy() for name, a in layer.state_dict().items()}
    with pytest.raises(
        ValueError, match=rf"gamma has shape \({other},\), expected \(3,"
    ):
        layer.load_state_dict(s.BatchNorm(other).state_dict())
    for name, a in layer.state_dict().items():
        assert np.array_equal(a, before[name])


# ------------------------------------------------------------------------------- photos


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The bytes of one image in some formats: {name: bytes}."""
    folder = tmp_path_factory.mktemp("photos")
    image = Image.fromarray(RNG.integers(0, 256, (20, 30, 3), np.uint8))
    found = {}
    for name in ("a.png", "a.jpg", "a.gif", "a.tif", "a.webp", "a.bmp", "a.ppm"):
        image.save(folder / name)
        found[name] = (folder / name).read_bytes()
    return found


@pytest.mark.filterwarnings("ignore:Truncated File Read")
def test_a_file_cut_anywhere_is_an_image_or_an_error_that_names_it(files, tmp_path):
    for name, whole in files.items():
        path = tmp_path / name
        for end in {0, 1, *range(2, len(whole), max(1, len(whole) // 40))}:
            path.write_bytes(whole[:end])
            try:
                assert photos.load(path, 9).shape == (9, 9, 3)
            except ValueError as error:
                assert str(error).startswith(str(path)), f"{name}[:{end}]: {error}"


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(np.array([print], object)),
        b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'shape': (1,)}\n" + pickle.dumps(print),
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%PDF-1.7\n%%EOF",
        b"P6 99999 99999 255\n",
        b"\xff\xd8\xff\xe0" + b"\0" * 64,
    ],
)
def test_files_of_other_kinds_are_refused_by_name(content, tmp_path):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"holiday\.jpg is (no image|damaged|too large)"
    ):
        photos.load(path)


def test_the_name_of_a_file_does_not_matter(files, tmp_path):
    path = tmp_path / "really a JPEG.png"
    path.write_bytes(files["a.jpg"])
    assert photos.load(path, 9).shape == (9, 9, 3)


@pytest.mark.parametrize("path", ["~nobody-of-that-name/a.png", "a\0b.png", ""])
def test_paths_that_lead_nowhere(path):
    with pytest.raises(FileNotFoundError, match="no file "):
        photos.load(path)


def test_a_file_that_one_may_not_read_is_not_called_damaged(
    files, tmp_path, monkeypatch
):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    path = tmp_path / "a.png"
    path.write_bytes(files["a.png"])
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(PermissionError, match=r"a\.png"):
        photos.load(path, 9)


SIDES = [0, -1, 1.5, 16.0, None, "16", np.nan]


@pytest.mark.parametrize("n", SIDES, ids=repr)
@pytest.mark.parametrize(
    "call", [photos.square, photos.shrink, partial(photos.regions, width=8)]
)
def test_sides_are_whole_numbers_of_pixels(call, n):
    name = getattr(call, "func", call).__name__
    arguments = [] if name == "regions" else [PIXELS[0]]
    says = rf"{name} expects a whole number of pixels, at least 1, got {n!r}"
    with pytest.raises(ValueError, match=says):
        call(*arguments, n)


@pytest.mark.parametrize("image", [None, "a.png", PIXELS[0].tolist(), "Pillow"])
@pytest.mark.parametrize("call", [photos.square, photos.shrink])
def test_only_arrays_are_photographs(call, image):
    image = Image.fromarray(PIXELS[0]) if image == "Pillow" else image
    kind = type(image).__name__
    says = rf"{call.__name__} expects uint8 .*, got {kind}: pass np.array\(image\)"
    with pytest.raises(ValueError, match=says):
        call(image, 4)


def test_a_photograph_too_small_is_told_with_what_to_do():
    with pytest.raises(ValueError, match="got 8 x 9: take a larger photograph"):
        photos.square(PIXELS[0], 10)


@few(30)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_shrinking_keeps_at_least_a_pixel(height, width, new):
    image = np.full((height, width, 3), 7, np.uint8)
    small = photos.shrink(image, new)
    assert small.shape == (new, max(1, round(width * new / height)), 3)
    assert (small == 7).all()


@few(30)
@given(st.integers(1, 20), st.integers(1, 40), st.integers(2, 20))
def test_a_collage_has_its_shape_or_is_refused(height, width, new):
    image = np.full((height, width, 3), 7, np.uint8)
    half = 3 * new // 4
    if max(1, round(width * new / height)) < half:
        with pytest.raises(ValueError, match=f"collage expects .* {half} pixels wide"):
            photos.collage(image, image, new)
    else:
        assert photos.collage(image, image, new).shape == (new, 2 * half, 3)


# --------------------------------------------------------------------------------- text

TYPED = {
    "emoji": "👍🏽 good 👨\u200d👩\u200d👧 🇩🇪☂\ufe0f",
    "right to left": "שלום עולם مرحبا \u202eevil\u202c ok",
    "combining": "e\u0301cole " + "h\u0336\u0337" * 90,
    "zero width": "zero\u200bwidth \ufeffmark no\u00adhyphen",
    "null": "a\0b c\0",
    "markup": "<script>alert(1)</script> &amp; \"q\" '<b onclick=x>' ]]> <!-- -->",
    "half": "a\ud800b ok \udfff",
    "control": "\x1b[31mred\x07 \r\n",
    "one long word": "a" * 100_000,
    "apostrophes": "a'" * 20_000 + " ''",
    "marks alone": "\u0301" * 9_000,
}
NOTHING = ["", " \n\t\u2003", "?!... -- ;;", "\u200b\ufeff", "'" * 9_000]


def length(texts):
    p = np.array([min(len(text), 200) / 200 for text in texts])
    return np.column_stack([p, 1 - p])


explain = partial(s.explain_text, length, n_samples=20, progress=False)


class Tags(html.parser.HTMLParser):
    """What a browser would make of a page: its tags, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add((tag, *(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.tags.add(("comment",))


OURS = {
    ("div", "style"),
    ("p", "style"),
    ("span", "style"),
    ("b",),
    ("div",),
    ("small",),
}


def check_page(text):
    page = Tags(explain(text)._repr_html_())
    assert page.tags <= OURS, page.tags - OURS


@pytest.mark.parametrize("name", TYPED)
def test_whatever_is_typed_has_words_ids_and_an_explanation(name):
    text = TYPED[name]
    found = words(text)
    assert found and all(word in text for word in found)
    assert len(s.Vocabulary([text]).encode(text)) == len(tokenize(text))
    encode_characters(clean_text8(text))
    check_page(text)
    explain(text, bag_of_words=False).summary().encode()


@few(50)
@given(st.text(st.sampled_from("<>&\"'/ab =\u202e\u0301\0\ud800👍"), min_size=1))
def test_no_text_writes_its_own_markup(text):
    if words(text):
        check_page(f"{text} word")
        names = explain(f"{text} word", class_names=[text, "<i>"])
        assert Tags(names._repr_html_()).tags <= OURS


@pytest.mark.parametrize("text", NOTHING)
def test_a_text_without_words_is_refused_where_words_are_needed(text):
    assert words(text) == tokenize(text) == [] == s.Vocabulary(["a"]).encode(text)
    with pytest.raises(ValueError, match=r"^explain_text: the text .* has no words"):
        explain(text)


def test_a_hundred_thousand_words():
    assert len(tokenize("word " * 100_000)) == 100_000
    assert explain("word " * 100_000).names == ["word"]


@pytest.mark.parametrize("text", [None, b"abc", ["a", "b"], 3, float("nan")])
@pytest.mark.parametrize("call", [words, tokenize, clean_text8, encode_characters])
def test_anything_but_one_text_is_refused(call, text):
    says = rf"^{call.__name__} expects one text, a str, got {type(text).__name__}: "
    with pytest.raises(TypeError, match=says):
        call(text)


@pytest.fixture(scope="module")
def network():
    return datasets.news_networks()["space-autos", "whole"]


def test_news_networks_answer_whatever_is_typed(network):
    typed = [text[:5_000] for text in [*TYPED.values(), *NOTHING]]
    ids = [network.vocabulary.encode(text) for text in typed]
    p = s.predict_proba(network.model, ids)
    assert p.shape == (len(typed), 2) and p.min() >= 0
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    alone = s.predict_proba(network.model, ids[1:2])
    np.testing.assert_allclose(alone, p[1:2], rtol=1e-4)


# ------------------------------------------------------------------------- explain_many


def itself(x, seed):
    return x


@pytest.mark.parametrize("n_jobs", [0, 1.5, 2.0, "2", np.nan])
def test_numbers_of_processes_that_are_none(n_jobs):
    with pytest.raises(ValueError, match=rf"^explain_many expects n_jobs.*{n_jobs!r}"):
        s.explain_many(itself, [1], n_jobs=n_jobs)


@pytest.mark.parametrize(
    "seed", [-1, 1.5, None, "a", np.nan, [1, 2], np.array(3), np.random.default_rng(0)]
)
def test_seeds_that_are_none(seed):
    with pytest.raises(ValueError, match=r"^explain_many expects a seed, an integer"):
        s.explain_many(itself, [1], seed=seed)


@pytest.mark.parametrize("seed", [0, True, np.int64(3), 2**64, 2**200])
def test_seeds_of_any_size(seed):
    found = s.explain_many(lambda x, seed: seed, range(3), seed=seed, progress=False)
    assert len(set(found)) == 3 and all(0 <= n < 2**32 for n in found)


def test_a_single_text_is_no_list_of_inputs():
    with pytest.raises(TypeError, match=r"got a single text: pass \[text\]"):
        s.explain_many(itself, "one text")


@pytest.mark.parametrize("inputs", [[], [1]])
@pytest.mark.parametrize("wrong", [None, 3, "explain"])
def test_explain_must_be_a_function(wrong, inputs):
    kind = type(wrong).__name__
    with pytest.raises(
        TypeError, match=rf"^explain_many expects a function .*got {kind}"
    ):
        s.explain_many(wrong, inputs)


def test_an_explain_without_a_seed_is_told():
    with pytest.raises(s.ExplanationFailed, match=r"input 0: TypeError: .*'seed'"):
        s.explain_many(lambda x: x, [1], progress=False)


def failing(bad):
    def run(x, seed):
        if x in bad:
            raise ValueError(f"x is {x}")
        return x

    return run


@few(30)
@given(st.lists(st.integers(0, 5), max_size=6), st.sets(st.integers(0, 5)))
def test_failures_stand_in_their_places(inputs, bad):
    run = partial(s.explain_many, failing(bad), progress=False)
    found = run(iter(inputs), errors="return")
    assert len(found) == len(inputs)
    for place, (x, told) in enumerate(zip(inputs, found, strict=True)):
        if x in bad:
            assert isinstance(told, s.ExplanationFailed) and told.position == place
        else:
            assert told == x
    if bad & {*inputs}:
        first = next(i for i, x in enumerate(inputs) if x in bad)
        with pytest.raises(s.ExplanationFailed, match=f"^input {first}: ValueError"):
            run(inputs)


def test_no_more_processes_than_inputs(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "scratchml.many._in_order",
        lambda tasks, n_jobs: asked.append(n_jobs) or iter(()),
    )
    for n_jobs, inputs in ((1000, 3), (2, 3), (5, 0), (-1, 3), (None, 3)):
        s.explain_many(itself, range(inputs), n_jobs=n_jobs, progress=False)
    assert asked == [3, 2, 1, -1, None]


LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("explain", "inputs"),
    [
        (lambda x, seed: x if LOCK else seed, [1, 2]),
        (itself, [1, threading.Lock()]),
        (lambda x, seed: (n for n in [x]), [1, 2]),
    ],
    ids=["the function", "an input", "an answer"],
)
def test_what_cannot_travel_stays_here_with_one_process(explain, inputs, monkeypatch):
    # By value, as what a notebook defines.
    monkeypatch.setattr(explain, "__module__", "__main__")
    how = {"progress": False, "errors": "return"}
    assert len(s.explain_many(explain, inputs, n_jobs=1, **how)) == 2
    says = r"^explain_many: something got lost .*\n.*n_jobs=1 nothing travels"
    with pytest.raises(RuntimeError, match=says):
        s.explain_many(explain, inputs, n_jobs=2, **how)


# ------------------------------------------------------------------------- instruments

plt = pytest.importorskip("matplotlib.pyplot")
from scratchml import interactive  # noqa: E402

DIGITS = RNG.random((3, 28, 28))
LABELS = np.array([0, 1, 1])
SEGMENTS = np.kron(np.arange(4).reshape(2, 2), np.ones((5, 5), int))
PHOTO = np.full((10, 10, 3), 200, np.uint8)


def halves(images):
    p = np.reshape(images, (len(images), -1)).mean(axis=1).clip(0, 1)
    return np.column_stack([p, 1 - p])


def parts_on(Z):
    return halves(np.asarray(Z, float))


def brighter(images, labels, epsilon):
    return images + epsilon


def nan(x):
    return np.full((len(x), 2), np.nan)


def too_large(x):
    return np.full((len(x), 2), 1.5)


def flat(x):
    return np.ones(len(x))


def reader():
    rng = np.random.default_rng(0)
    embedding = s.Embedding(27, 3, rng=rng)
    return s.Sequential(embedding, s.RNN(3, 4, rng=rng), s.Linear(4, 27, rng=rng))


def deaf(value):
    model = reader()
    model.layers[2].params["W"][:] = value
    return model


def curve(*loss):
    return {"loss": [*loss]}


CURVES = {"correct": curve(3, 2, 1), "wrong": curve(4, 3, 1)}
KERNELS = {"ones": np.ones((3, 3)), "zeros": np.zeros((3, 3))}
BE_LIME = {
    "ask": parts_on,
    "image": PHOTO,
    "hidden": 0 * PHOTO,
    "segments": SEGMENTS,
    "weights": np.array([0.5, -0.1, 0.3, 0]),
    "label": 1,
}


def be_lime(**others):
    interactive.be_lime(**BE_LIME | others)


i = interactive
FINE = {
    "graph": lambda: i.graph(-5, 5, 0, 1e100),
    "shift": lambda: i.shift(halves, DIGITS[:1], LABELS[:1]),
    "fool": lambda: i.fool(brighter, lambda x: halves(x / 2), DIGITS, LABELS),
    "bug_hunt": lambda: i.bug_hunt(CURVES | {"שלום 👍": curve(np.nan, np.inf)}),
    "remember": lambda: i.what_did_it_remember({"a": reader()}, "ab"),
    "learn": lambda: i.learn_to_write({"👍": 1}, lambda *_: "שלום <b>", ""),
    "next_letters": lambda: i.next_letters(
        s.CharacterModel(hidden=3, rng=np.random.default_rng(0)), "<b>É 12 👍"
    ),
    "live_post": lambda: i.live_post(
        datasets.news_networks()["space-autos", "whole"], "x" * 100_000, "שלום 👍"
    ),
    "sliding_window": lambda: i.sliding_window(DIGITS[0, :3, :3], KERNELS),
    "learned_kernel": lambda: i.learned_kernel(
        DIGITS[0, :4, :5], np.ones((2, 3)), [np.ones((3, 3))]
    ),
    "be_lime": lambda: be_lime(names=["<b>", "שלום"], k=4),
}


@pytest.fixture
def still(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    monkeypatch.setattr(interactive, "_is_still", lambda: True)
    yield
    plt.close("all")


@pytest.fixture
def live(monkeypatch):
    """A place where widgets live; what is displayed is returned."""
    pytest.importorskip("ipywidgets")
    shown = []
    monkeypatch.setattr(interactive, "_is_still", lambda: False)
    monkeypatch.setattr("IPython.display.display", shown.append)
    yield shown
    plt.close("all")


def extremes(widget):
    """Values to move one control to: both ends, another option, what may be typed."""
    kind = type(widget).__name__
    if "Slider" in kind:
        return {widget.min, widget.max} - {widget.value}
    if kind == "ToggleButtons":
        return widget.options[-1:]
    if kind in ("Checkbox", "ToggleButton"):
        return [not widget.value]
    return ["", "👍 \0 \u202e שלום " + TYPED["combining"], "w" * 10**5]


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", FINE)
def test_instruments_reach_the_ends_of_their_controls(live, name):
    FINE[name]()
    *controls, picture, trouble = live[0].children
    assert bytes(picture.value).startswith(b"\x89PNG")
    refused = "<b>ValueError</b>: next_letters expects"
    for control in controls:
        leaf = interactive._leaves(control)[0]
        for value in extremes(leaf):
            leaf.value = value
            assert trouble.value == "" or trouble.value.startswith(refused)
    assert not plt.get_fignums()


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", FINE)
def test_instruments_without_widgets_draw_one_picture(monkeypatch, name):
    monkeypatch.setenv("SCRATCHML_STILL", "0")
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.setattr(plt, "show", lambda: None)
    FINE[name]()
    assert len(plt.get_fignums()) == 1
    interactive._png(plt.gcf())
    plt.close("all")


def test_probabilities_may_be_rounded_up(still):
    def rounded(x):
        return np.array([[np.float32(1.0000001), 0]] * len(x))

    interactive.shift(rounded, DIGITS, LABELS)


def test_a_word_without_end_is_cut_where_it_is_drawn(still):
    """A hundred long ones would take minutes."""
    FINE["live_post"]()
    labels = [label.get_text() for label in plt.gcf().axes[0].get_xticklabels()]
    assert "x" * 20 in "".join(labels) and max(map(len, labels)) < 50


IMAGES = r"expects at least one of the images .* and a label for each, got"
REFUSED = [
    (lambda: i.graph(x=9), "slider 'x' starts at 9, expected -5 to 5"),
    (lambda: i.graph(w=np.nan), "slider 'w' starts at nan"),
    (lambda: i.graph(t=np.nan), "graph expects a number t, got nan"),
    (lambda: i.shift(halves, DIGITS[:0], LABELS[:0]), f"shift {IMAGES}"),
    (lambda: i.shift(halves, DIGITS, LABELS[:2]), f"shift {IMAGES}"),
    (lambda: i.shift(halves, DIGITS[:, :4], LABELS), r"shift expects .*got \(3, 4, 28"),
    (lambda: i.shift(halves, DIGITS[:, None], LABELS), r"shift expects images .*got"),
    (lambda: i.shift(nan, DIGITS, LABELS), r"shift expects prob.* got nan\.\.nan"),
    (lambda: i.shift(flat, DIGITS, LABELS), r"shift expects prob.* got \(3,\)"),
    (lambda: i.fool(brighter, nan, DIGITS, LABELS), "fool expects prob.* got nan"),
    (lambda: i.fool(brighter, too_large, DIGITS, LABELS), "fool expects prob.*1.5"),
    (lambda: i.fool(brighter, halves, DIGITS[:0], LABELS[:0]), f"fool {IMAGES}"),
    (lambda: i.bug_hunt({}), r"bug_hunt expects .*'correct' among them, got \[\]"),
    (lambda: i.bug_hunt(CURVES, right="zzz"), "bug_hunt expects .*'zzz' among them"),
    (
        lambda: i.bug_hunt(CURVES | {f"{n}": curve(1) for n in range(9)}),
        "bug_hunt expects up to ten histories",
    ),
    (lambda: i.bug_hunt({"correct": {}}), "history of 'correct' has no loss"),
    (lambda: i.bug_hunt({"correct": curve()}), "history of 'correct' has no loss"),
    (lambda: i.bug_hunt(CURVES, {"correct": 0.5}), "reads has no share for 'wrong'"),
    (
        lambda: i.what_did_it_remember({}, "abc"),
        "remember expects at least one network",
    ),
    (
        lambda: i.what_did_it_remember({"a": s.ReLU()}, "abc"),
        r"remember expects networks of an Embedding.*got 'a': ReLU\(\)",
    ),
    *(
        (
            lambda n=n: i.what_did_it_remember({"a": reader()}, "a" * n),
            f"remember expects 2 to 500 letters, got {n}",
        )
        for n in (0, 1, 5000)
    ),
    (lambda: i.what_did_it_remember({"a": deaf(0)}, "abc"), "'a' has dx of length 0"),
    (lambda: i.what_did_it_remember({"a": deaf(np.nan)}, "abc"), "dx of length nan"),
    (lambda: i.learn_to_write({}, None, ""), "learn_to_write expects at least one mom"),
    *(
        (
            lambda text=text: i.next_letters(s.CharacterModel(rng=RNG), text),
            "next_letters expects a prompt of at least one character.* got ",
        )
        for text in ("", "   ", "👍", "שלום")
    ),
    (
        lambda: i.next_letters(s.CharacterModel(rng=RNG), "a" * 501),
        "next_letters expects at most 500 letters, got 501",
    ),
    (
        lambda: i.sliding_window(PHOTO[..., 0], {}),
        "sliding_window expects at least one",
    ),
    (
        lambda: i.sliding_window(PHOTO, KERNELS),
        r"sliding_window expects an image \(H, W",
    ),
    (lambda: i.sliding_window(np.ones((2, 9)), KERNELS), r"that fit.*\(2, 9\)"),
    (
        lambda: i.sliding_window(PHOTO[..., 0], KERNELS | {"b": np.ones((5, 5))}),
        r"sliding_window expects .*'b': \(5, 5\)",
    ),
    (lambda: i.learned_kernel(PHOTO[..., 0], None, []), "learned_kernel expects at"),
    (
        lambda: i.learned_kernel(PHOTO[..., 0], np.ones((2, 2)), [np.ones((3, 3))]),
        r"learned_kernel expects a feature map \(8, 8\).*got \(2, 2\)",
    ),
    (lambda: be_lime(weights=np.ones(3)), r"a number for each of the 4 parts.*\(3,\)"),
    (lambda: be_lime(weights=np.full(4, np.nan)), "be_lime expects a number for each"),
    (lambda: be_lime(hidden=PHOTO[:5]), r"be_lime expects image.*\(5, 10, 3\)"),
    (lambda: be_lime(segments=SEGMENTS[:, :6]), r"be_lime expects image.*\(10, 6\)"),
    (lambda: be_lime(k=0), "be_lime expects a k of 1 to 4 parts, got 0"),
    (lambda: be_lime(k=9), "be_lime expects a k of 1 to 4 parts, got 9"),
    (lambda: be_lime(label=-1), "be_lime expects a label from 0 on.* got -1"),
    (
        lambda: be_lime(label=2),
        "be_lime: the model knows 2 classes, not one of label 2",
    ),
    (lambda: be_lime(names=["one"]), "be_lime expects a label .*the 1 names.* got 1"),
    (lambda: be_lime(ask=nan), "be_lime expects probabilities in 0..1, got nan..nan"),
    (lambda: be_lime(ask=flat), r"be_lime expects prob.* \(1, classes\), got \(1,\)"),
]


@pytest.mark.parametrize(
    ("call", "says"),
    REFUSED,
    ids=[f"{n}: {says[:30]}" for n, (_, says) in enumerate(REFUSED)],
)
def test_instruments_refuse_what_they_cannot_draw(still, call, says):
    with pytest.raises(ValueError, match=says):
        call()
