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

from functools import reduce

import numpy as np

from ._support import check_dtype, check_floating, require
from .layers import Layer, he, softmax
from .training import predict

BLOCK = (
    2**20
)  # numbers of im2col's matrix that Conv2d makes at a time: they stay in the cache


def output_size(size, kernel_size, stride=1, padding=0):
    """How many positions a kernel has along one axis: `(size + 2 padding - kernel_size)
    // stride + 1`.

    Derived in notebooks/03_cnn.ipynb, section *What a convolution is*.
    """
    return (size + 2 * padding - kernel_size) // stride + 1


def im2col(x, kernel_size, stride=1, padding=0):
    """Write the pixels that the kernel meets at one position as one column, for all
    positions.

    Shapes: `(N, C, H, W)` to `(C kh kw, oh ow N)`. Rows run over channel, kernel row
    and kernel column; columns over output row, output column and image. A convolution
    is then `W @ cols`.

    Raises ValueError when the kernel does not fit into the padded image.

    Derived in notebooks/03_cnn.ipynb, section *im2col* (Chellapilla, Puri and Simard,
    2006).
    """
    kernel_size, stride, padding = _pairs(im2col, kernel_size, stride, padding)
    _check_images("im2col", x, kernel_size, padding)
    return _gather(_pad(x, padding), kernel_size, stride)


def col2im(cols, shape, kernel_size, stride=1, padding=0):
    """Add each number of `cols` to the pixel that `im2col` took it from.

    It is the transpose of `im2col`, hence its backward: `sum(im2col(x) c) = sum(x
    col2im(c))`. Shapes: `(C kh kw, oh ow N)` to `shape`, that of the images `(N, C, H,
    W)`.

    Raises ValueError when `cols` is not what `im2col` gives for images of that shape.

    Derived in notebooks/03_cnn.ipynb, section *im2col*.
    """
    kernel_size, stride, padding = _pairs(col2im, kernel_size, stride, padding)
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
    """A layer that sees the image through a window of kh x kw pixels, position by
    position.
    """

    def __init__(self, kernel_size, stride, padding):
        self.kernel_size, self.stride, self.padding = _pairs(
            type(self), kernel_size, stride, padding
        )

    def __repr__(self):
        W = self.params.get("W")
        channels = "" if W is None else f"{W.shape[1]} -> {W.shape[0]}, "
        return (
            f"{type(self).__name__}({channels}kernel {self.kernel_size}, stride {self.stride}, "
            f"padding {self.padding})"
        )


