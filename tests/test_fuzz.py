"""Hostile arrays into every public function: a correct result or a clear error.

CALLS says how to call each function that takes arrays;
`test_every_public_name_is_called` finds those that are missing. Layers, losses and
optimizers come in by themselves, as in the contract tests. Each array of each call is
laid out differently in memory, cut, padded, turned into other dtypes, and poisoned with
NaN, infinities and huge numbers. What comes out must be

- the same result, where the numbers are the same, whatever their layout in memory or dtype;
- or a ValueError or TypeError whose message names the object;
- never another exception, never a changed input, never NaN that gets lost on the way.
"""

import functools
import inspect
import re
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import usages
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchml as s
from scratchml import datasets, photos

CLEAR = (ValueError, TypeError, s.CheckFailed, s.DivergedError)


@dataclass
class Call:
    """One way to call something: `run(*arrays)` gives numbers, an array, or a dict of
    them.

    `names` is a pattern for what an error must name. `free` are the cases ("0 longer
    1": array 0, one more on axis 1) that are as good as the valid ones, and those where
    a NaN has no consequence ("0 nan"). `rows`: row i of the result depends on row i of
    the array alone.
    """

    run: Callable
    arrays: Callable
    names: str
    free: tuple = ()
    rows: bool = False


def generator():
    return np.random.default_rng(0)


def normal(*shapes):
    return lambda rng: [rng.standard_normal(shape) for shape in shapes]


CALLS = {}


def call(name, run, arrays, *, names=None, **options):
    CALLS[name] = Call(run, arrays, names or name.partition(" ")[0], **options)


# ---- layers, losses, penalties, optimizers

SHAPES = (
    *("empty 0", "empty -1", "flat", "deeper", "scalar"),
    *(f"longer {axis}" for axis in range(4)),
)
SIZES = tuple(f"0 {how}" for how in SHAPES)  # whatever its shape
LONGER = ("0 longer 1", "0 longer 2", "0 longer 3")
POOLED = (*LONGER, "0 nan")  # where no window looks
PLAIN = (*LONGER, "0 empty -1", "0 scalar")
ANY_TARGET = ("1 -1", "1 1000000")
# What is not here may take any shape, as long as it says clearly what it refuses.
FREE = {
    **dict.fromkeys(
        (
            *(s.Sigmoid, s.Tanh, s.ReLU, s.LeakyReLU, s.Softmax, s.Dropout),
            *(s.Sequential, s.Embedding),
        ),
        PLAIN,
    ),
    **dict.fromkeys(
        (s.RNN, s.LSTM, s.GRU, s.TextClassifier, s.CharacterModel), LONGER[:1]
    ),
    **dict.fromkeys((s.MaxPool2d, s.AvgPool2d, s.GlobalAvgPool2d), POOLED),
    s.Flatten: (*PLAIN, "0 flat", "0 deeper"),
    s.Linear: LONGER[:2],
    s.Conv2d: POOLED[1:],
    s.BatchNorm: (*LONGER[1:], "0 empty -1"),
    s.MSELoss: ANY_TARGET,
    s.BCEWithLogitsLoss: (),
    s.CrossEntropyLoss: LONGER[:2],  # one more class
}


def names_of(layer):
    """What an error may name: the layer, one inside it, or the function it is made of."""
    kinds = [type(part).__name__ for _, part in layer.named_layers()]
    return "|".join([*kinds, *(kind.lower() for kind in kinds if kind == "Softmax")])


def forward_of(example):
    return lambda x: example.build()[0].eval().forward(x)


def backward_of(example):
    def run_backward(x, dy):
        layer = example.build()[0]
        layer.forward(x)
        dx = layer.backward(dy)
        found = {f"d{name}": g for name, g in layer.gradients().items()}
        return found if dx is None else found | {"dx": dx}

    def arrays(rng):
        layer, (x,) = example.build()
        return [x, rng.standard_normal(layer.forward(x).shape)]

    return run_backward, arrays


def loss_of(example):
    def run_loss(*inputs):
        loss = example.build()[0]
        return {"loss": loss.forward(*inputs), "ds": loss.backward()}

    return run_loss


