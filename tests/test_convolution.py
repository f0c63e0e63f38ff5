"""Convolution and pooling against their definitions, written here as plainly as
possible.
"""

import copy
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchml import (
    Adam,
    AvgPool2d,
    Conv2d,
    CrossEntropyLoss,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    accuracy,
    col2im,
    convolution,
    fit,
    glorot,
    gradient_check,
    he,
    im2col,
    output_size,
    predict,
    same,
)

POOLS = (MaxPool2d, AvgPool2d)
sizes = st.integers(1, 3)
pairs = st.tuples(sizes, sizes)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@st.composite
def geometries(draw, pooling=False):
    """A kernel, a stride and a padding, all pairs, and a shape of images that they
    fit.
    """
    kernel, stride = draw(pairs), draw(pairs)
    padding = tuple(draw(st.integers(0, k // 2 if pooling else 2)) for k in kernel)
    least = [max(1, k - 2 * p) for k, p in zip(kernel, padding, strict=True)]
    image = [draw(st.integers(n, n + 5)) for n in least]
    return kernel, stride, padding, (draw(sizes), draw(sizes), *image)


seeds = st.integers(0, 2**32 - 1)


def windows(x, kernel, stride, padding, fill=0.0):
    """Yield (image, output row, output column, the pixels there (C, kh, kw)), by the
    definition.
    """
    (kh, kw), (sh, sw), (p, q) = kernel, stride, padding
    frame = np.pad(x, ((0, 0), (0, 0), (p, p), (q, q)), constant_values=fill)
    for n in range(len(x)):
        for r, top in enumerate(range(0, frame.shape[2] - kh + 1, sh)):
            for c, left in enumerate(range(0, frame.shape[3] - kw + 1, sw)):
                yield n, r, c, frame[n, :, top : top + kh, left : left + kw]


def conv(c_in, c_out, geometry, rng, dtype=np.float64):
    kernel, stride, padding = geometry
    layer = Conv2d(
        c_in, c_out, kernel, stride=stride, padding=padding, rng=rng, dtype=dtype
    )
    layer.params["b"][...] = rng.standard_normal(c_out)
    return layer


def toeplitz(W, stride, padding, image):
    """The matrix of a convolution: one row an input pixel, one column an output, mostly
    zeros.
    """
    c_out, c_in, kh, kw = W.shape
    h, w = image
    oh, ow = (
        (n + 2 * p - k) // s + 1
        for n, k, s, p in zip(image, (kh, kw), stride, padding, strict=True)
    )
    matrix = np.zeros((c_in, h, w, c_out, oh, ow))
    for o, c, i, j, r, q in np.ndindex(c_out, c_in, kh, kw, oh, ow):
        row, column = r * stride[0] + i - padding[0], q * stride[1] + j - padding[1]
        if 0 <= row < h and 0 <= column < w:
            matrix[c, row, column, o, r, q] = W[o, c, i, j]
    return matrix.reshape(c_in * h * w, c_out * oh * ow)


# ----------------------------------------------------------------------- im2col, col2im


@given(geometries(), seeds)
def test_im2col_writes_each_window_as_a_column(geometry, seed):
    *geometry, shape = geometry
    x = np.random.default_rng(seed).standard_normal(shape)
    cols = im2col(x, *geometry)
    oh, ow = map(output_size, shape[2:], *geometry)
    assert cols.shape == (shape[1] * np.prod(geometry[0]), oh * ow * len(x))
    places = cols.reshape(-1, oh, ow, len(x))
    count = 0
    for n, r, c, pixels in windows(x, *geometry):
        np.testing.assert_array_equal(places[:, r, c, n], pixels.ravel())
        count += 1
    assert count == cols.shape[1]


@given(geometries(), seeds)
def test_col2im_is_im2col_transposed(geometry, seed):
    *geometry, shape = geometry
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    cols = im2col(x, *geometry)
    c = rng.standard_normal(cols.shape)
    back = col2im(c, shape, *geometry)
    assert back.shape == shape
    assert np.vdot(cols, c) == pytest.approx(np.vdot(x, back), rel=1e-12, abs=1e-12)


def test_col2im_counts_how_many_windows_see_a_pixel():
    shape = (1, 1, 4, 4)
    seen = col2im(im2col(np.ones(shape), 3), shape, 3)[0, 0]
    np.testing.assert_array_equal(seen, np.outer([1, 2, 2, 1], [1, 2, 2, 1]))


def test_im2col_returns_an_array_of_its_own():
    x = np.arange(12.0).reshape(1, 1, 3, 4)
    for kernel in (1, (2, 3)):
        cols = im2col(x, kernel)
        assert cols.dtype == x.dtype
        assert not np.shares_memory(cols, x)
    np.testing.assert_array_equal(cols[:, 0], [0, 1, 2, 4, 5, 6])


def test_output_size_by_hand():
    assert output_size(28, 5) == 24
    assert output_size(28, 5, padding=2) == 28
    assert output_size(28, 2, stride=2) == output_size(29, 2, stride=2) == 14
    assert output_size(5, 5) == 1


# ------------------------------------------------------------------------------- Conv2d


@given(geometries(), sizes, seeds)
def test_convolution_is_sums_of_products(geometry, c_out, seed):
    *geometry, shape = geometry
    rng = np.random.default_rng(seed)
    layer = conv(shape[1], c_out, geometry, rng)
    W, b = layer.params["W"], layer.params["b"]
    x = rng.standard_normal(shape)
    y = layer.forward(x)
    dy = rng.standard_normal(y.shape)
    dx, dW, db = layer.backward(dy), np.zeros_like(W), np.zeros_like(b)
    numbered = np.arange(1, x.size + 1).reshape(
        shape
    )  # which pixel is where; 0 is padding
    dpixels = np.zeros(x.size + 1)
    for (n, r, c, pixels), (*_, which) in zip(
        windows(x, *geometry), windows(numbered, *geometry), strict=True
    ):
        for o in range(c_out):
            total = (W[o] * pixels).sum() + b[o]
            assert y[n, o, r, c] == pytest.approx(total, rel=1e-12, abs=1e-12)
            dW[o] += dy[n, o, r, c] * pixels
            db[o] += dy[n, o, r, c]
            dpixels[which] += dy[n, o, r, c] * W[o]
    np.testing.assert_allclose(layer.grads["W"], dW, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.grads["b"], db, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dx, dpixels[1:].reshape(shape), rtol=1e-12, atol=1e-12)


@given(geometries(), sizes, seeds)
def test_convolution_is_a_linear_layer(geometry, c_out, seed):
    *geometry, shape = geometry
    rng = np.random.default_rng(seed)
    layer = conv(shape[1], c_out, geometry, rng)
    T = toeplitz(layer.params["W"], *geometry[1:], shape[2:])
    linear = Linear(*T.shape, rng=rng, dtype=np.float64)
    linear.params["W"] = T
    linear.params["b"] = np.repeat(layer.params["b"], T.shape[1] // c_out)
    x = rng.standard_normal(shape)
    y = layer.forward(x)
    np.testing.assert_allclose(
        y.reshape(len(x), -1),
        linear.forward(x.reshape(len(x), -1)),
        rtol=1e-12,
        atol=1e-12,
    )
    dy = rng.standard_normal(y.shape)
    np.testing.assert_allclose(
        layer.backward(dy).reshape(len(x), -1),
        linear.backward(dy.reshape(len(x), -1)),
        rtol=1e-12,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        layer.grads["b"].sum(), linear.grads["b"].sum(), rtol=1e-12, atol=1e-12
    )


@given(geometries(), sizes, seeds, st.integers(1, 400))
def test_blocks_change_nothing(geometry, c_out, seed, numbers):
    """However few rows are computed at a time."""
    *geometry, shape = geometry
    rng = np.random.default_rng(seed)
    layer = conv(shape[1], c_out, geometry, rng)
    x = rng.standard_normal(shape)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for block in (2**40, numbers):
            patch.setattr(convolution, "BLOCK", block)
            y = layer.forward(x)
            dx = layer.backward(np.cos(np.arange(y.size)).reshape(y.shape))
            found.append([y, dx, *layer.grads.values()])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_a_large_photograph_needs_little_memory(rng):
    """im2col's whole matrix would take 79 MB."""
    layer = Conv2d(3, 4, 5, padding=2, rng=rng)
    x = rng.standard_normal((1, 3, 512, 512), dtype=np.float32)
    tracemalloc.start()
    try:
        y = layer.forward(x)
        layer.backward(y)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    assert peak < 25


@settings(max_examples=30)
@given(geometries(), sizes, seeds)
def test_convolution_passes_the_gradient_check(geometry, c_out, seed):
    *geometry, shape = geometry
    rng = np.random.default_rng(seed)
    layer = conv(shape[1], c_out, geometry, rng)
    x = rng.standard_normal(shape)
    y = layer.forward(x)
    layer.backward(np.ones(y.shape))
    if layer.grads["W"].any() and x.size > 1:  # else there is nothing to check
        gradient_check(layer, x, rng=rng, limit=30, tolerance=1e-5)


def test_translation_equivariance(rng):
    """Move the image by the stride, and the output moves by one."""
    layer = Conv2d(2, 3, 3, stride=2, rng=rng, dtype=np.float64)
    x = rng.standard_normal((2, 2, 15, 15))
    y = layer.forward(x)
    moved = layer.forward(np.roll(x, (2, 4), axis=(2, 3)))
    np.testing.assert_allclose(
        moved[:, :, 1:, 2:], y[:, :, :-1, :-2], rtol=1e-13, atol=1e-13
    )


def test_the_kernel_is_not_flipped():
    layer = Conv2d(1, 1, (1, 3), rng=np.random.default_rng(0))
    layer.params["W"][...] = [[[[1, 0, -1]]]]
    y = layer.forward(np.array([[[[5, 0, 0, 2]]]], np.float32))
    np.testing.assert_array_equal(y, [[[[5, -2]]]])


@pytest.mark.parametrize("init", [he, glorot])
def test_weights_are_drawn_for_the_layers_fans(init):
    seen = []

    def watched(shape, fan_in, fan_out, rng):
        seen.append((shape, fan_in, fan_out))
        return init(shape, fan_in, fan_out, rng)

    layer = Conv2d(3, 8, (3, 5), rng=np.random.default_rng(0), init=watched)
    assert seen == [((8, 3, 3, 5), 45, 120)]
    expected = init((8, 3, 3, 5), 45, 120, np.random.default_rng(0)).astype(np.float32)
    np.testing.assert_array_equal(layer.params["W"], expected)
    assert not layer.params["b"].any()


def test_he_keeps_the_signal_level_through_convolutions(rng):
    x = rng.standard_normal((8, 4, 12, 12), dtype=np.float32)
    for _ in range(6):
        x = ReLU().forward(Conv2d(x.shape[1], 32, 3, padding=1, rng=rng).forward(x))
    assert 0.2 < np.sqrt((x**2).mean()) < 3


def test_first_layer_may_save_the_gradient_that_nobody_needs(rng):
    x, y = rng.standard_normal((6, 2, 5, 5)), rng.integers(0, 3, 6)
    model = Sequential(
        Conv2d(2, 4, 3, rng=rng), ReLU(), Flatten(), Linear(36, 3, rng=rng)
    )
    model.astype(np.float64)
    other = copy.deepcopy(model)
    other.layers[0].needs_input_grad = False
    assert Conv2d.needs_input_grad
    dy = rng.standard_normal((6, 3))
    model.forward(x), other.forward(x)
    assert model.backward(dy).shape == x.shape
    assert other.backward(dy) is None
    for name, g in model.gradients().items():
        np.testing.assert_array_equal(g, other.gradients()[name])
    history = fit(
        other,
        CrossEntropyLoss(),
        Adam(0.01),
        (x, y),
        epochs=20,
        batch_size=3,
        rng=rng,
        progress=False,
    )
    assert history["loss"][-1] < history["loss"][0]


# ------------------------------------------------------------------------------ pooling


@given(geometries(pooling=True), seeds, st.booleans())
def test_max_pooling_takes_the_first_largest_pixel(geometry, seed, ties):
    *geometry, shape = geometry
    rng = np.random.default_rng(seed)
    x = rng.integers(-1, 2, shape).astype(float) if ties else rng.standard_normal(shape)
    layer = MaxPool2d(geometry[0], stride=geometry[1], padding=geometry[2])
    y = layer.forward(x)
    dy = rng.standard_normal(y.shape)
    dx = layer.backward(dy)
    numbered = np.arange(1, x.size + 1).reshape(shape)
    dpixels = np.zeros(x.size + 1)
    for (n, r, c, pixels), (*_, which) in zip(
        windows(x, *geometry, fill=-np.inf), windows(numbered, *geometry), strict=True
    ):
        for channel, (values, places) in enumerate(zip(pixels, which, strict=True)):
            best = values.argmax()  # numpy, too, takes the first
            assert y[n, channel, r, c] == values.ravel()[best]
            dpixels[places.ravel()[best]] += dy[n, channel, r, c]
    assert dpixels[0] == 0  # padding never wins
    np.testing.assert_allclose(dx, dpixels[1:].reshape(shape), rtol=1e-13, atol=1e-13)


@given(geometries(pooling=True), seeds)
def test_average_pooling_is_a_convolution_with_equal_weights(geometry, seed):
    kernel, stride, padding, shape = geometry
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    layer = AvgPool2d(kernel, stride=stride, padding=padding)
    one = conv(1, 1, geometry[:3], rng)
    one.params["W"][...], one.params["b"][...] = 1 / np.prod(kernel), 0
    apart = x.reshape(-1, 1, *shape[2:])  # each channel for itself
    y, expected = layer.forward(x), one.forward(apart)
    np.testing.assert_allclose(y, expected.reshape(y.shape), rtol=1e-12, atol=1e-12)
    dy = rng.standard_normal(y.shape)
    np.testing.assert_allclose(
        layer.backward(dy),
        one.backward(dy.reshape(expected.shape)).reshape(shape),
        rtol=1e-12,
        atol=1e-12,
    )


@given(geometries(pooling=True), seeds)
def test_global_mean_is_average_pooling_over_everything(geometry, seed):
    shape = geometry[-1]
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal(shape), rng.standard_normal(shape[:2])
    layer, pool = GlobalAvgPool2d(), AvgPool2d(shape[2:])
    np.testing.assert_allclose(
        layer.forward(x), pool.forward(x)[:, :, 0, 0], rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(
        layer.backward(dy), pool.backward(dy[:, :, None, None]), rtol=1e-12
    )


@settings(max_examples=30)
@given(st.sampled_from(POOLS), geometries(pooling=True), seeds)
def test_pooling_passes_the_gradient_check_away_from_ties(kind, geometry, seed):
    *geometry, shape = geometry
    rng = np.random.default_rng(seed)
    x = (
        rng.permutation(np.prod(shape)).reshape(shape) / 7
    )  # neighbours differ by far more than h
    layer = kind(geometry[0], stride=geometry[1], padding=geometry[2])
    layer.forward(x)
    gradient_check(layer, x, rng=rng, limit=30)


def test_where_all_pixels_are_equal_the_first_gets_the_gradient():
    layer = MaxPool2d(2)
    layer.forward(np.zeros((1, 1, 4, 4)))
    dx = layer.backward(np.array([[[[1.0, 2], [3, 4]]]]))
    expected = [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(dx[0, 0], expected)


def test_overlapping_windows_add_their_gradients():
    layer = MaxPool2d(3, stride=1)
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 2, 2] = 1  # the centre lies in all nine windows
    layer.forward(x)
    dx = layer.backward(np.ones((1, 1, 3, 3)))
    assert dx[0, 0, 2, 2] == 9
    assert dx.sum() == 9


def test_pooling_defaults_to_windows_side_by_side():
    for kind in POOLS:
        assert kind((2, 3)).stride == (2, 3)
        assert kind(2).forward(np.ones((1, 1, 7, 9))).shape == (1, 1, 3, 4)


# ------------------------------------------------------------------------- the contract

LAYERS = {
    "Conv2d": (lambda rng: Conv2d(3, 4, 3, rng=rng), (4, 3, 6, 7)),
    "Conv2d padded": (
        lambda rng: Conv2d(3, 2, (3, 2), stride=2, padding=1, rng=rng),
        (4, 3, 6, 7),
    ),
    "Conv2d 1x1": (lambda rng: Conv2d(3, 4, 1, rng=rng), (1, 3, 4, 5)),
    "MaxPool2d": (lambda rng: MaxPool2d(2), (4, 3, 6, 7)),
    "MaxPool2d overlapping": (
        lambda rng: MaxPool2d(3, stride=2, padding=1),
        (4, 3, 6, 7),
    ),
    "AvgPool2d": (lambda rng: AvgPool2d(3, stride=2, padding=1), (4, 3, 6, 7)),
    "GlobalAvgPool2d": (lambda rng: GlobalAvgPool2d(), (4, 3, 6, 7)),
}


@pytest.fixture(params=LAYERS)
def example(request, rng):
    make, shape = LAYERS[request.param]
    return make(rng).astype(np.float64), rng.standard_normal(shape)


def test_layer_changes_neither_x_nor_dy_nor_weights(example):
    layer, x = example
    before, weights = x.copy(), copy.deepcopy(dict(layer.params))
    y = layer.forward(x)
    dy = np.sin(np.arange(y.size)).reshape(y.shape)
    dy_before = dy.copy()
    layer.backward(dy)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(dy, dy_before)
    for name, p in layer.params.items():
        np.testing.assert_array_equal(p, weights[name])


def test_results_of_two_calls_have_nothing_in_common(example):
    layer, x = example
    found = []
    for scale in (1, 2):
        y = layer.forward(x * scale)
        dy = np.cos(np.arange(y.size)).reshape(y.shape)
        found.append([y, layer.backward(dy), *layer.grads.values()])
    kept = copy.deepcopy(found[0])
    for one in found[0]:
        for other in (*found[1], x, dy, *layer.params.values()):
            assert not np.shares_memory(one, other)
    layer.backward(np.ones_like(layer.forward(x * 3)))
    for one, copied in zip(found[0], kept, strict=True):
        np.testing.assert_array_equal(one, copied)
        one += 1  # and everything may be written to


def test_gradients_are_assigned_and_not_added_up(example):
    layer, x = example
    grads = []
    for _ in range(2):
        y = layer.forward(x)
        dx = layer.backward(np.ones_like(y))
        grads.append([dx, *copy.deepcopy(list(layer.grads.values()))])
    assert layer.grads.keys() == layer.params.keys()
    for one, other in zip(*grads, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(example, dtype):
    layer, x = example
    layer.astype(dtype)
    y = layer.forward(x.astype(dtype))
    dx = layer.backward(np.ones_like(y))
    assert {a.dtype for a in (y, dx, *layer.grads.values())} == {np.dtype(dtype)}
    assert dx.shape == x.shape


def test_backward_wants_a_forward_and_the_outputs_shape(example):
    layer, x = example
    with pytest.raises(RuntimeError, match="backward needs a forward before it"):
        layer.backward(x)
    y = layer.forward(x)
    with pytest.raises(
        ValueError, match=r"expects dy of its output's shape \(.*\), got \(.*\)"
    ):
        layer.backward(np.ones((*y.shape[:-1], y.shape[-1] + 1)))
    layer.backward(y)
    with pytest.raises(RuntimeError, match="one for each backward"):
        layer.backward(y)


@pytest.mark.parametrize(
    "spread",
    [
        lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        lambda a: np.ascontiguousarray(a[:, ::-1])[:, ::-1],
        lambda a: np.asfortranarray(a),
        lambda a: a.T.copy().T,
    ],
    ids=["gaps", "backwards", "fortran", "transposed"],
)
def test_memory_layout_does_not_matter(example, spread):
    layer, x = example
    y = layer.forward(x)
    dy = np.cos(np.arange(y.size)).reshape(y.shape)
    expected = [y, layer.backward(dy), *layer.grads.values()]
    x_other, dy_other = spread(x), spread(dy)
    for array in (x_other, dy_other):
        array.flags.writeable = False  # anybody who writes is caught
    y = layer.forward(x_other)
    found = [y, layer.backward(dy_other), *layer.grads.values()]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def test_each_image_is_treated_alone(example):
    layer, x = example
    y = layer.eval().forward(x)
    alone = np.concatenate([layer.forward(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_allclose(alone, y, rtol=1e-12, atol=1e-13)


def test_no_images_are_fine(example):
    layer, x = example
    y = layer.forward(x[:0])
    assert layer.backward(y).shape == (0, *x.shape[1:])
    assert len(y) == 0


# ---------------------------------------------------------------------------- bad input


def test_wrong_images_are_refused(rng):
    layers = {
        layer: str(layer)
        for layer in (Conv2d(3, 4, 5, rng=rng), MaxPool2d(5), AvgPool2d(5))
    }
    assert (
        "Conv2d(3 -> 4, kernel (5, 5), stride (1, 1), padding (0, 0))"
        in layers.values()
    )
    for layer, name in layers.items():
        for shape in ((8, 9, 9), (9, 9), (2, 3, 3, 9, 9)):
            message = (
                f"{name} expects (N, {3 if 'Conv' in name else 'C'}, H, W), got {shape}"
            )
            with pytest.raises(ValueError, match=re.escape(message)) as caught:
                layer.forward(np.ones(shape, np.float32))
            assert ("x[:, None]" in str(caught.value)) == (len(shape) == 3)
        for shape in ((2, 3, 4, 9), (2, 3, 9, 4)):
            message = (
                f"{name}: a kernel of 5x5 does not fit into images of "
                f"{shape[2]}x{shape[3]}, padding included: x is {shape}"
            )
            with pytest.raises(ValueError, match=re.escape(message)):
                layer.forward(np.ones(shape, np.float32))
        with pytest.raises(TypeError, match=r"uint8: pass x\.astype\(np\.float32\)"):
            layer.forward(np.ones((2, 3, 9, 9), np.uint8))
    for shape in ((2, 1, 9, 9), (2, 4, 9, 9), (2, 9, 9, 3)):
        with pytest.raises(
            ValueError, match=re.escape(f"expects (N, 3, H, W), got {shape}")
        ):
            Conv2d(3, 4, 5, rng=rng).forward(np.ones(shape, np.float32))
    with pytest.raises(
        TypeError, match=r"float32 weights and got float64: pass x\.astype"
    ):
        Conv2d(3, 4, 5, rng=rng).forward(np.ones((2, 3, 9, 9)))
    with pytest.raises(ValueError, match=r"expects \(N, C, H, W\), got \(2, 3\)"):
        GlobalAvgPool2d().forward(np.ones((2, 3)))
    with pytest.raises(TypeError, match="floating-point numbers, got int64"):
        GlobalAvgPool2d().forward(np.ones((2, 3, 4, 4), np.int64))


@pytest.mark.parametrize(
    ("what", "least", "wrong"),
    [
        *(
            ("kernel_size", 1, v)
            for v in (0, -1, (3, 0), 2.5, (1, 2, 3), "5", None, (2.0, 2))
        ),
        *(("stride", 1, v) for v in (0, -2, (1, 0), (1, -1), 0.5, (1,))),
        *(("padding", 0, v) for v in (-1, (0, -1), 1.0, "same", (1, 1, 1))),
    ],
)
def test_wrong_geometry_is_refused(what, least, wrong, rng):
    good = {"kernel_size": 3, "stride": 1, "padding": 0}
    message = (
        f"expects a {what} of at least {least}, an integer or a pair (rows, columns), "
        f"got {wrong!r}"
    )
    x, cols, wrong = np.ones((1, 1, 5, 5)), np.ones((9, 9)), good | {what: wrong}
    kernel = wrong.pop("kernel_size")
    makers = [
        lambda: Conv2d(1, 1, kernel, rng=rng, **wrong),
        lambda: im2col(x, kernel, **wrong),
        lambda: col2im(cols, x.shape, kernel, **wrong),
    ]
    makers += [lambda: MaxPool2d(kernel, **wrong), lambda: AvgPool2d(kernel, **wrong)]
    for make in makers:
        with pytest.raises(ValueError, match=re.escape(message)):
            make()


@pytest.mark.parametrize("kind", POOLS)
def test_pooling_refuses_a_padding_above_half_the_kernel(kind):
    for kernel, padding in ((2, 2), (3, 2), ((4, 2), (2, 2)), (1, 1)):
        with pytest.raises(
            ValueError, match=r"kernel .*padding .*at most half the kernel"
        ):
            kind(kernel, padding=padding)
    kind((4, 2), padding=(2, 1))


def test_im2col_and_col2im_refuse_what_does_not_fit():
    x = np.ones((2, 3, 4, 5))
    with pytest.raises(
        ValueError, match="im2col: a kernel of 5x5 does not fit into images of 4x5"
    ):
        im2col(x, 5)
    with pytest.raises(
        ValueError, match=r"im2col expects \(N, C, H, W\), got \(3, 4, 5\)"
    ):
        im2col(x[0], 2)
    with pytest.raises(
        ValueError, match=r"col2im expects \(12, 24\) for images \(2, 3, 4, 5\)"
    ):
        col2im(im2col(x[:1], 2), x.shape, 2)


# ----------------------------------------------------------------------------- together


class MyConv(Layer):
    """What a learner writes: the definition of `im2col`, one matrix product, and its
    transpose.
    """

    def __init__(self, c_in, c_out, k, rng):
        self.params = {
            "W": rng.standard_normal((c_out, c_in, k, k)),
            "b": np.zeros(c_out),
        }

    def forward(self, x):
        W, b = self.params["W"], self.params["b"]
        self.shape, self.cols = x.shape, im2col(x, W.shape[2:])
        y = W.reshape(len(W), -1) @ self.cols + b[:, None]
        oh, ow = (n - k + 1 for n, k in zip(x.shape[2:], W.shape[2:], strict=True))
        return y.reshape(len(W), oh, ow, len(x)).transpose(3, 0, 1, 2)

    def backward(self, dy):
        W = self.params["W"]
        dy = dy.transpose(1, 2, 3, 0).reshape(len(W), -1)
        self.grads = {"W": (dy @ self.cols.T).reshape(W.shape), "b": dy.sum(axis=1)}
        return col2im(W.reshape(len(W), -1).T @ dy, self.shape, W.shape[2:])


def test_a_learners_convolution_is_the_librarys(rng, capsys):
    x = rng.standard_normal((3, 2, 6, 5))
    gradient_check(MyConv(2, 4, 3, rng), x, rng=rng)
    same(MyConv(2, 4, 3, rng), Conv2d(2, 4, 3, rng=rng), x, rng=rng)
    assert capsys.readouterr().out.count("✓") == 2


def test_a_whole_network_passes_the_gradient_check(rng):
    model = Sequential(
        Conv2d(1, 3, 3, padding=1, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(3, 4, 3, rng=rng),
        ReLU(),
        AvgPool2d(2, stride=1),
        GlobalAvgPool2d(),
        Linear(4, 3, rng=rng),
    )
    gradient_check(model, rng.standard_normal((4, 1, 9, 8)), rng=rng, limit=40)
    assert list(model.parameters()) == ["0.W", "0.b", "3.W", "3.b", "7.W", "7.b"]


def test_a_small_network_learns_where_a_bar_points(rng):
    """Bars anywhere in the image: lying or standing. Position says nothing, neighbours
    say all.
    """
    n = 200
    x, y = np.zeros((n, 1, 9, 9), np.float32), rng.integers(0, 2, n)
    for image, standing in zip(x[:, 0], y, strict=True):
        r, c = rng.integers(0, 7, 2)
        (image.T if standing else image)[r, c : c + 3] = 1
    model = Sequential(
        Conv2d(1, 4, 3, rng=rng), ReLU(), GlobalAvgPool2d(), Linear(4, 2, rng=rng)
    )
    fit(
        model,
        CrossEntropyLoss(),
        Adam(0.03),
        (x[:150], y[:150]),
        epochs=40,
        batch_size=30,
        rng=rng,
        progress=False,
    )
    assert accuracy(predict(model, x[150:]), y[150:]) > 0.95


@pytest.mark.parametrize("shape", [(2, 3, 0, 4), (2, 3, 4, 0)])
def test_an_image_without_pixels_has_no_mean(shape):
    with pytest.raises(ValueError, match="a kernel of 1x1 does not fit into images"):
        GlobalAvgPool2d().forward(np.ones(shape))
