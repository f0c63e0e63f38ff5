"""What learners write in 03_cnn, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "1-D convolution": [
        (
            """
            for p in range(k):
                y[i] = x[i + p] * W[p]
            """,
            r"slip: each product overwrites the one before: add up, with \+=",
        ),
        (
            "y[i] = x[i + 1 : i + k + 1] @ W",
            r"stops at line .*ValueError.*The inner sizes",
        ),
        (
            "y[i] = (x[i : i + k] + W).sum()",
            r"slip: x and W are added: multiply them, then add up",
        ),
        (
            "y[i] = (x[i : i + k] * W).max()",
            r"slip: it is the largest product: add them up",
        ),
        (
            "y[i] = sum(x[i + j] * W[k - j] for j in range(k))",
            r"stops at line .*IndexError.*The index is too large",
        ),
        ("y[i] = x[:k] @ W", r"slip: x does not move along: begin at i"),
        ("y[i] = int((x[i : i + k] * W).sum())", r"It is cut to integers"),
        (
            "y[i] = x[i * k : i * k + k] @ W",
            r"stops at line .*ValueError.*The inner sizes",
        ),
        (
            "y[i] = (x[i : i + k] * W[i % k]).sum()",
            r"slip: a single weight meets all numbers: p moves both x and W",
        ),
        ("y[i] = x[i : i + k] * W", r"stops at line .*ValueError.*One number belongs"),
        (
            "y[i] = abs((x[i : i + k] * W).sum())",
            r"The sizes are right, but some signs are not",
        ),
        ("y[i] = (x[i : i + k] * W).sum() + 1", r"slip: `1 \+` is too much"),
        (
            "y[-i] = (x[i : i + k] * W).sum()",
            r"slip: y is filled from its end: y\[i\], not y\[-i\]",
        ),
        (
            "y = np.convolve(x, W, 'valid')",
            r"slip: the kernel is the wrong way round: x\[i\] meets the first weight",
        ),
        (
            "y[i] = (x[i : i + k] * W).prod()",
            r"slip: it is the product of all: multiply pairs, then add up",
        ),
        (
            """
            for p in range(k):
                y[i] += x[i - p] * W[p]
            """,
            r"slip: it reads to the left, x\[i - p\]: the k numbers begin at i, x\[i \+ p\]",
        ),
        ("y[i] = (x[i : i + k] * W[::-1]).sum()", r"wrong way round"),
        ("y[i] = x[i] * W.sum()", r"all k weights meet the same number"),
        ("y[i] = x[i : i + k].sum()", r"weights are missing"),
        ("y[i] = (x[i : i + k] * W).mean()", r"mean of the products"),
        (
            "y[i] = (x[i : i + k - 1] * W[:-1]).sum()",
            r"last of the k products is missing",
        ),
        ("y = (x[i : i + k] * W).sum()", r"has shape \(\), expected \(9,\)"),
    ],
    "output size": [
        (
            "return (n + 2 * padding - k + 1) // stride",
            r"slip: the 1 is divided, too: it stands outside the bracket",
        ),
        ("return (n - k) // stride + 1", r"slip: the padding is missing"),
        ("return np.floor((n + 2 * padding - k) / stride) + 1", r"give an integer"),
        (
            "return (n + 2 * padding) // stride",
            r"slip: the kernel is missing: the last beginning is n \+ 2P - k",
        ),
        (
            "return (n + 2 * padding - k) * stride + 1",
            r"slip: the stride multiplies: the kernel moves by it, so divide",
        ),
        (
            "return -(-(n + 2 * padding) // stride)",
            r"slip: the kernel is missing, and it is rounded up",
        ),
        ("return (n + 2 * padding - k) // stride + 2", r"slip: one too many"),
        (
            "return (n + padding**2 - k) // stride + 1",
            r"slip: the padding is squared: it lies at both ends, 2 \* padding",
        ),
        (
            "return (n + 2 * stride - k) // (padding or 1) + 1",
            r"slip: stride and padding are exchanged",
        ),
        (
            "return n + 2 * padding - k",
            r"slip: neither the stride nor the 1 is there: divide by the stride, and count",
        ),
        (
            "return round((n + 2 * padding - k) / stride) + 1",
            r"slip: rounded to the nearest: a kernel that does not fit any more is left ou",
        ),
        ("return -(-(n + 2 * padding - k + 1) // stride) + 1", r"slip: one too many"),
        (
            "return (n + 2 * padding - k // 2) // stride + 1",
            r"slip: only half of the kernel is taken away: the last beginning is n \+ 2P - ",
        ),
        (
            "return (n - 2 * padding - k) // stride + 1",
            r"slip: the padding is taken away: it makes the signal longer",
        ),
        ("print((n + 2 * padding - k) // stride + 1)", r"returns nothing"),
        (
            "return (n + 4 * padding - k) // stride + 1",
            r"slip: the padding is counted four times: it lies at two ends",
        ),
        (
            "return (n + 2 * padding - k) // stride + 1,",
            r"has shape \(1,\), expected \(\)",
        ),
        ("return (n + 2 * padding - k) // stride", r"one too few"),
        ("return (n + padding - k) // stride + 1", r"padding lies at both ends"),
        ("return (n + 2 * padding - k) / stride + 1", r"give an integer"),
        ("return -(-(n + 2 * padding - k) // stride) + 1", r"rounded up"),
        ("return n + 2 * padding - k + 1", r"stride is missing"),
        ("(n + 2 * padding - k) // stride + 1", r"returns nothing"),
    ],
    "convolution backward": [
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch]
            dx[patch] += W[o]
            """,
            r"slip: dy is missing in dx: the chain rule multiplies by it",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch]
            dx[n, :, r, c] += dy[n, o, r, c] * W[o].sum(axis=(1, 2))
            """,
            r"slip: only the pixel at the corner gets something: the whole patch does, dx\[",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch]
            dx[n, :, r, c] += dy[n, o, r, c] * W[o]
            """,
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch].mean()
            dx[patch] += dy[n, o, r, c] * W[o]
            """,
            r"slip: the mean of the patch stands for the patch",
        ),
        (
            """
            dW[n] += dy[n, o, r, c] * x[patch]
            dx[patch] += dy[n, o, r, c] * W[o]
            """,
            r"stops at line .*IndexError.*The index is too large",
        ),
        (
            """
            dW[o] += dy[n, o] * x[patch]
            dx[patch] += dy[n, o] * W[o]
            """,
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch]
            dx[patch] += dy[n, o, r, c] * W
            """,
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            """
            dW[o] -= dy[n, o, r, c] * x[patch]
            dx[patch] -= dy[n, o, r, c] * W[o]
            """,
            r"It has the wrong sign",
        ),
        (
            """
            dW[o] = dW[o] * 0 + dy[n, o, r, c] * x[patch]
            dx[patch] += dy[n, o, r, c] * W[o]
            """,
            r"slip: all outputs share W: add to dW with \+=, do not overwrite",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch]
            W[o] *= dy[n, o, r, c]
            dx[patch] += W[o]
            """,
            r"changes its argument `W` in place",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch]
            dx[patch] += dy[n, o, r, c] * W[o] + self.params['b'][o] + 1e-3
            """,
            r"It matches no mistake known here",
        ),
        (
            """
            dW[o] += dy[n, 0, r, c] * x[patch]
            dx[patch] += dy[n, 0, r, c] * W[o]
            """,
            r"slip: dy of the first channel stands for all: dy\[n, o, r, c\]",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch] / k**2
            dx[patch] += dy[n, o, r, c] * W[o] / k**2
            """,
            r"slip: both are divided by k \* k, as for a mean: they are sums",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * x[n, :, :k, :k]
            dx[patch] += dy[n, o, r, c] * W[o]
            """,
            r"slip: every output adds the patch at the corner of the image: what it saw is",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch]
            dx[patch] += dy[n, o, r, c] * W[o].swapaxes(1, 2)
            """,
            r"slip: the kernel is transposed: W\[o\] met this very patch, as it is",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * W[o]
            dx[patch] += dy[n, o, r, c] * x[patch]
            """,
            r"slip: x\[patch\] and W\[o\] are exchanged",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] ** 2 * x[patch]
            dx[patch] += dy[n, o, r, c] * W[o]
            """,
            r"slip: dy is squared in dW",
        ),
        (
            "dx[patch] += dy[n, o, r, c] * W[o]",
            r"slip: dW never changes: add to it with \+=",
        ),
        (
            """
            self.grads['W'][o] += dy[n, o, r, c] * x[patch]
            dx[patch] += dy[n, o, r, c] * W[o]
            """,
            r"stops at line .*KeyError.*no such key",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch]
            x[patch] += dy[n, o, r, c] * W[o]
            """,
            r"changes its argument `x` in place",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch] / len(x)
            dx[patch] += dy[n, o, r, c] * W[o]
            """,
            r"It is 4 times too small \(the length of axis 0 of `x`\)",
        ),
        (
            """
            dW[o] += dy[n, o, r, c] * x[patch]
            dx[patch] = dy[n, o, r, c] * W[o]

            """,
            r"slip: a pixel lies in several patches: add to dx with \+=, do not overwrite",
        ),
        (
            """
            dW[o] = dy[n, o, r, c] * x[patch]
            dx[patch] += dy[n, o, r, c] * W[o]

            """,
            r"slip: all outputs share W: add to dW with \+=, do not overwrite",
        ),
        (
            """
            dW[o] += x[patch]
            dx[patch] += dy[n, o, r, c] * W[o]

            """,
            r"slip: dy is missing in dW: the chain rule multiplies by it",
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
        (
            "cols[:, p, q] = last[:, p : p + k, q : q + k]",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "cols[:, p, q] = last[:, p : p + oh, q : q + oh]",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "cols[:, p, q] = last[:, p : p + ow, q : q + oh]",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "cols[:, p, q] = last[p : p + oh, q : q + ow]",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "cols[:, p, q] = last[:, p * oh : (p + 1) * oh, q * ow : (q + 1) * ow]",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "cols[:, p, q] = last[:, p, q]",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "cols[:, q, p] = last[:, p : p + oh, q : q + ow]",
            r"slip: p and q are exchanged: p moves down, q to the right",
        ),
        (
            "cols[:, p, q] = last[:, :oh, q : q + ow]",
            r"slip: only the columns move: begin at row p, too",
        ),
        (
            "cols[:, p, q] = last[:, p + 1 : p + 1 + oh, q + 1 : q + 1 + ow]",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "part = last[:, p : p + oh, q : q + ow]",
            r"slip: cols is not filled: assign cols\[:, p, q\] = \.\.\., not another name, and ",
        ),
        (
            "cols[:, p, q] = last[:, p : p + oh - 1, q : q + ow - 1]",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "cols[:, p, q] = last[:, p : p + oh, :ow]",
            r"slip: only the rows move: begin at column q, too",
        ),
        (
            "cols[:, p, q] += last[:, p : p + oh, q : q + ow]",
            r"slip: cols is not filled: assign cols\[:, p, q\] = \.\.\., not another name, and ",
        ),
        (
            "cols[:, p, q] = x[:, :, p : p + oh, q : q + ow]",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "cols[:, p, q] = last[:, p : p + oh, q : q + ow, :1]",
            r"slip: the first image stands for all: keep the last axis",
        ),
        (
            "cols[:, p, q] = last[0, p : p + oh, q : q + ow]",
            r"slip: the first channel stands for all: keep the first axis",
        ),
        (
            "cols[:, p, q] = last[:, p::k, q::k]",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
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
            winner = self.seen.argmax(axis=-1)
            dseen[winner] = dy[..., None]
            """,
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            """
            winner = self.seen.argmax(axis=-1)
            np.put_along_axis(dseen, winner, dy, axis=-1)
            """,
            r"stops at line .*ValueError.*",
        ),
        (
            """
            winner = self.seen.argmax(axis=0)[None]
            np.put_along_axis(dseen, winner, dy[..., None], axis=0)
            """,
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "dseen = np.where(self.seen > 0, dy[..., None], 0)",
            r"slip: every positive pixel gets it: only the largest one does",
        ),
        (
            """
            winner = self.seen.argmax(axis=-1)[..., None]
            np.put_along_axis(dseen, winner, self.seen.max(axis=-1)[..., None], axis=-1)
            """,
            r"slip: the largest pixel itself is put there: put dy",
        ),
        (
            "dseen[..., 0] = dy",
            r"slip: the first pixel of each window gets it: the largest one does",
        ),
        ("dseen *= dy[..., None]", r"It is zero everywhere"),
        (
            "np.put(dseen, self.seen.argmax(axis=-1), dy)",
            r"slip: np\.put counts the places through the whole array: use np\.put_along_axi",
        ),
        (
            """
            winner = self.seen.argmax(axis=-1)[..., None]
            np.put_along_axis(dseen, winner, dy[..., None] / self.k**2, axis=-1)
            """,
            r"slip: dy is divided by k \* k, as for the mean: the largest pixel gets it all",
        ),
        (
            "dseen = (self.seen == self.seen.max(axis=-1, keepdims=True)) * self.seen * dy[..., None]",
            r"slip: dy is multiplied by the pixel, and in a tie both get it: the slope is ",
        ),
        (
            """
            winner = self.seen.argmax(axis=-1)[..., None]
            d = np.zeros_like(self.seen)
            np.put_along_axis(d, winner, dy[..., None], axis=-1)
            """,
            r"slip: dx is zero everywhere: dseen never changes",
        ),
        (
            """
            winner = self.seen.argmin(axis=-1)[..., None]
            np.put_along_axis(dseen, winner, dy[..., None], axis=-1)
            """,
            r"slip: the smallest pixel gets it: argmax, not argmin",
        ),
        (
            """
            largest = self.seen == self.seen.max()
            dseen[largest] = 1
            """,
            r"does not depend on `dy`",
        ),
        (
            """
            winner = self.seen.argmax(axis=-1)[..., None]
            np.put_along_axis(dseen, winner, -dy[..., None], axis=-1)
            """,
            r"It has the wrong sign",
        ),
        (
            """
            winner = self.seen.argmax()
            dseen.flat[winner] = dy.sum()
            """,
            r"slip: one pixel of the whole batch gets it: each window has its own largest",
        ),
        (
            "dseen[..., -1] = dy",
            r"slip: the last pixel of each window gets it: the largest one does",
        ),
        (
            """
            winner = self.seen.argmax(axis=-1)[..., None]
            np.put_along_axis(dseen, winner, (dy * self.seen.max(axis=-1))[..., None], axis=-1)
            """,
            r"slip: dy is multiplied by the pixel: the slope of the largest is 1",
        ),
        (
            """
            winner = self.seen.argmax(axis=-1)[..., None]
            np.put_along_axis(dseen, winner, dy[..., None], axis=-1)
            return dseen
            """,
            r"has shape \(3, 2, 3, 2, 4\), expected \(3, 2, 6, 4\)",
        ),
        (
            """
            largest = self.seen == self.seen.max(axis=-1, keepdims=True)
            dseen = largest * dy[..., None]

            """,
            r"slip: in a tie both get the whole gradient: only the first one does",
        ),
        (
            """
            largest = self.seen == self.seen.max(axis=-1, keepdims=True)
            dseen = dy[..., None] * largest / largest.sum(axis=-1, keepdims=True)

            """,
            r"slip: in a tie the gradient is shared: the first one gets it all",
        ),
        (
            "dseen[...] = dy[..., None]",
            r"slip: it goes to every pixel: only the largest had any influence",
        ),
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
            r"slip: in a tie the last one gets it: the first one does",
        ),
    ],
    "assemble": [
        (
            """
            return [Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Flatten(), Linear(16 * 4 * 4, 10, rng=rng)]
            """,
            r"returns a list",
        ),
        (
            """
            return Sequential(Conv2d(1, 8, 3, rng=rng), ReLU(), MaxPool2d(2),
                              Conv2d(8, 16, 3, rng=rng), ReLU(), MaxPool2d(2),
                              Flatten(), Linear(16 * 5 * 5, 10, rng=rng))
            """,
            r"its sizes are not those",
        ),
        (
            """
            return Sequential(Conv2d(1, 8, 5, padding=2, rng=rng), ReLU(), MaxPool2d(2),
                              Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Flatten(), Linear(16 * 4 * 4, 10, rng=rng))
            """,
            r"the data cannot pass Linear",
        ),
        (
            """
            return Sequential(Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Flatten(), Linear(16 * 4 * 4, 1, rng=rng))
            """,
            r"its sizes are not those",
        ),
        (
            """
            return Sequential(Conv2d(1, 8, 5, rng=np.random.default_rng(0)), ReLU(), MaxPool2d(2),
                              Conv2d(8, 16, 5, rng=np.random.default_rng(0)), ReLU(), MaxPool2d(2),
                              Flatten(), Linear(16 * 4 * 4, 10, rng=np.random.default_rng(0)))
            """,
            r"do not come from the generator",
        ),
        (
            """
            return Sequential(Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2),
                              Flatten(), Linear(4 * 4, 10, rng=rng))
            """,
            r"the data cannot pass Linear",
        ),
        ("return black_box(rng)", r"its sizes are not those"),
        (
            """
            conv = Conv2d(1, 8, 5, rng=rng)
            return Sequential(conv, ReLU(), MaxPool2d(2), conv, ReLU(), MaxPool2d(2), Flatten(), Linear(256, 10, rng=rng))
            """,
            r"stops at line .*ValueError.*the same layer stands",
        ),
        (
            """
            from scratchml import Softmax
            return Sequential(Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2), Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2), Flatten(), Linear(256, 10, rng=rng), Softmax())
            """,
            r"ends in scores",
        ),
        (
            """
            relu = ReLU()
            return Sequential(Conv2d(1, 8, 5, rng=rng), relu, MaxPool2d(2), Conv2d(8, 16, 5, rng=rng), relu, MaxPool2d(2), Flatten(), Linear(256, 10, rng=rng))
            """,
            r"stops at line .*ValueError.*the same layer stands",
        ),
        (
            "return Sequential([Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2), Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2), Flatten(), Linear(256, 10, rng=rng)])",
            r"stops at line .*TypeError.*one argument each",
        ),
        (
            """
            from scratchml import AvgPool2d
            return Sequential(Conv2d(1, 8, 5, rng=rng), ReLU(), AvgPool2d(2), Conv2d(8, 16, 5, rng=rng), ReLU(), AvgPool2d(2), Flatten(), Linear(256, 10, rng=rng))
            """,
            r"layers of the kind MaxPool2d",
        ),
        (
            "return Sequential(Conv2d(1, 8, 5), ReLU(), MaxPool2d(2), Conv2d(8, 16, 5), ReLU(), MaxPool2d(2), Flatten(), Linear(256, 10))",
            r"stops at line .*TypeError.*keyword-only argument",
        ),
        (
            "return Sequential(Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2), Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2), Flatten(), Linear(256, 10, rng=rng), ReLU())",
            r"layers of the kind ReLU",
        ),
        (
            "return Sequential(Conv2d(1, 8, 5, rng=rng), MaxPool2d(2), ReLU(), Conv2d(8, 16, 5, rng=rng), MaxPool2d(2), ReLU(), Flatten(), Linear(256, 10, rng=rng))",
            r"stand in another order",
        ),
        (
            "return Sequential(Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2), Conv2d(8, 16, 5, rng=rng), ReLU(), Flatten(), Linear(16 * 8 * 8, 10, rng=rng))",
            r"layers of the kind MaxPool2d",
        ),
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
            r"layers of the kind ReLU",
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
            r"its sizes are not those",
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

# These look otherwise than the solution, and are right.
RIGHT = {
    "1-D convolution": [
        """
            for p in range(k):
                y[i] += x[i + p] * W[p]
            """,
        "y[i] = np.dot(W, x[i : i + k])",
        "y[i] = sum(a * w for a, w in zip(x[i:], W))",
    ],
    "output size": [
        "return len(range(0, n + 2 * padding - k + 1, stride))",
        "return int((n + 2 * padding - k) / stride) + 1",
        "return divmod(n + 2 * padding - k, stride)[0] + 1",
        """
            count, start = 0, 0
            while start + k <= n + 2 * padding:
                count += 1
                start += stride
            return count
            """,
        "return (n + 2 * padding - k + stride) // stride",
        "return int(np.floor((n + 2 * padding - k) / stride + 1))",
        """
            free = n + padding + padding - k
            return 1 + (free - free % stride) // stride
            """,
    ],
    "convolution backward": [
        """
            d = dy[n, o, r, c]
            dW[o] = dW[o] + d * x[n, :, r : r + k, c : c + k]
            dx[n, :, r : r + k, c : c + k] = dx[n, :, r : r + k, c : c + k] + d * W[o]
            """,
        """
            for i in range(x.shape[1]):
                dW[o, i] += dy[n, o, r, c] * x[n, i, r : r + k, c : c + k]
                dx[n, i, r : r + k, c : c + k] += W[o, i] * dy[n, o, r, c]
            """,
    ],
    "im2col": [
        "cols[:, p, q] = np.roll(last, (-p, -q), axis=(1, 2))[:, :oh, :ow]",
        """
            for r in range(oh):
                for c in range(ow):
                    cols[:, p, q, r, c] = last[:, r + p, c + q]
            """,
        "cols[:, p, q] = x[:, :, p : p + oh, q : q + ow].transpose(1, 2, 3, 0)",
        "cols[:, p, q, ...] = last[:, p : h - k + 1 + p, q : w - k + 1 + q, ...]",
    ],
    "pooling backward": [
        """
            winner = self.seen.argmax(axis=-1)[..., None]
            dseen = np.where(np.arange(self.k**2) == winner, dy[..., None], 0)
            """,
        """
            for i in np.ndindex(dy.shape):
                dseen[i][self.seen[i].argmax()] = dy[i]
            """,
        "dseen = np.eye(self.k**2)[self.seen.argmax(axis=-1)] * dy[..., None]",
    ],
    "assemble": [
        """
            layers = [Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2), Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2), Flatten()]
            side = my_output_size(my_output_size(28, 5) // 2, 5) // 2
            return Sequential(*layers, Linear(16 * side**2, 10, rng=rng))
            """,
        "return Sequential(Conv2d(1, 8, 5, rng=rng, init=he), ReLU(), MaxPool2d(2, stride=2), Conv2d(8, 16, (5, 5), rng=rng, init=he), ReLU(), MaxPool2d(2), Flatten(), Linear(256, 10, rng=rng))",
    ],
}