for kind, group in usages.LAYERS.items():
    for i, example in enumerate(group):
        names = names_of(example.build()[0])
        call(
            f"{kind.__name__} {i}, forward",
            forward_of(example),
            lambda rng, example=example: example.build()[1],
            names=names,
            rows=True,
            free=FREE.get(kind, SIZES),
        )
        # The forward shows NaN; and dy has the wrong shape unless y is the same.
        call(
            f"{kind.__name__} {i}, backward",
            *backward_of(example),
            names=names,
            free=("0 nan", *(LONGER if kind in FREE else SIZES)),
        )
for kind, group in (usages.LOSSES | usages.PENALTIES).items():
    for i, example in enumerate(group):
        call(
            f"{kind.__name__} {i}",
            loss_of(example),
            lambda rng, example=example: example.inputs(rng),
            free=FREE.get(kind, (*SIZES, *ANY_TARGET)),
        )


def model_of(W, g):
    model = s.Layer()
    model.params = {"W": W.copy()}
    model.grads = {"W": g}
    return model


def optimizer_of(make):
    def run_optimizer(W, g):
        optimizer, model = make(0.1), model_of(W, g)
        for _ in range(3):
            optimizer.step(model)
        return model.params["W"]

    return run_optimizer


for kind, group in usages.OPTIMIZERS.items():
    for i, make in enumerate(group):
        call(
            f"{kind.__name__} {i}",
            optimizer_of(make),
            normal((4, 3), (4, 3)),
            names=f"{kind.__name__}|no callable",
            free=("0 longdouble", "0 complex128"),  # what a model has, it keeps
        )

# ---- functions of arrays


def network():
    return s.Sequential(
        s.Linear(3, 4, rng=generator()), s.Tanh(), s.Linear(4, 2, rng=generator())
    ).astype(np.float64)


def labelled(rng):
    return [rng.standard_normal((5, 3)), rng.integers(0, 2, 5)]


def stepped(x, y):
    model = network()
    value, scores, _ = s.train_step(
        model, s.CrossEntropyLoss(), s.SGD(0.1), x, y, penalty=s.L2(0.1), clip_norm=1
    )
    return model.parameters() | {"loss": value, "scores": scores}


def fitted(x, y):
    model = network()
    s.fit(
        model,
        s.CrossEntropyLoss(),
        s.SGD(0.1),
        (x, y),
        epochs=2,
        batch_size=2,
        rng=generator(),
        validation=(x, y),
        progress=False,
    )
    return model.parameters()


def streamed(ids):
    model = characters()
    s.fit_tbptt(
        model,
        s.CrossEntropyLoss(),
        s.SGD(0.1),
        ids,
        batch_size=2,
        seq_len=3,
        epochs=1,
        progress=False,
    )
    return model.parameters()


def characters():
    return s.CharacterModel(5, embedding=2, hidden=3, rng=generator()).astype(
        np.float64
    )


def classifier():
    return s.TextClassifier(6, 2, embedding=2, hidden=3, rng=generator()).astype(
        np.float64
    )


def characters_of(text):
    return np.array(list(text), "U5")


def clipped(g):
    model = model_of(g, g.copy())
    norm = s.clip_gradients(model, 0.5)
    return {"norm": norm, "g": model.grads["W"]}


def saved_and_loaded(W):
    with tempfile.TemporaryDirectory() as folder:
        s.save_weights(model_of(W, W), f"{folder}/w.npz")
        other = model_of(np.zeros(np.shape(W)), W)
        s.load_weights(other, f"{folder}/w.npz")
    return other.params["W"]


def explanation(e):
    return {"coef": e.coef, "intercept": e.intercept, "prediction": e.prediction}


def brightness(batch):
    p = batch.mean(axis=(1, 2)) / 2
    return np.stack([p, 1 - p], axis=1)


def image_explanation(image, segments):
    return explanation(
        s.explain_image(
            brightness, image, segments=segments, n_samples=30, progress=False
        )
    )


