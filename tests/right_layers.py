"""Right layers and losses, as learners and readers write them: no check may refuse one.

Each entry of RIGHT builds (layer, x, *targets) anew. What makes it worth a place stands
in its name.
"""

import copy
import math

import numpy as np

from scratchml import Dropout, Layer, Linear, Loss, ReLU, Sequential, Tanh, datasets


def generator(seed=0):
    return np.random.default_rng(seed)


def normal(*shape, seed=7):
    return generator(seed).standard_normal(shape)


# ------------------------------------------------------------------- layers with weights


class MyLinear(Layer):
    def __init__(self, n_in, n_out):
        self.params = {
            "W": normal(n_in, n_out, seed=1) / math.sqrt(n_in),
            "b": np.zeros(n_out),
        }

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dy):
        self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
        return dy @ self.params["W"].T


class EinsumLinear(MyLinear):
    def backward(self, dy):
        dW = np.einsum("ni,nj->ij", self.x, dy)
        db = np.einsum("nj->j", dy)
        self.grads = {"W": dW, "b": db}
        return np.einsum("nj,ij->ni", dy, self.params["W"])


class LoopedLinear(MyLinear):
    def backward(self, dy):
        dW = np.zeros_like(self.params["W"])
        db = np.zeros_like(self.params["b"])
        dx = np.zeros_like(self.x)
        for n in range(len(dy)):
            dW += np.outer(self.x[n], dy[n])
            db += dy[n]
            dx[n] = self.params["W"] @ dy[n]
        self.grads = {"W": dW, "b": db}
        return dx


class AliasLinear(MyLinear):
    """The weights have a second name, self.W; the optimizer changes them in place."""

    def __init__(self, n_in, n_out):
        super().__init__(n_in, n_out)
        self.W = self.params["W"]

    def forward(self, x):
        self.x = x
        return x @ self.W + self.params["b"]


class ReusedGrads(MyLinear):
    """The same gradient arrays in every call, filled anew."""

    def __init__(self, n_in, n_out):
        super().__init__(n_in, n_out)
        self.grads = {name: np.zeros_like(p) for name, p in self.params.items()}

    def backward(self, dy):
        self.grads["W"][...] = self.x.T @ dy
        self.grads["b"][...] = dy.sum(axis=0)
        return dy @ self.params["W"].T


class Float32Linear(MyLinear):
    def __init__(self, n_in, n_out):
        super().__init__(n_in, n_out)
        self.params = {name: p.astype(np.float32) for name, p in self.params.items()}


class PlainLinear:
    """No base class at all, only the four names."""

    def __init__(self, n_in, n_out):
        self.params = {"W": normal(n_in, n_out), "b": np.zeros(n_out)}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dy):
        self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
        return dy @ self.params["W"].T


class PlainTanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)


class Zeros(MyLinear):
    """A head that starts at zero, as in a GPT: dx is zero before the first step."""

    def __init__(self, n_in, n_out):
        super().__init__(n_in, n_out)
        self.params["W"][...] = 0


class WeightNorm(Layer):
    """y = x V g / |V|, column by column."""

    def __init__(self, n_in, n_out):
        self.params = {"V": normal(n_in, n_out), "g": np.ones(n_out)}

    def forward(self, x):
        V, g = self.params["V"], self.params["g"]
        self.length = np.sqrt((V**2).sum(axis=0))
        self.x = x
        return x @ (V / self.length * g)

    def backward(self, dy):
        V, g = self.params["V"], self.params["g"]
        direction = V / self.length
        dW = self.x.T @ dy
        dg = (dW * direction).sum(axis=0)
        dV = g / self.length * (dW - direction * dg)
        self.grads = {"V": dV, "g": dg}
        return dy @ (direction * g).T


class MyEmbedding(Layer):
    def __init__(self, n, width):
        self.params = {"W": normal(n, width)}

    def forward(self, ids):
        self.ids = ids
        return self.params["W"][ids]

    def backward(self, dy):
        dW = np.zeros_like(self.params["W"])
        np.add.at(dW, self.ids, dy)
        self.grads = {"W": dW}
        return None


