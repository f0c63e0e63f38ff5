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
        (
            "y[i] = x[i : i + k] @ W[::-1]",
            r"slip: the kernel is the wrong way round: x\[i\] meets the first weig",
        ),
        (
            "y[i] = (x[i : i + k - 1] * W[1:]).sum()",
            r"slip: the first weight is left out: k numbers of x meet k weights",
        ),
        (
            "y[i] = x[i] * W[0]",
            r"slip: only the first weight acts: k numbers of x meet k weights",
        ),
        (
            "y[i] += (x[k - 1 + i] * W).sum()",
            r"slip: one number of x, at the end of the window, meets all weights",
        ),
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
        (
            """
            dW[o] += x[patch]
            dx[patch] += W[o]
            """,
            r"It does not depend on `dy`: where does that come in\?",
        ),
        (
            """
            dW += dy[n, o, r, c] * x[patch]
            dx[patch] += dy[n, o, r, c] * W[o]
            """,
            r"slip: it goes to all of `dW`, not to `dW\[o\]`",
        ),
        (
            """
            dW[o] = dy[n, o, r, c] * x[patch]
            dx[patch] = dy[n, o, r, c] * W[o]
            """,
            r"slip: = keeps the last output alone: add up with \+=, as a weight a",
        ),
    ],
    "assemble": [
        (
            """
            return [MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(2),
                              MyConv2d(8, 16, 5, rng=rng), ReLU(), MyMaxPool(2),
                              Flatten(), Linear(16 * 4 * 4, 10, rng=rng)]
            """,
            r"returns a list",
        ),
        (
            """
            return Sequential(MyConv2d(1, 8, 3, rng=rng), ReLU(), MyMaxPool(2),
                              MyConv2d(8, 16, 3, rng=rng), ReLU(), MyMaxPool(2),
                              Flatten(), Linear(16 * 5 * 5, 10, rng=rng))
            """,
            r"cannot pass MyMaxPool\(\): cannot reshape",
        ),
        (
            """
            return Sequential(MyConv2d(1, 8, 5, padding=2, rng=rng), ReLU(), MyMaxPool(2),
                              MyConv2d(8, 16, 5, rng=rng), ReLU(), MyMaxPool(2),
                              Flatten(), Linear(16 * 4 * 4, 10, rng=rng))
            """,
            r"unexpected keyword argument 'padding'",
        ),
        (
            """
            return Sequential(MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(2),
                              MyConv2d(8, 16, 5, rng=rng), ReLU(), MyMaxPool(2),
                              Flatten(), Linear(16 * 4 * 4, 1, rng=rng))
            """,
            r"its sizes are not those",
        ),
        (
            """
            return Sequential(MyConv2d(1, 8, 5, rng=np.random.default_rng(0)), ReLU(), MyMaxPool(2),
                              MyConv2d(8, 16, 5, rng=np.random.default_rng(0)), ReLU(), MyMaxPool(2),
                              Flatten(), Linear(16 * 4 * 4, 10, rng=np.random.default_rng(0)))
            """,
            r"do not come from the generator",
        ),
        (
            """
            return Sequential(MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(2),
                              MyConv2d(8, 16, 5, rng=rng), ReLU(), MyMaxPool(2),
                              Flatten(), Linear(4 * 4, 10, rng=rng))
            """,
            r"the data cannot pass Linear",
        ),
        ("return black_box(rng)", r"has 0 layers of the kind MyConv2d"),
        (
            """
            conv = MyConv2d(1, 8, 5, rng=rng)
            return Sequential(conv, ReLU(), MyMaxPool(2), conv, ReLU(), MyMaxPool(2), Flatten(), Linear(256, 10, rng=rng))
            """,
            r"stops at line .*ValueError.*the same layer stands",
        ),
        (
            """
            from scratchml import Softmax
            return Sequential(MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(2), MyConv2d(8, 16, 5, rng=rng), ReLU(), MyMaxPool(2), Flatten(), Linear(256, 10, rng=rng), Softmax())
            """,
            r"ends in scores",
        ),
        (
            """
            relu = ReLU()
            return Sequential(MyConv2d(1, 8, 5, rng=rng), relu, MyMaxPool(2), MyConv2d(8, 16, 5, rng=rng), relu, MyMaxPool(2), Flatten(), Linear(256, 10, rng=rng))
            """,
            r"stops at line .*ValueError.*the same layer stands",
        ),
        (
            "return Sequential([MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(2), MyConv2d(8, 16, 5, rng=rng), ReLU(), MyMaxPool(2), Flatten(), Linear(256, 10, rng=rng)])",
            r"stops at line .*TypeError.*one argument each",
        ),
        (
            """
            from scratchml import AvgPool2d
            return Sequential(MyConv2d(1, 8, 5, rng=rng), ReLU(), AvgPool2d(2), MyConv2d(8, 16, 5, rng=rng), ReLU(), AvgPool2d(2), Flatten(), Linear(256, 10, rng=rng))
            """,
            r"layers of the kind MyMaxPool",
        ),
        (
            "return Sequential(MyConv2d(1, 8, 5), ReLU(), MyMaxPool(2), MyConv2d(8, 16, 5), ReLU(), MyMaxPool(2), Flatten(), Linear(256, 10))",
            r"stops at line .*TypeError.*keyword-only argument",
        ),
        (
            "return Sequential(MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(2), MyConv2d(8, 16, 5, rng=rng), ReLU(), MyMaxPool(2), Flatten(), Linear(256, 10, rng=rng), ReLU())",
            r"layers of the kind ReLU",
        ),
        (
            "return Sequential(MyConv2d(1, 8, 5, rng=rng), MyMaxPool(2), ReLU(), MyConv2d(8, 16, 5, rng=rng), MyMaxPool(2), ReLU(), Flatten(), Linear(256, 10, rng=rng))",
            r"stand in another order",
        ),
        (
            "return Sequential(MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(2), MyConv2d(8, 16, 5, rng=rng), ReLU(), Flatten(), Linear(16 * 8 * 8, 10, rng=rng))",
            r"layers of the kind MyMaxPool",
        ),
        (
            """
            return Sequential(MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(2),
                              MyConv2d(8, 16, 5, rng=rng), ReLU(), MyMaxPool(2),
                              Flatten(), Linear(16 * 5 * 5, 10, rng=rng))

            """,
            r"cannot pass Linear\(400 -> 10\)",
        ),
        (
            """
            return Sequential(MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(2),
                              MyConv2d(1, 16, 5, rng=rng), ReLU(), MyMaxPool(2),
                              Flatten(), Linear(256, 10, rng=rng))

            """,
            r"cannot pass MyConv2d\(\): .*size 200 is different from 25",
        ),
        (
            """
            return Sequential(MyConv2d(1, 8, 5, rng=rng), MyMaxPool(2),
                              MyConv2d(8, 16, 5, rng=rng), MyMaxPool(2),
                              Flatten(), Linear(256, 10, rng=rng))

            """,
            r"layers of the kind ReLU",
        ),
        (
            """
            return Sequential(MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(2),
                              MyConv2d(8, 16, 5, rng=rng), ReLU(), MyMaxPool(2),
                              Linear(256, 10, rng=rng))

            """,
            r"cannot pass Linear\(256 -> 10\)",
        ),
        (
            """
            return Sequential(MyConv2d(1, 16, 5, rng=rng), ReLU(), MyMaxPool(2),
                              MyConv2d(16, 8, 5, rng=rng), ReLU(), MyMaxPool(2),
                              Flatten(), Linear(128, 10, rng=rng))

            """,
            r"its sizes are not those",
        ),
        (
            """
            Sequential(MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(2),
                       MyConv2d(8, 16, 5, rng=rng), ReLU(), MyMaxPool(2),
                       Flatten(), Linear(256, 10, rng=rng))

            """,
            r"returns nothing",
        ),
        (
            "return Sequential(Conv2d(1, 8, 5, rng=rng), ReLU(), MaxPool2d(2), Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2), Linear(16 * 4 * 4, 10, rng=rng))",
            r"the data cannot pass Linear\(256 -> 10\): Linear\(256 -> 10\) expects \(N,",
        ),
        (
            "return Sequential(Conv2d(1, 8, 5, rng=rng), MaxPool2d(2), ReLU(), Conv2d(8, 16, 5, rng=rng), ReLU(), MaxPool2d(2), Flatten(), Linear(16 * 5 * 5, 10, rng=rng))",
            r"the data cannot pass Linear\(400 -> 10\): Linear\(400 -> 10\) expects \(N,",
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
    "assemble": [
        """
            layers = [MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(2), MyConv2d(8, 16, 5, rng=rng), ReLU(), MyMaxPool(2), Flatten()]
            side = output_size(output_size(28, 5) // 2, 5) // 2
            return Sequential(*layers, Linear(16 * side**2, 10, rng=rng))
            """,
        "return Sequential(MyConv2d(1, 8, 5, rng=rng), ReLU(), MyMaxPool(k=2), MyConv2d(c_in=8, c_out=16, k=5, rng=rng), ReLU(), MyMaxPool(2), Flatten(), Linear(256, 10, rng=rng))",
    ],
}