BOTH = ("0 longer 0", "1 longer 0")
INDICES = ("0 -1", "0 1000000")  # any ids, here

call(
    "softmax",
    s.softmax,
    normal((5, 3)),
    rows=True,
    free=("0 longer 1", "0 empty -1", "0 scalar"),
)
call(
    "gradient_norm",
    lambda g: s.gradient_norm(model_of(g, g)),
    normal((4, 3)),
    free=(*SIZES, "0 uint8", "0 bool"),
)  # no layer's gradients are integers
call("clip_gradients", clipped, normal((4, 3)), free=SIZES)
call(
    "batches",
    lambda x, y: dict(
        enumerate(a for pair in s.batches(x, y, 2, generator()) for a in pair)
    ),
    labelled,
    free=("0 empty -1", "0 longer 1", "1 -1", "1 1000000", "0 deeper"),
)
call("train_step", stepped, labelled, names="Linear|CrossEntropy")
call("fit", fitted, labelled, names="batches|Linear|CrossEntropy|the loss")
call(
    "predict",
    lambda x: s.predict(network(), x, batch_size=2),
    normal((5, 3)),
    rows=True,
    names="predict|Linear",
)
call(
    "accuracy",
    s.accuracy,
    labelled,
    names="accuracy|scores or classes",
    free=("0 longer 1", "1 -1", "1 1000000"),
)  # labels beyond the scores are never right
call(
    "accuracy of classes",
    s.accuracy,
    lambda rng: list(rng.integers(0, 3, (2, 6))),
    names="accuracy|scores or classes",
    free=(*INDICES, "1 -1", "1 1000000"),
)
call(
    "confusion_matrix",
    s.confusion_matrix,
    lambda rng: list(rng.integers(0, 3, (2, 6))),
)
call(
    "random_shift",
    lambda x: s.random_shift(x, generator(), 1),
    normal((3, 1, 4, 5)),
    free=(
        "0 empty 0",
        "0 empty -1",
        "0 longer 0",
        "0 longer 1",
        "0 longer 2",
        "0 longer 3",
        "0 nan",
    ),
)  # shifted out
call(
    "save_weights", saved_and_loaded, normal((4, 3)), names="w.npz|weights", free=SIZES
)
call(
    "gradient_check",
    lambda x: s.gradient_check(network(), x, rng=generator()) or 0,
    normal((5, 3)),
    names="Sequential|Linear",
    free=("0 deeper", "0 longer 0"),
)
call(
    "same",
    lambda x: s.same(network(), network(), x, rng=generator()) or 0,
    normal((5, 3)),
    names="Sequential|Linear",
    free=("0 deeper", "0 longer 0"),
)
call(
    "pad",
    lambda ids: s.pad([ids, np.atleast_1d(ids)[:2]]),
    lambda rng: [rng.integers(0, 9, 4)],
    free=("0 empty 0", "0 longer 0", *INDICES),
)
call(
    "decode_characters",
    lambda ids: characters_of(s.decode_characters(ids)),
    lambda rng: [rng.integers(0, 27, 6)],
    free=("0 empty 0", "0 longer 0"),
)
call(
    "windows",
    lambda ids: dict(enumerate(s.windows(ids, 2, 3))),
    lambda rng: [rng.integers(0, 27, 20)],
    free=("0 longer 0", *INDICES),
)
call(
    "Vocabulary",
    lambda ids: characters_of(s.Vocabulary(["a b c"]).decode(ids)),
    lambda rng: [rng.integers(1, 5, 4)],
    free=("0 empty 0", "0 longer 0"),
)
call(
    "predict_proba",
    lambda ids: s.predict_proba(classifier(), [ids, np.atleast_1d(ids)[:1]]),
    lambda rng: [rng.integers(0, 6, 4)],
    names="predict_proba|TextClassifier|Embedding|pad",
    free=("0 empty 0", "0 longer 0"),
)
call(
    "fit_tbptt",
    streamed,
    lambda rng: [rng.integers(0, 5, 20)],
    names="windows|Embedding|CrossEntropy|CharacterModel",
    free=("0 longer 0",),
)
call(
    "sample",
    lambda scores: np.array([s.sample(scores, t, generator()) for t in (0, 1.5)]),
    normal((5,)),
    free=("0 longer 0",),
)
call(
    "sample, the likeliest",
    lambda scores: s.sample(scores, 0, generator()),
    normal((5,)),
    names="sample",
    free=("0 longer 0",),
)
call(
    "generate",
    lambda prompt: s.generate(characters(), prompt, 4, rng=generator()),
    lambda rng: [rng.integers(0, 5, 3)],
    names="generate|Embedding|CharacterModel",
    free=("0 flat", "0 scalar", "0 deeper", "0 longer 0"),
)
call(
    "generate from (1, T)",
    lambda prompt: s.generate(characters(), prompt, 4, rng=generator()),
    lambda rng: [rng.integers(0, 5, (1, 3))],
    names="generate|Embedding|CharacterModel|LSTM",
    free=("0 flat", "0 longer 1", "0 scalar"),
)
for cell in (s.RNN, s.LSTM, s.GRU):

    def run_cell(x, mask, state, dstate, cell=cell):
        layer = cell(4, 3, rng=generator(), dtype=np.float64)
        y = layer.forward(x, mask, state)
        dx = layer.backward(np.ones_like(y), dstate)
        return {
            "y": y,
            "dx": dx,
            "state": layer.state,
            "dstate": layer.dstate,
        } | layer.grads

    def cell_arrays(rng, cell=cell):
        states = (cell.n_states, 2, 3)
        return [
            rng.standard_normal((2, 5, 4)),
            rng.random((2, 5)) < 0.6,
            rng.standard_normal(states),
            rng.standard_normal(states),
        ]

    call(
        f"{cell.__name__} with mask and states", run_cell, cell_arrays, free=("0 nan",)
    )  # where nothing is read