class PReLU(Layer):
    def __init__(self, n):
        self.params = {"slope": np.full(n, 0.25)}

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.params["slope"] * x)

    def backward(self, dy):
        below = np.where(self.x > 0, 0, self.x)
        self.grads = {"slope": (dy * below).sum(axis=0)}
        return np.where(self.x > 0, dy, self.params["slope"] * dy)


class Scaled(Layer):
    """y = x / sqrt(v): the parameter is a variance and must stay positive."""

    def __init__(self, n):
        self.params = {"v": np.full(n, 0.05)}

    def forward(self, x):
        self.x = x
        return x / np.sqrt(self.params["v"])

    def backward(self, dy):
        v = self.params["v"]
        self.grads = {"v": -0.5 * (dy * self.x).sum(axis=0) * v**-1.5}
        return dy / np.sqrt(v)


class Temperature(Layer):
    """One number for all, as an array without axes."""

    def __init__(self):
        self.params = {"T": np.array(2.0)}

    def forward(self, x):
        self.x = x
        return x / self.params["T"]

    def backward(self, dy):
        T = self.params["T"]
        self.grads = {"T": -(dy * self.x).sum() / T**2}
        return dy / T


class FiLM(Layer):
    """y = x (1 + gamma) + beta, both 0 at first."""

    def __init__(self, n):
        self.params = {"gamma": np.zeros(n), "beta": np.zeros(n)}

    def forward(self, x):
        self.x = x
        return x * (1 + self.params["gamma"]) + self.params["beta"]

    def backward(self, dy):
        self.grads = {"gamma": (dy * self.x).sum(axis=0), "beta": dy.sum(axis=0)}
        return dy * (1 + self.params["gamma"])


# ------------------------------------------------------------------------- element-wise


class Elementwise(Layer):
    """A function of each number; `slope` is its derivative at x."""

    def forward(self, x):
        self.x = x
        return self.function(x)

    def backward(self, dy):
        return dy * self.slope(self.x)


class MyTanh(Layer):
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)


class MySigmoid(Layer):
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, dy):
        return dy * self.y * (1 - self.y)


class MyReLU(Layer):
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dy):
        return dy * (self.x > 0)


class MaskReLU(MyReLU):
    def backward(self, dy):
        dx = dy.copy()
        dx[self.x <= 0] = 0
        return dx


class IntegerReLU(MyReLU):
    """float32 times int64 is float64: right, and a hint."""

    def backward(self, dy):
        return dy * (self.x > 0).astype(int)


class Softplus(Elementwise):
    def function(self, x):
        return np.log1p(np.exp(x))

    def slope(self, x):
        return 1 / (1 + np.exp(-x))


class Logarithm(Elementwise):
    """Positive numbers only."""

    def function(self, x):
        return np.log(x)

    def slope(self, x):
        return 1 / x


class Logit(Elementwise):
    """Probabilities only, strictly between 0 and 1."""

    def function(self, x):
        return np.log(x / (1 - x))

    def slope(self, x):
        return 1 / (x * (1 - x))


class Arcsine(Elementwise):
    def function(self, x):
        return np.arcsin(x)

    def slope(self, x):
        return 1 / np.sqrt(1 - x**2)


class Swish(Elementwise):
    def function(self, x):
        return x / (1 + np.exp(-x))

    def slope(self, x):
        s = 1 / (1 + np.exp(-x))
        return s + x * s * (1 - s)


class Gelu(Elementwise):
    """With np.sqrt of a single number, which makes float64 of float32."""

    root = np.sqrt(2 / np.pi)

    def function(self, x):
        return 0.5 * x * (1 + np.tanh(self.root * (x + 0.044715 * x**3)))

    def slope(self, x):
        t = np.tanh(self.root * (x + 0.044715 * x**3))
        inner = self.root * (1 + 3 * 0.044715 * x**2)
        return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner


class HardTanh(Elementwise):
    def function(self, x):
        return np.clip(x, -1, 1)

    def slope(self, x):
        return np.abs(x) < 1


