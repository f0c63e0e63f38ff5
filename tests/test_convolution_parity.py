"""Convolution and pooling equal PyTorch's for any kernel, stride, padding and size.

In float64, within 1e-12 of the largest number. tests/test_parity.py has frozen values
where PyTorch is not installed.
"""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from references.cnn import our_module, torch_module


def assert_close(mine, theirs):
    """Equal within 1e-12 of the largest number of the array."""
    assert mine.shape == theirs.shape
    assert mine.dtype == theirs.dtype == np.float64
    scale = max(np.abs(theirs).max(initial=0), 1e-300)
    np.testing.assert_allclose(mine / scale, theirs / scale, rtol=0, atol=1e-12)


needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"
)
sizes = st.integers(1, 4)
maybe_pairs = st.one_of(sizes, st.tuples(sizes, sizes))


def as_pair(value):
    return (value, value) if isinstance(value, int) else value


@st.composite
def layers(draw, kind):
    """A case as in `references.cnn.LAYERS`, and a seed: `(kind, shape, c_out, ...),
    seed`.
    """
    kernel, stride = draw(maybe_pairs), draw(maybe_pairs)
    most = [3, 3] if kind == "Conv2d" else [k // 2 for k in as_pair(kernel)]
    padding = tuple(draw(st.integers(0, m)) for m in most)
    if padding[0] == padding[1] and draw(st.booleans()):
        padding = padding[0]
    least = [
        max(1, k - 2 * p)
        for k, p in zip(as_pair(kernel), as_pair(padding), strict=True)
    ]
    image = [draw(st.integers(n, n + 7)) for n in least]
    shape = (draw(sizes), draw(sizes), *image)
    return (kind, shape, draw(sizes), kernel, stride, padding), draw(
        st.integers(0, 2**32 - 1)
    )


def assert_like_torch(case, x, rng):
    import torch

    kind, shape, *geometry = case
    layer = our_module(kind, shape[1], *geometry)
    theirs = torch_module(kind, shape[1], *geometry)
    if kind == "Conv2d":
        for p, q in zip(layer.params.values(), theirs.parameters(), strict=True):
            q.data = torch.tensor(p)
    given = torch.tensor(x, requires_grad=True)
    y = theirs(given)
    dy = rng.standard_normal(tuple(y.shape))
    y.backward(torch.tensor(dy))
    assert_close(layer.forward(x), y.detach().numpy())
    assert_close(layer.backward(dy), given.grad.numpy())
    for g, q in zip(layer.grads.values(), theirs.parameters(), strict=True):
        assert_close(g, q.grad.numpy())


@needs_torch
@pytest.mark.parametrize("kind", ["Conv2d", "MaxPool2d", "AvgPool2d"])
@settings(max_examples=150)
@given(st.data())
def test_any_geometry_equals_pytorch(kind, data):
    case, seed = data.draw(layers(kind))
    rng = np.random.default_rng(seed)
    assert_like_torch(case, rng.standard_normal(case[1]), rng)


@needs_torch
@settings(max_examples=150)
@given(layers("MaxPool2d"))
def test_ties_are_broken_as_in_pytorch(drawn):
    case, seed = drawn
    rng = np.random.default_rng(seed)
    assert_like_torch(case, rng.integers(-1, 2, case[1]).astype(np.float64), rng)


@needs_torch
@settings(max_examples=50)
@given(layers("MaxPool2d"))
def test_global_mean_equals_pytorch(drawn):
    (_, shape, *_), seed = drawn
    rng = np.random.default_rng(seed)
    case = ("GlobalAvgPool2d", shape, None, None, None, None)
    assert_like_torch(case, rng.standard_normal(shape), rng)


@needs_torch
@settings(max_examples=50)
@given(layers("Conv2d"))
def test_float32_is_as_exact_as_pytorch(drawn):
    """Both against float64: our error stays within a few roundings."""
    import torch

    (kind, shape, *geometry), seed = drawn
    layer = our_module(kind, shape[1], *geometry)
    x = np.random.default_rng(seed).standard_normal(shape)
    exact = layer.forward(x)
    y = layer.astype(np.float32).forward(x.astype(np.float32))
    theirs = torch_module(kind, shape[1], *geometry).float()
    for p, q in zip(layer.params.values(), theirs.parameters(), strict=True):
        q.data = torch.tensor(p)
    their_error = np.abs(
        theirs(torch.tensor(x.astype(np.float32))).detach().numpy() - exact
    ).max()
    assert y.dtype == np.float32
    assert np.abs(y - exact).max() <= 4 * their_error + 1e-6 * np.abs(exact).max()