call(
    "im2col",
    lambda x: s.im2col(x, 2, 1, 1),
    normal((2, 3, 4, 5)),
    free=(
        "0 empty 0",
        "0 empty -1",
        "0 longer 0",
        "0 longer 1",
        "0 longer 2",
        "0 longer 3",
    ),
)
call(
    "col2im",
    lambda cols: s.col2im(cols, (2, 3, 4, 5), 2, 1, 1),
    normal((12, 60)),
    free=("0 nan",),
)  # in the padding
call(
    "local_probabilities",
    lambda images: s.local_probabilities(
        s.Sequential(s.Conv2d(3, 2, 2, rng=generator())).astype(np.float64), images
    ),
    normal((2, 4, 5, 3)),
    names="local_probabilities|Conv2d",
    rows=True,
    free=("0 longer 1", "0 longer 2"),
)
call(
    "mask_distance",
    s.mask_distance,
    lambda rng: [rng.random((5, 3)) < 0.5],
    rows=True,
    free=("0 longer 1",),
)
call(
    "exponential_kernel",
    s.exponential_kernel,
    lambda rng: [rng.random(5)],
    rows=True,
    free=("0 scalar",),
)
call(
    "fit_surrogate",
    lambda Z, Y, w: vars(s.fit_surrogate(Z, Y, w)),
    lambda rng: [rng.random((20, 3)) < 0.5, rng.random((20, 2)), rng.random(20)],
    free=("0 empty -1", "0 longer 1", "1 empty -1", "1 longer 1"),
)
call(
    "explain_image",
    image_explanation,
    lambda rng: [rng.random((6, 5)), np.arange(30).reshape(6, 5) % 4],
    names="explain_image|predict",
    free=("1 -1", "1 1000000"),
)  # any numbers of segments
call(
    "explain_text",
    lambda P: explanation(
        s.explain_text(
            lambda batch: np.asarray(P), "a b c", n_samples=20, progress=False
        )
    ),
    lambda rng: [s.softmax(rng.standard_normal((20, 2)))],
    names="predict",
)
call(
    "explain_tabular",
    lambda x, background: explanation(
        s.explain_tabular(
            lambda X: s.softmax(X[:, :2]), x, background, n_samples=20, progress=False
        )
    ),
    normal((3,), (7, 3)),
    free=("1 longer 0",),
    names="explain_tabular|NaN or infinity",
)
call(
    "superpixels",
    s.superpixels,
    lambda rng: [rng.random((80, 70, 3))],
    names="superpixels|grid_segments",
    free=("0 longer 0", "0 longer 1", "0 flat"),
)  # flat: a grey image
call(
    "grid_segments",
    s.grid_segments,
    lambda rng: [rng.random((9, 8))],
    free=("0 longer 0", "0 longer 1", "0 nan"),
)  # it looks at the shape alone
call(
    "augment",
    lambda x: photos.augment(x, generator()),
    lambda rng: [rng.random((3, 3, 8, 8))],
    free=(
        "0 empty 0",
        "0 empty -1",
        "0 longer 0",
        "0 longer 1",
        "0 longer 2",
        "0 longer 3",
    ),
)
call(
    "hide_parts",
    lambda x: photos.hide_parts(x, generator()),
    lambda rng: [rng.random((3, 3, 8, 8))],
    free=(
        "0 empty 0",
        "0 empty -1",
        "0 longer 0",
        "0 longer 1",
        "0 longer 2",
        "0 longer 3",
    ),
)
call(
    "shrink",
    lambda image: photos.shrink(image, 5),
    lambda rng: [rng.integers(0, 256, (10, 12, 3)).astype(np.uint8)],
    free=("0 longer 0", "0 longer 1", "0 -1"),
)
call(
    "collage",
    lambda a, b: photos.collage(a, b, 8),
    lambda rng: list(rng.integers(0, 256, (2, 16, 20, 3)).astype(np.uint8)),
    names="collage|shrink",
    free=("0 longer 0", "0 longer 1", "1 longer 0", "1 longer 1"),
)
for name, judge in {
    "deletion_insertion": lambda e, predict, explain: s.deletion_insertion(e, predict),
    "stability": lambda e, predict, explain: s.stability(explain, seeds=range(2)),
    "randomised_weights": lambda e, predict, explain: s.randomised_weights(
        lambda p: e, predict, [predict]
    ),
    "recovery": lambda e, predict, explain: s.recovery(e, [0])[:2],
    "submodular_pick": lambda e, predict, explain: s.submodular_pick([e, e], 1),
}.items():

    def run_judge(image, judge=judge):
        def explain(seed=0):
            return s.explain_image(
                brightness,
                image,
                segments=np.arange(16).reshape(4, 4) // 4,
                n_samples=30,
                seed=seed,
                progress=False,
            )

        return dict(enumerate(judge(explain(), brightness, explain)))

    call(
        name, run_judge, lambda rng: [rng.random((4, 4))], names="explain_image|predict"
    )