class Conv2d(_Windows):
    """One small kernel for all positions: `y[o] at a position = sum(W[o] * pixels
    there) + b[o]`.

    With `cols = im2col(x)` it is a Linear layer, `y = W cols + b`. So `dW = dy cols^T`,
    `db = sum of dy over images and positions`, `dx = col2im(W^T dy)`. Like every
    framework it correlates: the kernel is not flipped.

    Shapes: `x` is `(N, c_in, H, W)`, `W` is `(c_out, c_in, kh, kw)`, `b` is `(c_out,)`,
    `y` is `(N, c_out, oh, ow)` with `oh = (H + 2 padding - kh) // stride + 1`.
    `kernel_size`, `stride` and `padding` are numbers or pairs (rows, columns); `init`
    as in `Linear`.

    Raises ValueError for other channels, for a kernel larger than the padded image and
    for a stride below 1; TypeError when the dtype of `x` is not that of the weights.

    Derived in notebooks/03_cnn.ipynb, section *A convolution is a Linear layer* (LeCun
    et al., 1989).
    """

    def __init__(
        self,
        c_in,
        c_out,
        kernel_size,
        *,
        stride=1,
        padding=0,
        rng,
        init=he,
        dtype=np.float32,
    ):
        super().__init__(kernel_size, stride, padding)
        kh, kw = self.kernel_size
        W = init((c_out, c_in, kh, kw), c_in * kh * kw, c_out * kh * kw, rng)
        self.params = {"W": W.astype(dtype), "b": np.zeros(c_out, dtype)}

    def forward(self, x):
        W, b = self.params["W"], self.params["b"]
        _check_images(self, x, self.kernel_size, self.padding, channels=W.shape[1])
        check_dtype(self, x, W.dtype)
        padded, W = _pad(x, self.padding), W.reshape(len(W), -1)
        oh, ow = map(
            output_size, x.shape[2:], self.kernel_size, self.stride, self.padding
        )
        y = np.empty((len(W), oh * ow * len(x)), x.dtype)
        for here, rows in self._blocks(padded.shape, oh, ow):
            np.matmul(
                W,
                _gather(padded[:, rows], self.kernel_size, self.stride),
                out=y[:, here],
            )
        y += b[:, None]
        return self._keep(
            y.reshape(len(W), oh, ow, len(x)).transpose(3, 0, 1, 2), padded
        )

    def backward(self, dy):
        padded, W = self._kept(dy), self.params["W"]
        flat, dys = W.reshape(len(W), -1), _pad(dy).reshape(len(W), -1)
        dWT = np.zeros_like(flat.T)
        dpadded = np.zeros_like(padded) if self.needs_input_grad else None
        for here, rows in self._blocks(padded.shape, *dy.shape[2:]):
            dWT += (
                _gather(padded[:, rows], self.kernel_size, self.stride) @ dys[:, here].T
            )
            if self.needs_input_grad:
                _scatter(
                    flat.T @ dys[:, here],
                    dpadded[:, rows],
                    self.kernel_size,
                    self.stride,
                )
        self.grads = {"W": dWT.T.reshape(W.shape), "b": dys.sum(axis=1)}
        return _crop(dpadded, self.padding) if self.needs_input_grad else None

    def _blocks(self, shape, oh, ow):
        """Some output rows at a time: their place in y, and the rows of the image they
        see.
        """
        (kh, kw), stride, row = self.kernel_size, self.stride[0], ow * shape[3]
        step = max(1, BLOCK // max(1, shape[0] * kh * kw * row))
        for top in range(0, oh, step):
            end = min(top + step, oh)
            yield (
                slice(top * row, end * row),
                slice(top * stride, (end - 1) * stride + kh),
            )


class _Pool2d(_Windows):
    def __init__(self, kernel_size, *, stride=None, padding=0):
        super().__init__(
            kernel_size, kernel_size if stride is None else stride, padding
        )
        require(
            all(
                2 * p <= k for p, k in zip(self.padding, self.kernel_size, strict=True)
            ),
            f"{self} expects a padding of at most half the kernel",
        )


class MaxPool2d(_Pool2d):
    """Keep the largest pixel of each window: that a thing was found, not exactly where.

    `dx` is `dy` at that pixel and 0 elsewhere. Where several are largest, the first
    one, row by row, gets the whole gradient, as in PyTorch. Shapes: `(N, C, H, W)` to
    `(N, C, oh, ow)`, sizes as in `Conv2d`. `stride` defaults to the kernel; padding
    never wins.

    Raises ValueError for a kernel larger than the padded image, a stride below 1 and a
    padding of more than half the kernel; TypeError for integer images.

    Derived in notebooks/03_cnn.ipynb, section *Pooling* (Ranzato et al., 2007).
    """

    def forward(self, x):
        _check_images(self, x, self.kernel_size, self.padding)
        padded = _pad(x, self.padding, fill=-np.inf)
        y = reduce(np.maximum, _shifts(padded, self.kernel_size, self.stride))
        return self._keep(y.transpose(3, 0, 1, 2), padded, y)

    def backward(self, dy):
        padded, y = self._kept(dy)
        dy, dpadded = _pad(dy), np.zeros_like(padded)
        shifts = (_shifts(a, self.kernel_size, self.stride) for a in (padded, dpadded))
        waiting = np.ones(y.shape, bool)  # for the first pixel that equals the maximum
        for pixels, dpixels in zip(*shifts, strict=True):
            found = waiting & (pixels == y)
            waiting ^= found
            dpixels += dy * found
        return _crop(dpadded, self.padding)


class AvgPool2d(_Pool2d):
    """The mean of each window; every pixel of it gets `dx = dy / (kh kw)`.

    Shapes: `(N, C, H, W)` to `(N, C, oh, ow)`, sizes as in `Conv2d`. `stride` defaults
    to the kernel; padding counts as zeros, as in PyTorch. Raises as `MaxPool2d`.

    Derived in notebooks/03_cnn.ipynb, section *Pooling* (LeCun et al., 1990).
    """

    def forward(self, x):
        _check_images(self, x, self.kernel_size, self.padding)
        padded = _pad(x, self.padding)
        shifts = _shifts(padded, self.kernel_size, self.stride)
        y = reduce(np.add, shifts) / len(shifts)
        return self._keep(y.transpose(3, 0, 1, 2), padded.shape)

    def backward(self, dy):
        dpadded = np.zeros(self._kept(dy), dy.dtype)
        shifts = _shifts(dpadded, self.kernel_size, self.stride)
        share = _pad(dy) / len(shifts)
        for dpixels in shifts:
            dpixels += share
        return _crop(dpadded, self.padding)


class GlobalAvgPool2d(Layer):
    """The mean of each channel over all positions, whatever the size of the image.

    Shapes: `(N, C, H, W)` to `(N, C)`; `dx = dy / (H W)` everywhere. Raises ValueError
    for other shapes, TypeError for integer images.

    Derived in notebooks/03_cnn.ipynb, section *Pooling* (Lin, Chen and Yan, 2014).
    """

    def forward(self, x):
        _check_images(self, x)
        return self._keep(x.mean(axis=(2, 3)), x.shape)

    def backward(self, dy):
        h, w = self._kept(dy)[2:]
        return np.tile(dy.T[:, None, None] / (h * w), (h, w, 1)).transpose(3, 0, 1, 2)


def local_probabilities(model, images, *, batch_size=None):
    """What a network for patches sees in whole photographs: the mean of all its local
    answers.

    Convolution and pooling work on images of any size: the last layer gives scores `(N,
    classes, h, w)`, one set for each patch. Each patch has its own softmax, and the
    probabilities of the image are their mean: a class that fills half of the image gets
    half. Shapes: `(N, H, W, C)`, whole numbers 0..255 or floats, to `(N, classes)`, as
    LIME asks. `batch_size` defaults to what stays in the cache: a single image when it
    is large.

    Raises ValueError for images of another shape, and when the model does not end with
    scores for each position.

    Derived in notebooks/03_cnn.ipynb, section *Real images*.
    """
    require(
        images.ndim == 4 and images.size > 0,
        f"local_probabilities expects images (N, H, W, C), got {images.shape}",
    )
    x = images.transpose(0, 3, 1, 2)
    if x.dtype.kind in "iu":
        x = x.astype(np.float32) / 255
    scores = predict(model, x, batch_size=batch_size or max(1, BLOCK // images[0].size))
    require(
        scores.ndim == 4,
        "local_probabilities expects scores (N, classes, h, w), the model "
        f"gives {scores.shape}: leave out its last layers",
    )
    return softmax(scores.transpose(0, 2, 3, 1)).mean(axis=(1, 2))


# --------------------------------------------------------------------------- the shifts


def _pad(x, padding=(0, 0), fill=0):
    """Put the batch last and a frame around: (N, C, H, W) -> (C, H + 2p, W + 2q, N)."""
    (p, q), x = padding, np.ascontiguousarray(x.transpose(1, 2, 3, 0))
    return (
        np.pad(x, ((0, 0), (p, p), (q, q), (0, 0)), constant_values=fill)
        if p or q
        else x
    )


def _crop(padded, padding):
    """Take the frame off and put the batch first again."""
    (p, q), (_, h, w, _) = padding, padded.shape
    return padded[:, p : h - p, q : w - q].transpose(3, 0, 1, 2)


def _shifts(padded, kernel_size, stride):
    """For each kernel entry the pixels it meets, a view (C, oh, ow, N) of the padded
    images.
    """
    (kh, kw), (sh, sw), (_, h, w, _) = kernel_size, stride, padded.shape
    return [
        padded[:, i : h - kh + i + 1 : sh, j : w - kw + j + 1 : sw]
        for i in range(kh)
        for j in range(kw)
    ]


def _gather(padded, kernel_size, stride):
    """Stack the shifts: (C, H, W, N) -> (C kh kw, oh ow N)."""
    cols = np.stack(_shifts(padded, kernel_size, stride), axis=1)
    return cols.reshape(cols.shape[0] * cols.shape[1], -1)


def _scatter(cols, padded, kernel_size, stride):
    """Add the stacked shifts to the padded images: `_gather` transposed."""
    shifts = _shifts(padded, kernel_size, stride)
    cols = cols.reshape(len(padded), len(shifts), *shifts[0].shape[1:])
    for k, pixels in enumerate(shifts):
        pixels += cols[:, k]


# ---------------------------------------------------------------------------- bad input


def _pairs(owner, kernel_size, stride, padding):
    """Each as a pair of whole numbers, or a ValueError about the wrong one."""
    pairs = []
    for what, value, low in [
        ("kernel", kernel_size, 1),
        ("stride", stride, 1),
        ("padding", padding, 0),
    ]:
        pair = tuple(value) if np.iterable(value) else (value, value)
        if len(pair) != 2 or not all(
            isinstance(n, (int, np.integer)) and n >= low for n in pair
        ):
            raise ValueError(
                f"{owner.__name__} expects a {what} of at least {low}, a whole "
                f"number or a pair (rows, columns), got {value!r}"
            )
        pairs.append(pair)
    return pairs


def _check_images(layer, x, kernel_size=(1, 1), padding=(0, 0), channels=None):
    if x.ndim != 4 or channels not in (None, x.shape[1]):
        hint = "; x[:, None] makes (N, 1, H, W) of (N, H, W)" if x.ndim == 3 else ""
        raise ValueError(
            f"{layer} expects (N, {channels or 'C'}, H, W), got {x.shape}{hint}"
        )
    h, w = (n + 2 * p for n, p in zip(x.shape[2:], padding, strict=True))
    if h < kernel_size[0] or w < kernel_size[1]:
        raise ValueError(
            f"{layer}: a kernel of {kernel_size[0]}x{kernel_size[1]} does not fit into images "
            f"of {h}x{w}, padding included: x is {x.shape}"
        )
    check_floating(layer, x)