class Square(Elementwise):
    def function(self, x):
        return x * x

    def slope(self, x):
        return 2 * x


# ------------------------------------------------------------ numbers that see each other


class MySoftmax(Layer):
    def forward(self, x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        self.p = e / e.sum(axis=-1, keepdims=True)
        return self.p

    def backward(self, dy):
        return self.p * (dy - (dy * self.p).sum(axis=-1, keepdims=True))


class Cumulative(Layer):
    def forward(self, x):
        return np.cumsum(x, axis=-1)

    def backward(self, dy):
        return np.cumsum(dy[..., ::-1], axis=-1)[..., ::-1]


class Shares(Layer):
    """Each row divided by its sum: positive numbers only."""

    def forward(self, x):
        self.total = x.sum(axis=1, keepdims=True)
        self.y = x / self.total
        return self.y

    def backward(self, dy):
        return (dy - (dy * self.y).sum(axis=1, keepdims=True)) / self.total


class UnitLength(Layer):
    def forward(self, x):
        self.length = np.sqrt((x**2).sum(axis=1, keepdims=True))
        self.y = x / self.length
        return self.y

    def backward(self, dy):
        return (dy - self.y * (dy * self.y).sum(axis=1, keepdims=True)) / self.length


class Turn(Layer):
    """Axes exchanged: dx and x are views of each other's kind."""

    def forward(self, x):
        return x.swapaxes(1, 2)

    def backward(self, dy):
        return dy.swapaxes(1, 2)


class MyFlatten(Layer):
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.shape)


class Last(Layer):
    """Only the last step goes on: most of dx is 0."""

    def forward(self, x):
        self.shape = x.shape
        return x[:, -1]

    def backward(self, dy):
        dx = np.zeros(self.shape, dy.dtype)
        dx[:, -1] = dy
        return dx


# ----------------------------------------------------------------------------- normalise


class MyBatchNorm(Layer):
    def __init__(self, n):
        self.params = {"gamma": np.ones(n), "beta": np.zeros(n)}
        self.buffers = {"mean": np.zeros(n), "var": np.ones(n)}

    def forward(self, x):
        mean, var = self.buffers["mean"], self.buffers["var"]
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.buffers["mean"] = 0.9 * self.buffers["mean"] + 0.1 * mean
            self.buffers["var"] = 0.9 * self.buffers["var"] + 0.1 * var
        self.std = np.sqrt(var + 1e-5)
        self.xhat = (x - mean) / self.std
        return self.params["gamma"] * self.xhat + self.params["beta"]

    def backward(self, dy):
        self.grads = {"gamma": (dy * self.xhat).sum(axis=0), "beta": dy.sum(axis=0)}
        dxhat = dy * self.params["gamma"]
        if self.training:
            along = self.xhat * (dxhat * self.xhat).mean(axis=0)
            dxhat = dxhat - dxhat.mean(axis=0) - along
        return dxhat / self.std


class AttributeBatchNorm(MyBatchNorm):
    """The running averages are plain attributes, changed in place."""

    def __init__(self, n):
        super().__init__(n)
        self.buffers = {}
        self.mean, self.var = np.zeros(n), np.ones(n)

    def forward(self, x):
        mean, var = self.mean, self.var
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.mean += 0.1 * (mean - self.mean)
            self.var += 0.1 * (var - self.var)
        self.std = np.sqrt(var + 1e-5)
        self.xhat = (x - mean) / self.std
        return self.params["gamma"] * self.xhat + self.params["beta"]


class MyLayerNorm(Layer):
    def __init__(self, n):
        self.params = {"gamma": np.ones(n), "beta": np.zeros(n)}

    def forward(self, x):
        centred = x - x.mean(axis=-1, keepdims=True)
        self.std = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        self.xhat = centred / self.std
        return self.params["gamma"] * self.xhat + self.params["beta"]

    def backward(self, dy):
        rows = tuple(range(dy.ndim - 1))
        self.grads = {
            "gamma": (dy * self.xhat).sum(axis=rows),
            "beta": dy.sum(axis=rows),
        }
        dxhat = dy * self.params["gamma"]
        mean = dxhat.mean(axis=-1, keepdims=True)
        along = self.xhat * (dxhat * self.xhat).mean(axis=-1, keepdims=True)
        return (dxhat - mean - along) / self.std