WITHOUT_ARRAYS = {  # and what tests them
    "Layer": "test_layers",
    "Loss": "test_losses",
    "Penalty": "test_losses",
    "Optimizer": "test_optimizers",
    "glorot": "test_layers",
    "he": "test_layers",
    "standard_normal": "test_layers",
    "orthogonal": "test_recurrent",
    "History": "test_training",
    "Callback": "test_training",
    "EarlyStopping": "test_training",
    "Schedule": "test_training",
    "cosine": "test_training",
    "DivergedError": "test_training",
    "explain_many": "test_many",  # its arrays go to the function that it is given
    "ExplanationFailed": "test_many",
    "Interrupted": "test_training",
    "load_weights": "save_weights, above",
    "same_steps": "test_checks",
    "batches_check": "test_checks",
    "CheckFailed": "test_checks",
    "tokenize": "test_text",
    "clean_text8": "test_text",
    "encode_characters": "test_text",
    "output_size": "test_convolution",
    "sample_masks": "test_lime",
    "Surrogate": "fit_surrogate, above",
    "Explanation": "explain_image, above",
    "shuffled_weights": "test_faithfulness",
    "Dataset": "test_datasets",
    "use_full": "test_datasets",
    "data_folder": "test_datasets",
    "references": "test_datasets",
    "imagenet_names": "test_squeezenet",
    "squeezenet": "test_squeezenet",
    "squeezenet_probabilities": "test_squeezenet",
    "photographs": "test_images",
    "patches": "test_images",
    "regions": "test_images",
    "load": "test_photos_load",
    "square": "test_photos_load",
    "strip_post": "test_posts",
    "mobydick_model": "test_mobydick",
    "news_networks": "test_news",
    "NewsNetwork": "test_news",
    "masks_of": "test_faithfulness",
    "as_large": "test_faithfulness",
    "alone_and_without": "test_faithfulness",
}  # and the loaders of data sets, which test_datasets finds by itself


