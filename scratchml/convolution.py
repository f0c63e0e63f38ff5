"""Layers for images: the same small detector at every position, and pooling.

Images are `(N, C, H, W)`: N images of C channels, H rows and W columns. One idea
carries it all: a kernel of kh x kw entries meets the image in kh x kw *shifts*, and
each shift is a plain slice of the padded image. `im2col` stacks the shifts, and
convolution becomes one matrix product; `col2im` adds them back; pooling takes their
maximum or their mean.

In memory the batch comes last, `(C, H, W, N)`: slices are then long runs of
neighbouring numbers, and the result goes out as a transposed view, `(N, C, H, W)`
again, at no cost.
"""

from collections.abc import Callable
from functools import reduce
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from ._support import Array, check_dtype, check_floating, require
from .layers import Layer, he, softmax
from .training import predict

Size: TypeAlias = int | tuple[int, int]

# Conv2d makes at most so many numbers of im2col's matrix at a time: they fit the cache.
BLOCK = 2**20


def output_size(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> int:
    """How many positions a kernel has along one axis.

    That is `(size + 2 padding - kernel_size) // stride + 1`.

    Derived in notebooks/03_cnn.ipynb, section *What a convolution is*.

    >>> output_size(28, 5)
    24
    >>> output_size(28, 5, padding=2)
    28
    >>> output_size(28, 2, stride=2)
    14
    """
    return (size + 2 * padding - kernel_size) // stride + 1


def im2col(x: Array, kernel_size: Size, stride: Size = 1, padding: Size = 0) -> Array:
    """Write the pixels that the kernel meets at each position as one column.

    Shapes: `(N, C, H, W)` to `(C kh kw, oh ow N)`. Rows run over channel, kernel row
    and kernel column; columns over output row, output column and image. A convolution
    is then `W @ cols`. `kernel_size`, `stride` and `padding` are integers or pairs
    (rows, columns).

    Raises ValueError if the kernel does not fit into the padded image.

    Derived in notebooks/deeper/03_cnn.ipynb, section *im2col in full* (Chellapilla,
    Puri and Simard, 2006).

    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> im2col(x, 2)  # the first column is the patch at the top left
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.],
           [3., 4., 6., 7.],
           [4., 5., 7., 8.]])
    """
    kernel_size, stride, padding = _pairs("im2col", kernel_size, stride, padding)
    _check_images("im2col", x, kernel_size, padding)
    return _gather(_pad(x, padding), kernel_size, stride)


def col2im(
    cols: Array,
    shape: tuple[int, int, int, int],
    kernel_size: Size,
    stride: Size = 1,
    padding: Size = 0,
) -> Array:
    """Add each number of `cols` to the pixel that `im2col` took it from.

    It is the transpose of `im2col`, hence its backward: `sum(im2col(x) c) = sum(x
    col2im(c))`. Shapes: `(C kh kw, oh ow N)` to `shape`, that of the images
    `(N, C, H, W)`.

    Raises ValueError if `cols` is not what `im2col` gives for images of that shape.

    Derived in notebooks/deeper/03_cnn.ipynb, section *im2col in full*.

    >>> ones = np.ones((4, 4))  # in how many of the four 2 x 2 windows a pixel lies
    >>> col2im(ones, (1, 1, 3, 3), 2)[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    kernel_size, stride, padding = _pairs("col2im", kernel_size, stride, padding)
    check_floating("col2im", cols)
    padded = _pad(np.zeros(shape, cols.dtype), padding)
    shifts = _shifts(padded, kernel_size, stride)
    expected = len(padded) * len(shifts), shifts[0][0].size
    require(
        cols.shape == expected,
        f"col2im expects {expected} for images {shape}, got {cols.shape}",
    )
    _scatter(cols, padded, kernel_size, stride)
    return _crop(padded, padding)


class _Windows(Layer):
    """A layer that sees the image through a window, position by position."""

    def __init__(self, kernel_size: Size, stride: Size, padding: Size) -> None:
        pairs = _pairs(type(self).__name__, kernel_size, stride, padding)
        self.kernel_size, self.stride, self.padding = pairs

    def _geometry(self) -> str:
        return (
            f"kernel {self.kernel_size}, stride {self.stride}, padding {self.padding}"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._geometry()})"


class Conv2d(_Windows):
    """One small kernel for all positions: `y[o] = sum(W[o] * pixels there) + b[o]`.

    With `cols = im2col(x)` it is a Linear layer, `y = W cols + b`. So `dW = dy cols^T`,
    `db = sum of dy over images and positions`, `dx = col2im(W^T dy)`. Like every
    framework it correlates: the kernel is not flipped.

    Shapes: `x` is `(N, c_in, H, W)`, `W` is `(c_out, c_in, kh, kw)`, `b` is `(c_out,)`,
    `y` is `(N, c_out, oh, ow)` with sizes as in `output_size`. `kernel_size`, `stride`
    and `padding` are integers or pairs (rows, columns); `init` as in `Linear`.

    Raises ValueError if `x` has other channels, if the kernel is larger than the padded
    image, or for a stride below 1; TypeError if the dtype of `x` is not that of the
    weights.

    Derived in notebooks/03_cnn.ipynb, section *A convolution is a Linear layer* (LeCun
    et al., 1989).

    >>> layer = Conv2d(3, 8, 5, padding=2, rng=np.random.default_rng(0))
    >>> layer.forward(np.zeros((10, 3, 28, 28), np.float32)).shape
    (10, 8, 28, 28)
    >>> layer.params["W"].shape, layer.params["b"].shape
    ((8, 3, 5, 5), (8,))
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel_size: Size,
        *,
        stride: Size = 1,
        padding: Size = 0,
        rng: Generator,
        init: Callable[..., Array] = he,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        kh, kw = self.kernel_size
        shape = (c_out, c_in, kh, kw)
        W = init(shape, c_in * kh * kw, c_out * kh * kw, rng)
        b = np.zeros(c_out, dtype)
        self.params = {"W": W.astype(dtype), "b": b}

    def forward(self, x: Array) -> Array:
        c_out, c_in = self.params["W"].shape[:2]
        _check_images(self, x, self.kernel_size, self.padding, channels=c_in)
        check_dtype(self, x, self.params["W"].dtype)
        W = self.params["W"].reshape(c_out, -1)  # (c_out, c_in kh kw)
        padded = _pad(x, self.padding)
        oh, ow = self._output_sizes(padded)
        N = len(x)
        y = np.empty((c_out, oh * ow * N), x.dtype)
        window = self.kernel_size, self.stride
        for positions, rows in self._blocks(padded, oh, ow):
            cols = _gather(padded[:, rows], *window)
            np.matmul(W, cols, out=y[:, positions])
        y += self.params["b"][:, None]
        maps = y.reshape(c_out, oh, ow, N)
        return self._keep(_batch_first(maps), padded)

    def backward(self, dy: Array) -> Array | None:
        padded = self._kept(dy)
        oh, ow = dy.shape[2:]
        c_out = len(self.params["W"])
        W = self.params["W"].reshape(c_out, -1)
        dy = _pad(dy).reshape(c_out, -1)  # (c_out, oh ow N)
        dW_T = np.zeros_like(W.T)
        dpadded = np.zeros_like(padded) if self.needs_input_grad else None
        window = self.kernel_size, self.stride
        for positions, rows in self._blocks(padded, oh, ow):
            cols = _gather(padded[:, rows], *window)
            dW_T += cols @ dy[:, positions].T
            if dpadded is not None:
                dcols = W.T @ dy[:, positions]
                _scatter(dcols, dpadded[:, rows], *window)
        dW = dW_T.T.reshape(self.params["W"].shape)
        self.grads = {"W": dW, "b": dy.sum(axis=1)}
        return None if dpadded is None else _crop(dpadded, self.padding)

    def _output_sizes(self, padded):
        h, w = padded.shape[1:3]
        oh = output_size(h, self.kernel_size[0], self.stride[0])
        ow = output_size(w, self.kernel_size[1], self.stride[1])
        return oh, ow

    def _blocks(self, padded, oh, ow):
        """A few output rows at a time: their positions, and the image rows they see."""
        C, _, _, N = padded.shape
        kh, kw = self.kernel_size
        stride = self.stride[0]
        one_row = C * kh * kw * ow * N  # numbers of im2col's matrix
        step = max(1, BLOCK // max(1, one_row))
        for top in range(0, oh, step):
            end = min(top + step, oh)
            positions = slice(top * ow * N, end * ow * N)
            rows = slice(top * stride, (end - 1) * stride + kh)
            yield positions, rows

    def __repr__(self) -> str:
        c_out, c_in = self.params["W"].shape[:2]
        return f"Conv2d({c_in} -> {c_out}, {self._geometry()})"


class Pool2d(_Windows):
    """Pooling moves by the size of its window, unless it is told otherwise."""

    def __init__(
        self, kernel_size: Size, *, stride: Size | None = None, padding: Size = 0
    ) -> None:
        super().__init__(
            kernel_size, kernel_size if stride is None else stride, padding
        )
        kh, kw = self.kernel_size
        p, q = self.padding
        require(
            2 * p <= kh and 2 * q <= kw,
            f"{self} expects a padding of at most half the kernel",
        )


class MaxPool2d(Pool2d):
    """Keep the largest pixel of each window: that a thing was found, not exactly where.

    `dx` is `dy` at that pixel and 0 elsewhere. Where several are largest, the first
    one, row by row, gets the whole gradient, as in PyTorch. Shapes: `(N, C, H, W)` to
    `(N, C, oh, ow)`, sizes as in `output_size`. `stride` is by default the kernel's
    size; padding never wins.

    Raises ValueError if the kernel is larger than the padded image, for a stride below
    1 or a padding of more than half the kernel; TypeError for integer images.

    Derived in notebooks/deeper/03_cnn.ipynb, section *Pooling, ties and means* (Ranzato
    et al., 2007).

    >>> x = np.array([[1.0, 2, 5, 6], [3, 4, 8, 7]]).reshape(1, 1, 2, 4)
    >>> MaxPool2d(2).forward(x)
    array([[[[4., 8.]]]])
    """

    def forward(self, x: Array) -> Array:
        _check_images(self, x, self.kernel_size, self.padding)
        kh, kw = self.kernel_size
        sh, sw = self.stride
        padded = _pad(x, self.padding, fill=-np.inf)
        # The maximum of each column of the window, then the maximum of those.
        columns = reduce(np.maximum, _shifts(padded, (kh, 1), (sh, 1)))
        y = reduce(np.maximum, _shifts(columns, (1, kw), (1, sw)))
        return self._keep(_batch_first(y), padded, y)

    def backward(self, dy: Array) -> Array:
        padded, y = self._kept(dy)
        dy = _pad(dy)
        dpadded = np.zeros_like(padded)
        waiting = np.ones(y.shape, bool)  # for the first pixel that equals the maximum
        shifts = _shifts(padded, self.kernel_size, self.stride)
        dshifts = _shifts(dpadded, self.kernel_size, self.stride)
        for pixels, dpixels in zip(shifts, dshifts, strict=True):
            found = waiting & (pixels == y)
            waiting ^= found
            dpixels += dy * found
        return _crop(dpadded, self.padding)


class AvgPool2d(Pool2d):
    """The mean of each window; every pixel of it gets `dx = dy / (kh kw)`.

    Shapes: `(N, C, H, W)` to `(N, C, oh, ow)`, sizes as in `output_size`. `stride` is
    by default the kernel's size; padding counts as zeros, as in PyTorch. Raises as
    `MaxPool2d`.

    Derived in notebooks/deeper/03_cnn.ipynb, section *Pooling, ties and means* (LeCun
    et al., 1990).
    """

    def forward(self, x: Array) -> Array:
        _check_images(self, x, self.kernel_size, self.padding)
        padded = _pad(x, self.padding)
        shifts = _shifts(padded, self.kernel_size, self.stride)
        y = reduce(np.add, shifts) / len(shifts)
        return self._keep(_batch_first(y), padded.shape)

    def backward(self, dy: Array) -> Array:
        dpadded = np.zeros(self._kept(dy), dy.dtype)
        shifts = _shifts(dpadded, self.kernel_size, self.stride)
        share = _pad(dy) / len(shifts)
        for dpixels in shifts:
            dpixels += share
        return _crop(dpadded, self.padding)


class GlobalAvgPool2d(Layer):
    """The mean of each channel over all positions, whatever the size of the image.

    Shapes: `(N, C, H, W)` to `(N, C)`; `dx = dy / (H W)` everywhere. Raises ValueError
    if `x` has the wrong shape, TypeError for integer images.

    Derived in notebooks/deeper/03_cnn.ipynb, section *Pooling, ties and means* (Lin,
    Chen and Yan, 2014).
    """

    def forward(self, x: Array) -> Array:
        _check_images(self, x)
        return self._keep(x.mean(axis=(2, 3)), x.shape)

    def backward(self, dy: Array) -> Array:
        h, w = self._kept(dy)[2:]
        share = dy.T[:, None, None] / (h * w)  # (C, 1, 1, N)
        return _batch_first(np.tile(share, (h, w, 1)))


def local_probabilities(
    model: Layer, images: Array, *, batch_size: int | None = None
) -> Array:
    """What a network for patches sees in whole photographs: the mean of its answers.

    Convolution and pooling work on images of any size: the last layer gives scores
    `(N, classes, h, w)`, one set for each patch. Each patch has its own softmax, and
    the probabilities of the image are their mean: a class that fills half of the image
    gets half. Shapes: `(N, H, W, C)`, integers 0..255 or floats, to `(N, classes)`, as
    LIME asks. `batch_size` is by default what stays in the cache: a single image if it
    is large.

    Raises ValueError if `images` has the wrong shape, or if the model does not end with
    scores for each position.

    Derived in notebooks/deeper/03_cnn.ipynb, section *How a network cheats*.
    """
    require(
        images.ndim == 4 and images.size > 0,
        f"local_probabilities expects images (N, H, W, C), got {images.shape}",
    )
    x = images.transpose(0, 3, 1, 2)
    if x.dtype.kind in "iu":
        x = x.astype(np.float32) / 255
    if batch_size is None:
        batch_size = max(1, BLOCK // images[0].size)
    scores = predict(model, x, batch_size=batch_size)
    require(
        scores.ndim == 4,
        "local_probabilities expects scores (N, classes, h, w), the model "
        f"gives {scores.shape}: leave out its last layers",
    )
    p = softmax(scores.transpose(0, 2, 3, 1))  # (N, h, w, classes)
    return p.mean(axis=(1, 2))


# --------------------------------------------------------------------------- the shifts


def _batch_first(maps):
    """(C, H, W, N) -> (N, C, H, W), a view."""
    return maps.transpose(3, 0, 1, 2)


def _pad(x, padding=(0, 0), fill=0.0):
    """The batch last, and a frame around: (N, C, H, W) -> (C, H + 2p, W + 2q, N)."""
    maps = np.ascontiguousarray(x.transpose(1, 2, 3, 0))
    if padding == (0, 0):
        return maps
    p, q = padding
    frame = [(0, 0), (p, p), (q, q), (0, 0)]
    return np.pad(maps, frame, constant_values=fill)


def _crop(padded, padding):
    """Take the frame off and put the batch first again."""
    p, q = padding
    h, w = padded.shape[1:3]
    return _batch_first(padded[:, p : h - p, q : w - q])


def _shifts(padded, kernel_size, stride):
    """For each kernel entry the pixels it meets: views (C, oh, ow, N)."""
    kh, kw = kernel_size
    sh, sw = stride
    h, w = padded.shape[1:3]
    shifts = []
    for i in range(kh):
        for j in range(kw):
            rows = slice(i, h - kh + i + 1, sh)
            columns = slice(j, w - kw + j + 1, sw)
            shifts.append(padded[:, rows, columns])
    return shifts


def _gather(padded, kernel_size, stride):
    """Stack the shifts: (C, H, W, N) -> (C kh kw, oh ow N)."""
    shifts = _shifts(padded, kernel_size, stride)
    cols = np.stack(shifts, axis=1)
    return cols.reshape(len(padded) * len(shifts), -1)


def _scatter(cols, padded, kernel_size, stride):
    """Add the stacked shifts to the padded images: `_gather` transposed."""
    shifts = _shifts(padded, kernel_size, stride)
    C, oh, ow, N = shifts[0].shape
    cols = cols.reshape(C, len(shifts), oh, ow, N)
    for k, pixels in enumerate(shifts):
        pixels += cols[:, k]


# ---------------------------------------------------------------------------- bad input


def _pairs(name, kernel_size, stride, padding):
    """Each as a pair of integers, or a ValueError about the wrong one."""
    return (
        _pair(name, "kernel_size", kernel_size, least=1),
        _pair(name, "stride", stride, least=1),
        _pair(name, "padding", padding, least=0),
    )


def _pair(name, what, value, least):
    pair = tuple(value) if np.iterable(value) else (value, value)
    good = [isinstance(n, int | np.integer) and n >= least for n in pair]
    if good != [True, True]:
        raise ValueError(
            f"{name} expects a {what} of at least {least}, an integer "
            f"or a pair (rows, columns), got {value!r}"
        )
    return pair


def _check_images(layer, x, kernel_size=(1, 1), padding=(0, 0), channels=None):
    if x.ndim != 4 or channels not in (None, x.shape[1]):
        hint = "; x[:, None] makes (N, 1, H, W) of (N, H, W)" if x.ndim == 3 else ""
        raise ValueError(
            f"{layer} expects (N, {channels or 'C'}, H, W), got {x.shape}{hint}"
        )
    h = x.shape[2] + 2 * padding[0]
    w = x.shape[3] + 2 * padding[1]
    kh, kw = kernel_size
    if h < kh or w < kw:
        raise ValueError(
            f"{layer}: a kernel of {kh}x{kw} does not fit into images "
            f"of {h}x{w}, padding included: x is {x.shape}"
        )
    check_floating(layer, x)