class RMSNorm(Layer):
    def __init__(self, n):
        self.params = {"gamma": np.ones(n)}

    def forward(self, x):
        self.root = np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)
        self.xhat = x / self.root
        return self.params["gamma"] * self.xhat

    def backward(self, dy):
        self.grads = {"gamma": (dy * self.xhat).sum(axis=0)}
        dxhat = dy * self.params["gamma"]
        along = self.xhat * (dxhat * self.xhat).mean(axis=-1, keepdims=True)
        return (dxhat - along) / self.root


# -------------------------------------------------------------- attention, time, images


class Attention(Layer):
    """One head over x (N, T, D), with biases: the key's moves all scores of a row."""

    def __init__(self, d):
        self.params = {}
        for seed, name in enumerate("QKV"):
            self.params["W" + name] = normal(d, d, seed=seed) / math.sqrt(d)
            self.params["b" + name] = np.zeros(d)

    def forward(self, x):
        p = self.params
        self.x = x
        self.Q = x @ p["WQ"] + p["bQ"]
        self.K = x @ p["WK"] + p["bK"]
        self.V = x @ p["WV"] + p["bV"]
        scores = self.Q @ self.K.swapaxes(1, 2) / math.sqrt(x.shape[-1])
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        self.A = e / e.sum(axis=-1, keepdims=True)
        return self.A @ self.V

    def backward(self, dy):
        dA = dy @ self.V.swapaxes(1, 2)
        dscores = self.A * (dA - (dA * self.A).sum(axis=-1, keepdims=True))
        dscores = dscores / math.sqrt(self.x.shape[-1])
        inner = {
            "Q": dscores @ self.K,
            "K": dscores.swapaxes(1, 2) @ self.Q,
            "V": self.A.swapaxes(1, 2) @ dy,
        }
        dx = np.zeros_like(self.x)
        self.grads = {}
        for name, d in inner.items():
            self.grads["W" + name] = np.einsum("nti,ntj->ij", self.x, d)
            self.grads["b" + name] = d.sum(axis=(0, 1))
            dx += d @ self.params["W" + name].T
        return dx


class MyRNN(Layer):
    def __init__(self, d, h):
        self.params = {
            "W_xh": normal(d, h, seed=1) / math.sqrt(d),
            "W_hh": normal(h, h, seed=2) / math.sqrt(h),
            "b": np.zeros(h),
        }

    def forward(self, x):
        W_xh, W_hh, b = self.params.values()
        self.x, self.h = x, [np.zeros((len(x), len(b)), x.dtype)]
        for t in range(x.shape[1]):
            self.h.append(np.tanh(x[:, t] @ W_xh + self.h[t] @ W_hh + b))
        return np.stack(self.h[1:], axis=1)

    def backward(self, dy):
        W_xh, W_hh, _ = self.params.values()
        self.grads = {name: np.zeros_like(p) for name, p in self.params.items()}
        dx, back = np.zeros_like(self.x), 0
        for t in reversed(range(dy.shape[1])):
            da = (dy[:, t] + back) * (1 - self.h[t + 1] ** 2)
            dx[:, t], back = da @ W_xh.T, da @ W_hh.T
            self.grads["W_xh"] += self.x[:, t].T @ da
            self.grads["W_hh"] += self.h[t].T @ da
            self.grads["b"] += da.sum(axis=0)
        return dx