def gives_dataset(thing):
    return getattr(thing, "__annotations__", {}).get("return") is datasets.Dataset


def test_every_public_name_is_called():
    public = {
        name
        for module in (s, datasets, photos)
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(thing) or inspect.isfunction(thing))
        and (module is s or thing.__module__ == module.__name__)
        and not (module is datasets and gives_dataset(thing))
    }
    called = {re.match(r"\w+", name)[0] for name in CALLS}
    assert public <= called | WITHOUT_ARRAYS.keys(), (
        public - called - WITHOUT_ARRAYS.keys()
    )
    assert not called & WITHOUT_ARRAYS.keys()
    assert called <= public and WITHOUT_ARRAYS.keys() <= public


# ------------------------------------------------------------------------ the hostility


def shapes(a):
    """An array of other shapes, under the names of the cases."""
    yield "empty 0", a[:0]
    if a.ndim > 1:
        yield "empty -1", a[..., :0]
    yield "flat", np.asarray(a[0])
    yield "deeper", a[None]
    for axis in range(a.ndim):
        yield f"longer {axis}", np.concatenate([a, a.take([0], axis)], axis)
    yield "scalar", np.asarray(a.flat[0])


def dtypes(a):
    """The numbers of an array (as far as they go) in other dtypes, beside the same in
    its own.
    """
    for dtype in (
        "float16",
        "float32",
        "float64",
        "longdouble",
        "int64",
        "uint8",
        "bool",
        "complex128",
        "object",
    ):
        if np.dtype(dtype) != a.dtype:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # complex numbers lose a part that is 0
                turned = a.astype(dtype)
                yield dtype, turned, turned.astype(a.dtype)


def values(a, seed=0):
    """One number of the array replaced, at a random place."""
    rng = np.random.default_rng(seed)
    kinds = {"f": (np.nan, np.inf, -np.inf, 1e300, -1e300), "i": (-1, 10**6)}
    for value in kinds.get(a.dtype.kind, ()):
        poisoned = a.copy()
        poisoned.flat[rng.integers(a.size)] = value
        yield str(value), poisoned


def run(call, arrays):
    """The result as a dict of arrays; None for a clear error; AssertionError for
    another.
    """
    before = [a.copy() for a in arrays]
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = call.run(*arrays)
    except CLEAR as error:
        # Python and numpy say clearly enough which type is wrong, and that a number is
        # no array.
        numpys = (
            "|dtype|boolean|types|unsized|no len"
            if isinstance(error, TypeError)
            else ""
        )
        assert re.search(call.names + numpys, str(error)), (
            f"names nobody: {type(error).__name__}: {error}"
        )
        return None
    except Exception as error:
        raise AssertionError(f"crashes: {type(error).__name__}: {error}") from error
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b, err_msg="changes its input")
    result = result if isinstance(result, dict) else {"": result}
    return {name: np.asarray(a) for name, a in result.items() if a is not None}


def alike(mine, expected, tolerance=1e-9):
    assert mine.keys() == expected.keys()
    for name, a in expected.items():
        got = mine[name]
        assert got.shape == a.shape, f"{name}: shape {got.shape}, expected {a.shape}"
        if a.dtype.kind == "U":
            assert (got == a).all()
        elif a.size:
            scale = max(
                np.nanmax(np.abs(a, where=np.isfinite(a), out=np.zeros(a.shape))), 1
            )
            np.testing.assert_allclose(
                np.asarray(got, float),
                np.asarray(a, float),
                rtol=tolerance,
                atol=tolerance * scale,
                err_msg=f"silently wrong: {name}",
            )


