"""What learners write in 01_nn, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "cross-entropy backward": [
        (
            "ds = p.copy()\nds[self.rows, self.t] -= 1\nreturn ds",
            r"batch size: 5 times too large",
        ),
        ("ds = -p\nds[self.rows, self.t] += 1\nreturn ds / len(p)", r"wrong sign"),
        (
            "ds = p.copy()\nds[self.rows, self.t] -= 1\nreturn ds / p.size",
            r"divide by the rows N",
        ),
        (
            "p[self.rows, self.t] -= 1\np / len(p)",
            r"returns nothing: end it with return",
        ),
    ],
    "linear backward": [
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum()}
            return dy @ self.params["W"].T
            """,
            r"gradient of b .* one scalar for all units",
        ),
        (
            """
            self.grads = {"W": dy.T @ self.x, "b": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"gradient of W .* transposed",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.mean(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"gradient of b .* batch size: 5 times too small",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy}
            return dy @ self.params["W"].T
            """,
            r"gradient of b .* not summed over the batch",
        ),
        (
            """
            self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
            return dy @ self.params["W"].T
            """,
            r"stores no gradient for W, b",
        ),
    ],
    "relu backward": [
        ("dy[self.x < 0] = 0\nreturn dy", r"changes its input dy in place"),
        ("return dy * (np.maximum(self.x, 0) >= 0)", r"derivative is missing"),
        ("return (self.x > 0).astype(float)", r"without dy: the chain rule"),
        ("return dy * np.maximum(self.x, 0)", r"slope is"),
    ],
    "batches": [
        (
            """
            for start in range(0, len(x), batch_size):
                yield x[start : start + batch_size], y[start : start + batch_size]
            """,
            r"never shuffled",
        ),
        (
            """
            for start in rng.permutation(range(0, len(x), batch_size)):
                yield x[start : start + batch_size], y[start : start + batch_size]
            """,
            r"only the order of the batches is shuffled",
        ),
        (
            """
            x, y = rng.permutation(x), rng.permutation(y)
            for start in range(0, len(x), batch_size):
                yield x[start : start + batch_size], y[start : start + batch_size]
            """,
            r"x and y come apart",
        ),
        (
            """
            order = rng.permutation(len(x))
            for start in range(0, len(x) - batch_size + 1, batch_size):
                chosen = order[start : start + batch_size]
                yield x[chosen], y[chosen]
            """,
            r"never appear in an epoch: the last, smaller batch counts",
        ),
        (
            """
            for start in range(0, len(x), batch_size):
                chosen = rng.integers(0, len(x), min(batch_size, len(x) - start))
                yield x[chosen], y[chosen]
            """,
            r"without replacement",
        ),
    ],
    "adam update": [
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (m / (1 - beta1)) / (np.sqrt(v / (1 - beta2)) + eps)
            """,
            r"step number as its exponent",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p = p - self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"p never changes. Update it in place",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p += self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"wrong sign: it walks uphill",
        ),
        (
            """
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g**2
            p -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"not kept in state from step to step",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= 0.01 * self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"0.01 times the right step",
        ),
    ],
    "dropout": [
        ({0: "self.scale = kept.astype(x.dtype)"}, r"factor 1/\(1-p\) is missing"),
        ({1: "return dy"}, r"derivative is missing"),
        ({1: "return dy * (self.scale > 0)"}, r"factor 1/\(1-p\) is missing"),
        (
            {0: "self.scale = (~kept).astype(x.dtype) / (1 - self.p)"},
            r"the output is wrong",
        ),
    ],
    "l1 penalty": [
        ("return self.strength * np.ones_like(self.W)", r"a sign\(...\) is missing"),
        ("return -self.strength * np.sign(self.W)", r"wrong sign"),
        ("return np.sign(self.W)", r"10 times the right value"),
        ("return self.strength * np.sign(self.W).sum()", r"shape \(\)"),
    ],
}