class MyConv(Layer):
    """One loop over the outputs, as the notebook derives it."""

    def __init__(self, c_in, c_out, k):
        self.params = {"W": normal(c_out, c_in, k, k) / k, "b": np.zeros(c_out)}

    def places(self, x):
        k = self.params["W"].shape[-1]
        for r in range(x.shape[2] - k + 1):
            for c in range(x.shape[3] - k + 1):
                yield r, c, (slice(None), slice(None), slice(r, r + k), slice(c, c + k))

    def forward(self, x):
        W, b = self.params.values()
        self.x = x
        k = W.shape[-1]
        y = np.zeros((len(x), len(W), x.shape[2] - k + 1, x.shape[3] - k + 1), x.dtype)
        for r, c, patch in self.places(x):
            y[:, :, r, c] = np.einsum("nipq,oipq->no", x[patch], W) + b
        return y

    def backward(self, dy):
        W = self.params["W"]
        dW, dx = np.zeros_like(W), np.zeros_like(self.x)
        for r, c, patch in self.places(self.x):
            dW += np.einsum("no,nipq->oipq", dy[:, :, r, c], self.x[patch])
            dx[patch] += np.einsum("no,oipq->nipq", dy[:, :, r, c], W)
        self.grads = {"W": dW, "b": dy.sum(axis=(0, 2, 3))}
        return dx


class MyMaxPool(Layer):
    def forward(self, x):
        N, c, h, w = x.shape
        windows = x.reshape(N, c, h // 2, 2, w // 2, 2).swapaxes(3, 4)
        self.seen = windows.reshape(N, c, h // 2, w // 2, 4)
        return self.seen.max(axis=-1)

    def backward(self, dy):
        N, c, oh, ow = dy.shape
        dseen = np.zeros_like(self.seen)
        winner = self.seen.argmax(axis=-1)[..., None]
        np.put_along_axis(dseen, winner, dy[..., None], axis=-1)
        dx = dseen.reshape(N, c, oh, ow, 2, 2).swapaxes(3, 4)
        return dx.reshape(N, c, 2 * oh, 2 * ow)


# ---------------------------------------------------------------------- layers in layers


class Residual(Layer):
    def __init__(self, d):
        self.first = MyLinear(d, d)
        self.second = MyTanh()

    def forward(self, x):
        return x + self.second.forward(self.first.forward(x))

    def backward(self, dy):
        return dy + self.first.backward(self.second.backward(dy))


class ReZero(Layer):
    """y = x + alpha f(x), and alpha is 0 at first: so are the gradients of f."""

    def __init__(self, d):
        self.body = MyLinear(d, d)
        self.params = {"alpha": np.zeros(1)}

    def forward(self, x):
        self.f = self.body.forward(x)
        return x + self.params["alpha"] * self.f

    def backward(self, dy):
        self.grads = {"alpha": np.array([(dy * self.f).sum()])}
        return dy + self.body.backward(dy * self.params["alpha"])


class TwoPaths(Layer):
    """A list of layers, whose outputs are added."""

    def __init__(self, d):
        self.paths = [MyLinear(d, 3), Linear(d, 3, rng=generator())]

    def forward(self, x):
        return sum(path.forward(x) for path in self.paths)

    def backward(self, dy):
        return sum(path.backward(dy) for path in self.paths)


class MyDropout(Layer):
    def __init__(self, p, *, rng):
        self.p, self.rng = p, rng

    def forward(self, x):
        self.scale = np.ones_like(x)
        if self.training:
            kept = self.rng.random(x.shape) >= self.p
            self.scale = kept / (1 - self.p)
        return x * self.scale

    def backward(self, dy):
        return dy * self.scale


class Noise(Layer):
    """Adds noise of its own generator while training."""

    def __init__(self, rng):
        self.rng = rng

    def forward(self, x):
        if not self.training:
            return x
        return x + 0.1 * self.rng.standard_normal(x.shape)

    def backward(self, dy):
        return dy


class KeepsItsGenerator(MyLinear):
    """It drew the weights from this generator, and draws nothing later."""

    def __init__(self, n_in, n_out, *, rng):
        super().__init__(n_in, n_out)
        self.rng = rng
        self.params["W"][...] = rng.normal(size=(n_in, n_out))


# ------------------------------------------------------------------ losses and penalties


class MyCrossEntropy(Loss):
    def forward(self, s, t):
        shifted = s - s.max(axis=1, keepdims=True)
        self.log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        self.t, self.rows = t, np.arange(len(s))
        return -self.log_p[self.rows, t].mean()

    def backward(self):
        ds = np.exp(self.log_p)
        ds[self.rows, self.t] -= 1
        return ds / len(ds)


class EyeCrossEntropy(MyCrossEntropy):
    """np.eye is float64: right, and a hint."""

    def backward(self):
        p = np.exp(self.log_p)
        return (p - np.eye(p.shape[1])[self.t]) / len(p)


class MyMSE(Loss):
    def forward(self, s, t):
        self.error = s - t
        return np.mean(self.error**2)

    def backward(self):
        return 2 * self.error / self.error.size


class ProbabilityBCE(Loss):
    """Takes probabilities, not scores."""

    def forward(self, p, t):
        self.p, self.t = p, t
        return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))

    def backward(self):
        return (self.p - self.t) / (self.p * (1 - self.p)) / self.p.size


