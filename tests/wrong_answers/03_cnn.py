"""What learners write in 03_cnn, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "1-D convolution": [
        ("y[i] = (x[i : i + k] * W[::-1]).sum()", r"wrong way round"),
        ("y[i] = x[i] * W.sum()", r"all k weights meet the same number"),
        ("y[i] = x[i : i + k].sum()", r"weights are missing"),
        ("y[i] = (x[i : i + k] * W).mean()", r"mean of the products"),
        (
            "y[i] = (x[i : i + k - 1] * W[:-1]).sum()",
            r"last of the k products is missing",
        ),
        (
            "y = (x[i : i + k] * W).sum()",
            r"has no len|not subscriptable|the shape is \(\)",
        ),
    ],
    "output size": [
        ("return (n + 2 * padding - k) // stride", r"one too few"),
        ("return (n + padding - k) // stride + 1", r"padding lies at both ends"),
        ("return (n + 2 * padding - k) / stride + 1", r"not a whole number"),
        ("return -(-(n + 2 * padding - k) // stride) + 1", r"rounded up"),
        ("return n + 2 * padding - k + 1", r"stride is missing"),
        ("(n + 2 * padding - k) // stride + 1", r"returns nothing"),
    ],
    "convolution backward": [
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch]
            dx[patch] = dy[n, o, r, c] * W[o]
            """,
            r"dx is dy M\^T: a pixel lies in several patches",
        ),
        (
            """
            dW[o] = dy[n, o, r, c] * x[patch]
            dx[patch] += dy[n, o, r, c] * W[o]
            """,
            r"dW: all outputs share W",
        ),
        (
            """
            dW[o] += x[patch]
            dx[patch] += dy[n, o, r, c] * W[o]
            """,
            r"dW: dy is missing",
        ),
        ("dW[o] += dy[n, o, r, c] * x[patch]", r"dx never changes"),
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch]
            dx[patch] += dy[n, o, r, c] * W[o, :, ::-1, ::-1]
            """,
            r"turned round",
        ),
    ],
    "im2col": [
        ("cols[:, p, q] = last[:, :oh, :ow]", r"begin at row p and column q"),
        ("cols[:, p, q] = last[:, q : q + oh, p : p + ow]", r"p and q are exchanged"),
        (
            "cols[:, p, q] = last[:, k - 1 - p : k - 1 - p + oh, k - 1 - q : k - 1 - q + ow]",
            r"moves the other way",
        ),
        ("cols[:, p, q] = last[:, p:, q:]", r"could not broadcast"),
    ],
    "pooling backward": [
        (
            """
            largest = self.seen == self.seen.max(axis=-1, keepdims=True)
            dseen = largest * dy[..., None]
            """,
            r"in a tie both got the whole gradient",
        ),
        (
            """
            largest = self.seen == self.seen.max(axis=-1, keepdims=True)
            dseen = dy[..., None] * largest / largest.sum(axis=-1, keepdims=True)
            """,
            r"in a tie the gradient was shared",
        ),
        ("dseen[...] = dy[..., None]", r"it went to every pixel"),
        ("dseen[...] = dy[..., None] / self.k**2", r"as for the mean"),
        (
            """
            winner = self.seen.argmax(axis=-1)[..., None]
            np.put_along_axis(dseen, winner, 1, axis=-1)
            """,
            r"dy is missing",
        ),
        (
            """
            last = self.k**2 - 1 - self.seen[..., ::-1].argmax(axis=-1)[..., None]
            np.put_along_axis(dseen, last, dy[..., None], axis=-1)
            """,
            r"the last one got it",
        ),
    ],
    "assemble": [
        (
            """
            return Sequential(Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Flatten(), Linear(16 * 5 * 5, 10, rng=rng))
            """,
            r"cannot pass Linear\(400 -> 10\)",
        ),
        (
            """
            return Sequential(Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Conv2d(1, 16, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Flatten(), Linear(256, 10, rng=rng))
            """,
            r"cannot pass Conv2d\(1 -> 16.* expects \(N, 1, H, W\), got \(2, 8, 12, 12\)",
        ),
        (
            """
            return Sequential(Conv2d(1, 8, 5, rng=rng), MaxPool2d(2),
                              Conv2d(8, 16, 5, rng=rng), MaxPool2d(2),
                              Flatten(), Linear(256, 10, rng=rng))
            """,
            r"a ReLU after each convolution",
        ),
        (
            """
            return Sequential(Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Linear(256, 10, rng=rng))
            """,
            r"cannot pass Linear\(256 -> 10\)",
        ),
        (
            """
            return Sequential(Conv2d(1, 16, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Conv2d(16, 8, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Flatten(), Linear(128, 10, rng=rng))
            """,
            r"4,906|parameters, expected 5,994",
        ),
        (
            """
            Sequential(Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2),
                       Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2),
                       Flatten(), Linear(256, 10, rng=rng))
            """,
            r"returns nothing",
        ),
    ],
}