def shape_case(call, arrays, i, how, a):
    """A free shape gives a result, row by row the valid one; any other is refused."""
    clean = run(call, arrays)
    result = run(call, [*arrays[:i], a, *arrays[i + 1 :]])
    if result is None or f"{i} {how}" in call.free:
        return
    assert call.rows, f"accepts {how}: {arrays[i].shape} -> {a.shape}"
    (y,), (right,) = result.values(), clean.values()
    expected = {
        "empty 0": right[:0],
        "flat": right[0],
        "deeper": right[None],
        "longer 0": np.concatenate([right, right[:1]]),
    }
    assert how in expected, f"accepts {how}: {arrays[i].shape} -> {a.shape}"
    alike({"": y}, {"": expected[how]})


def dtype_case(call, arrays, i, dtype, a, same):
    """Accepted numbers mean the same in every dtype."""
    result = run(call, [*arrays[:i], a, *arrays[i + 1 :]])
    if result is None or f"{i} {dtype}" in call.free:
        return
    expected = run(call, [*arrays[:i], same, *arrays[i + 1 :]])
    if expected is not None:
        alike(result, expected, {"float16": 2e-2, "float32": 1e-4}.get(dtype, 1e-9))


def value_case(call, arrays, i, value, a):
    """NaN stays visible, and in the rows where it belongs."""
    result = run(call, [*arrays[:i], a, *arrays[i + 1 :]])
    if result is None or f"{i} {value}" in call.free:
        return
    assert a.dtype.kind == "f", f"accepts {value} among its integers"
    if value == "nan":
        assert any(
            r.dtype.kind == "f" and np.isnan(r).any() for r in result.values()
        ), "loses NaN"
    if call.rows:
        others = [n for n in range(len(a)) if np.array_equal(a[n], arrays[i][n])]
        (y,), (right,) = result.values(), run(call, arrays).values()
        alike({"": y[others]}, {"": right[others]})


CASES = {
    "shapes": (shapes, shape_case),
    "dtypes": (dtypes, dtype_case),
    "values": (values, value_case),
}


def cases(name, kind):
    call, (make, check) = CALLS[name], CASES[kind]
    arrays = call.arrays(np.random.default_rng(1))
    for i, a in enumerate(arrays):
        for how, *mutated in make(a):
            yield f"{i} {how}", functools.partial(check, call, arrays, i, how, *mutated)


def defects(name, kind):
    """{case: complaint} of one call."""
    found = {}
    for case, check in cases(name, kind):
        try:
            check()
        except AssertionError as error:
            found[case] = " ".join(str(error).split())[:200]
    return found


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("name", CALLS)
def test_a_correct_result_or_a_clear_error(name, kind):
    found = defects(name, kind)
    assert not found, f"{name}: {found}"


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "a transposed copy": lambda a: np.ascontiguousarray(a.T).T,
    "every second": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "inside another": lambda a: np.pad(a, 1)[tuple([slice(1, -1)] * a.ndim)],
}


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=8)
@given(st.data())
def test_the_layout_in_memory_does_not_matter(name, data):
    """Non-contiguous and read-only: the same result as from contiguous copies."""
    call = CALLS[name]
    arrays = call.arrays(np.random.default_rng(data.draw(st.integers(0, 3))))
    laid_out = []
    for a in arrays:
        b = LAYOUTS[data.draw(st.sampled_from(sorted(LAYOUTS)))](a)
        b.flags.writeable = False
        laid_out.append(b)
    expected = run(call, arrays)
    assert expected is not None, "the example itself is refused"
    alike(run(call, laid_out), expected)


@pytest.mark.parametrize("name", [name for name, c in CALLS.items() if c.rows])
@settings(max_examples=8)
@given(seed=st.integers(1, 10**6))
def test_a_poisoned_row_poisons_no_other(name, seed):
    call = CALLS[name]
    arrays = call.arrays(np.random.default_rng(1))
    for value, a in values(arrays[0], seed):
        value_case(call, arrays, 0, value, a)