class Huber(Loss):
    def forward(self, s, t):
        self.e = s - t
        inner = 0.5 * self.e**2
        outer = np.abs(self.e) - 0.5
        return np.where(np.abs(self.e) < 1, inner, outer).mean()

    def backward(self):
        return np.clip(self.e, -1, 1) / self.e.size


class Hinge(Loss):
    """Flat where the margin is kept."""

    def forward(self, s, t):
        self.s, self.t = s, t
        return np.maximum(0, 1 - t * s).mean()

    def backward(self):
        return np.where(self.t * self.s < 1, -self.t, 0) / self.s.size


class MyL1(Loss):
    def __init__(self, strength):
        self.strength = strength

    def forward(self, W):
        self.W = W
        return self.strength * np.abs(W).sum()

    def backward(self):
        return self.strength * np.sign(self.W)


class CountingL1(MyL1):
    def backward(self):
        return self.strength * ((self.W > 0).astype(int) - (self.W < 0).astype(int))


class MyL2(MyL1):
    def forward(self, W):
        self.W = W
        return self.strength / 2 * (W**2).sum()

    def backward(self):
        return self.strength * self.W


def pixels():
    (x, _), *_ = datasets.mnist()
    return x[:6, 0, ::2, ::2].reshape(6, 196)


def mse_of_house_prices():
    prices = 3e5 + 1e5 * normal(20, 1)
    return MyMSE(), prices, prices + 5e4 * normal(20, 1, seed=8)


def sure_cross_entropy():
    s = np.full((4, 3), -60.0)
    t = np.array([0, 2, 1, 1])
    s[np.arange(4), t] = 60
    return MyCrossEntropy(), s, t


T = np.array([0, 3, 1, 1, 2])
SIGNS = np.array([[1, -1, 1]] * 4)

RIGHT = {
    "linear": lambda: (MyLinear(4, 3), normal(5, 4)),
    "linear, one example": lambda: (MyLinear(4, 3), normal(1, 4)),
    "linear, one by one": lambda: (MyLinear(1, 1), normal(3, 1)),
    "linear by einsum": lambda: (EinsumLinear(4, 3), normal(5, 4)),
    "linear by loops": lambda: (LoopedLinear(4, 3), normal(5, 4)),
    "a second name for the weights": lambda: (AliasLinear(4, 3), normal(5, 4)),
    "the same arrays for the gradients": lambda: (ReusedGrads(4, 3), normal(5, 4)),
    "weights in float32": lambda: (Float32Linear(4, 3), normal(5, 4)),
    "a second name in float32": lambda: (
        as_float32(AliasLinear(4, 3)),
        normal(5, 4),
    ),
    "linear without a base class": lambda: (PlainLinear(4, 3), normal(5, 4)),
    "tanh without a base class": lambda: (PlainTanh(), normal(5, 4)),
    "a head that starts at zero": lambda: (Zeros(4, 3), normal(5, 4)),
    "zero head behind a tanh": lambda: (
        Sequential(MyLinear(4, 5), MyTanh(), Zeros(5, 3)),
        normal(5, 4),
    ),
    "weight normalisation": lambda: (WeightNorm(4, 3), normal(5, 4)),
    "embedding": lambda: (MyEmbedding(7, 3), np.array([[1, 2, 2], [0, 5, 1]])),
    "PReLU": lambda: (PReLU(4), normal(5, 4)),
    "a variance as parameter": lambda: (Scaled(4), normal(5, 4)),
    "a parameter without axes": lambda: (Temperature(), normal(5, 4)),
    "FiLM at zero": lambda: (FiLM(4), normal(5, 4)),
    "tanh": lambda: (MyTanh(), normal(5, 4)),
    "tanh, saturated": lambda: (MyTanh(), 30 * normal(5, 4)),
    "tanh of pixels": lambda: (
        Sequential(MyLinear(196, 6), MyTanh(), MyLinear(6, 3)),
        pixels(),
    ),
    "tanh of loud pixels": lambda: (
        Sequential(MyLinear(196, 6), MyTanh(), MyLinear(6, 3)),
        255 * pixels(),
    ),
    "sigmoid": lambda: (MySigmoid(), normal(5, 4)),
    "relu": lambda: (MyReLU(), normal(5, 4)),
    "relu by mask": lambda: (MaskReLU(), normal(5, 4)),
    "relu by integers": lambda: (IntegerReLU(), normal(5, 4)),
    "softplus": lambda: (Softplus(), normal(5, 4)),
    "logarithm of positive numbers": lambda: (Logarithm(), 0.1 + normal(5, 4) ** 2),
    "logit of probabilities": lambda: (
        Logit(),
        generator().uniform(0.02, 0.98, (5, 4)),
    ),
    "arcsine of [-1, 1]": lambda: (Arcsine(), generator().uniform(-0.97, 0.97, (5, 4))),
    "swish": lambda: (Swish(), normal(5, 4)),
    "gelu with np.sqrt": lambda: (Gelu(), normal(5, 4)),
    "hard tanh": lambda: (HardTanh(), normal(5, 4)),
    "square": lambda: (Square(), normal(5, 4)),
    "softmax": lambda: (MySoftmax(), normal(5, 4)),
    "softmax of large scores": lambda: (MySoftmax(), 1000 + normal(5, 4)),
    "cumulative sum": lambda: (Cumulative(), normal(5, 4)),
    "shares of positive numbers": lambda: (Shares(), normal(5, 4) ** 2),
    "unit length": lambda: (UnitLength(), normal(5, 4)),
    "axes exchanged": lambda: (Turn(), normal(2, 3, 4)),
    "flatten": lambda: (MyFlatten(), normal(2, 3, 4)),
    "last step only": lambda: (Last(), normal(2, 3, 4)),
    "batch norm": lambda: (MyBatchNorm(4), normal(6, 4)),
    "batch norm, two examples": lambda: (MyBatchNorm(4), normal(2, 4)),
    "batch norm with attributes": lambda: (AttributeBatchNorm(4), normal(6, 4)),
    "batch norm of large numbers": lambda: (MyBatchNorm(4), 500 + 100 * normal(6, 4)),
    "linear before batch norm": lambda: (
        Sequential(MyLinear(4, 3), MyBatchNorm(3)),
        normal(6, 4),
    ),
    "linear before attribute batch norm": lambda: (
        Sequential(MyLinear(4, 3), AttributeBatchNorm(3), MyReLU(), MyLinear(3, 2)),
        normal(6, 4),
    ),
    "layer norm": lambda: (MyLayerNorm(4), normal(5, 4)),
    "layer norm over time": lambda: (MyLayerNorm(4), normal(2, 3, 4)),
    "linear before layer norm": lambda: (
        Sequential(MyLinear(4, 3), MyLayerNorm(3)),
        normal(6, 4),
    ),
    "root mean square norm": lambda: (RMSNorm(4), normal(5, 4)),
    "attention with a key bias": lambda: (Attention(4), normal(2, 3, 4)),
    "residual around attention": lambda: (
        Sequential(Attention(4), MyLayerNorm(4)),
        normal(2, 3, 4),
    ),
    "rnn": lambda: (MyRNN(4, 5), normal(3, 6, 4)),
    "convolution": lambda: (MyConv(2, 3, 3), normal(3, 2, 5, 6)),
    "largest of each window": lambda: (MyMaxPool(), normal(3, 2, 4, 6)),
    "largest of each window, ties": lambda: (
        MyMaxPool(),
        generator().integers(0, 9, (3, 2, 4, 6)).astype(float),
    ),
    "residual": lambda: (Residual(4), normal(5, 4)),
    "rezero": lambda: (ReZero(4), normal(5, 4)),
    "rezero, stacked": lambda: (Sequential(ReZero(4), ReZero(4)), normal(5, 4)),
    "two paths": lambda: (TwoPaths(4), normal(5, 4)),
    "dropout": lambda: (MyDropout(0.4, rng=generator(1)), normal(5, 4)),
    "dropout inside": lambda: (
        Sequential(MyLinear(4, 5), MyDropout(0.4, rng=generator(1)), MyLinear(5, 3)),
        normal(5, 4),
    ),
    "dropout between ours, float64": lambda: (
        Sequential(
            Linear(4, 5, rng=generator()),
            MyDropout(0.4, rng=generator(1)),
            Linear(5, 3, rng=generator(2)),
        ),
        normal(5, 4),
    ),
    "dropout of nothing": lambda: (MyDropout(0.0, rng=generator(1)), normal(5, 4)),
    "noise": lambda: (Noise(generator(1)), normal(5, 4)),
    "a generator that is kept": lambda: (
        KeepsItsGenerator(4, 3, rng=generator()),
        normal(5, 4),
    ),
    "a generator that is kept, batch norm": lambda: (
        Sequential(KeepsItsGenerator(4, 3, rng=generator()), MyBatchNorm(3)),
        normal(5, 4),
    ),
    "ours between theirs": lambda: (
        Sequential(
            MyLinear(4, 6),
            Tanh(),
            Linear(6, 5, rng=generator()),
            MyReLU(),
            Dropout(0.2, rng=generator(3)),
            ReLU(),
            MyLinear(5, 3),
        ),
        normal(5, 4),
    ),
    "cross-entropy": lambda: (MyCrossEntropy(), normal(5, 4), T),
    "cross-entropy by np.eye": lambda: (EyeCrossEntropy(), normal(5, 4), T),
    "a sure cross-entropy": sure_cross_entropy,
    "a hopelessly wrong cross-entropy": lambda: (
        MyCrossEntropy(),
        60 * np.eye(4)[[0, 1, 2, 3, 0]],
        np.array([1, 2, 3, 0, 3]),
    ),
    "mean squared error": lambda: (MyMSE(), normal(5, 3), normal(5, 3, seed=8)),
    "mean squared error at house prices": mse_of_house_prices,
    "mean squared error, already 0": lambda: (MyMSE(), normal(5, 3), normal(5, 3)),
    "loss of probabilities": lambda: (
        ProbabilityBCE(),
        generator().uniform(0.02, 0.98, (5, 3)),
        generator().integers(0, 2, (5, 3)),
    ),
    "huber": lambda: (Huber(), 2 * normal(5, 3), normal(5, 3, seed=8)),
    "hinge": lambda: (Hinge(), normal(4, 3), SIGNS),
    "hinge, all margins kept": lambda: (Hinge(), 5.0 * SIGNS, SIGNS),
    "L1": lambda: (MyL1(0.1), normal(4, 3)),
    "L1 by counting": lambda: (CountingL1(0.1), normal(4, 3)),
    "L2": lambda: (MyL2(0.1), normal(4, 3)),
    "a very weak L2": lambda: (MyL2(1e-6), normal(4, 3)),
}


def as_float32(layer):
    """Every array of the layer in float32, and each alias still an alias."""
    memo = {id(p): p.astype(np.float32) for p in layer.params.values()}
    return copy.deepcopy(layer, memo)
