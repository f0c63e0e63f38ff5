"""What learners write in 01_nn, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "cross-entropy backward": [
        (
            """
            ds = p.copy()
            ds[:, self.t] -= 1
            return ds / len(p)
            """,
            r"slip: the 1 is subtracted in all rows: each row has its own class, \[self\.row",
        ),
        (
            "return (p - self.t[:, None]) / len(p)",
            r"slip: the class number is subtracted: it is 1, and only where c = t",
        ),
        (
            """
            ds = self.log_p.copy()
            ds[self.rows, self.t] -= 1
            return ds / len(p)
            """,
            r"slip: log p stands where p belongs",
        ),
        (
            """
            ds = np.zeros_like(p)
            ds[self.rows, self.t] = p[self.rows, self.t] - 1
            return ds / len(p)
            """,
            r"slip: only the true class gets a gradient: the others get p / N",
        ),
        (
            """
            ds = np.zeros_like(p)
            ds[self.rows, self.t] = -1 / p[self.rows, self.t]
            return ds / len(p)
            """,
            r"slip: this is the slope of -log p with respect to p: the softmax comes befor",
        ),
        (
            "return (p - np.eye(len(p))[self.t]) / len(p)",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] -= 1
            return ds / p.shape[1]
            """,
            r"slip: divided by the number of classes, not by the number of examples N",
        ),
        (
            """
            ds = p.copy()
            ds[self.t, self.rows] -= 1
            return ds / len(p)
            """,
            r"stops at line .*IndexError.*The index is too large",
        ),
        (
            "return (p - self.t) / len(p)",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "return p * (1 - p) / len(p)",
            r"slip: this is the diagonal of the softmax's Jacobian: every score changes ev",
        ),
        (
            "return p / len(p)",
            r"slip: the true class is forgotten: subtract 1 where c = t",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] = -1
            return ds / len(p)
            """,
            r"slip: = -1 overwrites p there: subtract 1 from it, with -= 1",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] += 1
            return ds / len(p)
            """,
            r"slip: 1 is added at the true class: subtract it",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] = 1 - ds[self.rows, self.t]
            return ds / len(p)
            """,
            r"slip: the true class is left out: it gets p - 1",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] -= 1
            return ds.mean(axis=0)
            """,
            r"has shape \(4,\), expected \(5, 4\)",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] -= 1 / len(p)
            return ds
            """,
            r"slip: only the 1 is divided by N: the whole of p - 1 is",
        ),
        (
            """
            p = p / p.sum(axis=0)
            ds = p
            ds[self.rows, self.t] -= 1
            return ds / len(p)
            """,
            r"slip: the columns are made to sum to 1: p is ready, every row sums to 1",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, target] -= 1
            return ds / len(p)
            """,
            r"stops at line .*NameError.*At hand are",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] -= 1
            return ds
            """,
            r"batch size: 5 times too large",
        ),
        (
            """
            ds = -p
            ds[self.rows, self.t] += 1
            return ds / len(p)
            """,
            r"wrong sign",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] -= 1
            return ds / p.size
            """,
            r"divide by the rows N",
        ),
        (
            """
            p[self.rows, self.t] -= 1
            p / len(p)
            """,
            r"returns nothing: end it with return",
        ),
    ],
    "linear backward": [
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            return dy @ self.params["W"]
            """,
            r"stops at line .*ValueError.*The inner sizes",
        ),
        (
            """
            self.grads = {"W": np.outer(self.x[0], dy[0]), "b": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"slip: dW comes from the first example alone: every example adds to it",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            dx = dy @ self.params["W"].T
            """,
            r"returns nothing",
        ),
        (
            """
            self.grads = {"dW": self.x.T @ dy, "db": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"stores no gradient for W",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0, keepdims=True)}
            return dy @ self.params["W"].T
            """,
            r"has shape \(1, 3\), expected \(3,\)",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy + self.params["W"], "b": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"slip: W itself is added to dW",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            return dy @ weights.T
            """,
            r"stops at line .*NameError.*At hand are",
        ),
        (
            """
            self.grads["W"] += self.x.T @ dy
            self.grads["b"] += dy.sum(axis=0)
            return dy @ self.params["W"].T
            """,
            r"stops at line .*KeyError.*no such key",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            return dy @ self.params["W"].T + self.x
            """,
            r"slip: the input x is added to dx",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            return self.x @ self.params["W"] @ self.params["W"].T
            """,
            r"slip: dx is made from y, not from dy",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=1)}
            return dy @ self.params["W"].T
            """,
            r"has shape \(5,\), expected \(3,\)",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy / len(dy), "b": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"It is off by the batch size",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            return self.params["W"] @ dy.T
            """,
            r"has shape \(4, 5\), expected \(5, 4\)",
        ),
        (
            """
            self.params["W"] -= self.x.T @ dy
            self.params["b"] -= dy.sum(axis=0)
            return dy @ self.params["W"].T
            """,
            r"MyLinear: backward changes its parameter W: only the optimiz",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy}
            return dy @ self.params["W"].T
            """,
            r"stores no gradient for b",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            return self.grads
            """,
            r"MyLinear: backward returns a dict: return dx alone, and assi",
        ),
        (
            """
            self.grads = {"b": self.x.T @ dy, "W": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"has shape \(3,\), expected \(4, 3\)",
        ),
        (
            """
            self.grads = {"W": self.x.T @ np.abs(dy), "b": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"slip: `np\.abs` around `dy` is too much",
        ),
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
        (
            "return dy * (self.x < 0)",
            r"slip: it opens on the other side: the slope is 1 where x > 0",
        ),
        ("return dy * (self.x != 0)", r"It is dy, passed on unchanged"),
        (
            "return np.where(self.x > 0, 1, 0)",
            r"It is the layer's own derivative without dy",
        ),
        (
            "return np.where(self.x > 0, dy, 0.01 * dy)",
            r"slip: this is the slope of a LeakyReLU: below 0 it is 0",
        ),
        (
            "return np.where(self.x > 0, dy, self.x)",
            r"slip: where x is below 0 stands x: the slope there is 0",
        ),
        (
            """
            dx = dy
            dx[self.x <= 0] = 0
            return dx
            """,
            r"changes its input dy in place",
        ),
        ("return dy * self.x > 0", r"It is a mask, not a gradient"),
        ("return dy @ (self.x > 0)", r"stops at line .*ValueError.*The inner sizes"),
        (
            "return dy * np.sign(self.x)",
            r"slip: where x is below 0 stands -dy: the slope there is 0",
        ),
        ("self.dx = dy * (self.x > 0)", r"returns nothing"),
        (
            "return dy * (self.x > 1)",
            r"slip: it opens where x > 1: the slope is 1 from 0 on",
        ),
        (
            "return dy * (dy > 0)",
            r"slip: the mask asks dy: it is x that must be above 0",
        ),
        (
            "return np.maximum(dy, 0)",
            r"slip: this is the ReLU of dy: it is x that must be above 0",
        ),
        (
            """
            y = np.maximum(self.x, 0)
            return np.where(y >= 0, dy, 0)
            """,
            r"It is dy, passed on unchanged",
        ),
        ("return self.x > 0", r"It is the layer's own derivative without dy"),
        (
            "return dy * (self.x[:, :1] > 0)",
            r"slip: the mask of the first column counts for all columns",
        ),
        (
            "return dy if self.x > 0 else 0",
            r"stops at line .*ValueError.*use np\.where",
        ),
        ("return dy[self.x > 0]", r"has shape \(9,\), expected \(5, 4\)"),
        (
            """
            dy[self.x < 0] = 0
            return dy
            """,
            r"changes its input dy in place",
        ),
        ("return dy * (np.maximum(self.x, 0) >= 0)", r"derivative is missing"),
        ("return (self.x > 0).astype(float)", r"without dy: the chain rule"),
        (
            "return dy * np.maximum(self.x, 0)",
            r"slip: dy is multiplied by the output: multiply by the slope, 0 or 1",
        ),
    ],
    "batches": [
        (
            """
            order = rng.permutation(len(x))
            for start in range(0, len(x), batch_size):
                chosen = order[start : start + batch_size]
                return x[chosen], y[chosen]
            """,
            r"returns a tuple",
        ),
        (
            """
            order = rng.permutation(len(x))
            for i in range(len(x) // batch_size):
                chosen = order[i * batch_size : (i + 1) * batch_size]
                yield x[chosen], y[chosen]
            """,
            r"2 of 20 examples never appear in an epoch: the last, smaller",
        ),
        (
            """
            order = rng.permutation(len(x))
            for start in range(0, len(x), batch_size):
                yield x[start : start + batch_size], y[start : start + batch_size]
            """,
            r"the examples are never shuffled: use rng\.permutation\(len\(x\)\)",
        ),
        (
            """
            order = rng.permutation(len(x))
            for start in range(len(x)):
                chosen = order[start : start + batch_size]
                yield x[chosen], y[chosen]
            """,
            r"19 examples appear more than once in an epoch",
        ),
        (
            """
            for i in rng.permutation(len(x)):
                yield x[i : i + 1], y[i : i + 1]
            """,
            r"the batches have sizes 1, 1, 1, 1, 1, 1, 1, 1, \.\.\., expected",
        ),
        (
            """
            for start in range(0, len(x), batch_size):
                chosen = rng.permutation(np.arange(start, min(start + batch_size, len(x))))
                yield x[chosen], y[chosen]
            """,
            r"the same examples come together in every epoch: shuffle all ",
        ),
        (
            """
            order = rng.permutation(len(x))
            for chosen in np.split(order, len(x) // batch_size):
                yield x[chosen], y[chosen]
            """,
            r"stops at line .*ValueError.*np\.split wants",
        ),
        (
            """
            order = rng.permutation(len(x))
            return x[order], y[order]
            """,
            r"returns a tuple",
        ),
        (
            """
            seed = rng.integers(1 << 30)
            np.random.default_rng(seed).shuffle(x)
            np.random.default_rng(seed).shuffle(y)
            for start in range(0, len(x), batch_size):
                yield x[start : start + batch_size], y[start : start + batch_size]
            """,
            r"changes the caller's x in place",
        ),
        (
            """
            order = rng.permutation(len(x))
            x[:], y[:] = x[order], y[order]
            for start in range(0, len(x), batch_size):
                yield x[start : start + batch_size], y[start : start + batch_size]
            """,
            r"changes the caller's x in place",
        ),
        (
            """
            order = rng.permutation(len(x))
            for chosen in np.array_split(order, -(-len(x) // batch_size)):
                yield x[chosen], y[chosen]
            """,
            r"the batches have sizes 5, 5, 5, 5, expected 6, 6, 6, 2: all ",
        ),
        (
            """
            order = rng.permutation(len(x))
            order = np.concatenate([order, order[:-len(x) % batch_size]])
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                yield x[chosen], y[chosen]
            """,
            r"4 examples appear twice in an epoch, to fill up the last bat",
        ),
        (
            """
            order = np.random.permutation(len(x))
            for start in range(0, len(x), batch_size):
                chosen = order[start : start + batch_size]
                yield x[chosen], y[chosen]
            """,
            r"batches draws from numpy's global generator, np\.random, and ",
        ),
        (
            """
            order = np.random.default_rng(0).permutation(len(x))
            for start in range(0, len(x), batch_size):
                chosen = order[start : start + batch_size]
                yield x[chosen], y[chosen]
            """,
            r"every epoch has the same order: shuffle anew in each, with r",
        ),
        (
            """
            order = rng.permutation(len(x))
            for start in range(0, len(x), batch_size):
                yield x[order[start : start + batch_size]]
            """,
            r"batches yields a ndarray: yield each batch, x and y together",
        ),
        (
            """
            order = rng.permutation(len(x))
            for start in range(0, len(x), batch_size):
                chosen = order[start : start + batch_size]
                yield x[chosen].ravel(), y[chosen]
            """,
            r"has shape \(24,\), expected \(N, 2, 2\)",
        ),
        (
            """
            order = rng.permutation(len(x))
            for start in range(0, len(x), batch_size):
                chosen = order[start : start + batch_size]
                yield x[chosen], y[start : start + batch_size]
            """,
            r"x and y come apart: use one order for both",
        ),
        (
            """
            order = rng.permutation(len(x))
            for start in range(0, len(x), 6):
                chosen = order[start : start + 6]
                yield x[chosen], y[chosen]
            """,
            r"with 15 examples and batch_size 5: a batch has more than 5 e",
        ),
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
            m += (1 - beta2) * (g - m)
            v += (1 - beta1) * (g**2 - v)
            p -= self.lr * (m / (1 - beta2**t)) / (np.sqrt(v / (1 - beta1**t)) + eps)
            """,
            r"slip: beta1 and beta2 are exchanged",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * m / (np.sqrt(v) + eps)
            """,
            r"slip: there is no bias correction: at first m and v are too small",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"slip: the learning rate is missing",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (m / (1 - beta1**t)) / np.sqrt(v / (1 - beta2**t)) + eps
            """,
            r"slip: eps is added to the whole step: a bracket around sqrt\(\.\.\.\) \+ eps is mi",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (m / (1 - beta1) ** t) / (np.sqrt(v / (1 - beta2) ** t) + eps)
            """,
            r"slip: \(1 - beta\)\*\*t where 1 - beta\*\*t belongs: t is the exponent of beta alo",
        ),
        (
            """
            m *= beta1
            m += g
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"slip: the factor 1 - beta1 is missing in m",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (m**2 - v)
            p -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"slip: v is made of m: it is the running mean of g\*\*2",
        ),
        (
            """
            p -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            """,
            r"slip: p moves before m and v are updated: at the first step both are 0",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (m / (1 - beta1**t)) / np.sqrt(v / (1 - beta2**t))
            """,
            r"slip: eps is missing",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            m /= 1 - beta1**t
            v /= 1 - beta2**t
            p -= self.lr * m / (np.sqrt(v) + eps)
            """,
            r"slip: the corrected m and v are kept: keep the plain ones, correct them in t",
        ),
        (
            """
            state["t"] += 1
            t = state["t"]
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"slip: t is counted twice: the line above has done it",
        ),
        (
            """
            m *= beta1
            m += (1 - beta2) * g
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"slip: the step is 0\.01 times too small: does m grow by 1 - beta2 instead of ",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v[...] = (1 - beta2) * g**2
            p -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"slip: v forgets all that was before: v = beta2 \* v \+ \(1 - beta2\) \* g\*\*2",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (g / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"slip: the step uses g: it is m that is divided",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (m / (1 - beta1**t)) / np.sqrt(v / (1 - beta2**t) + eps)
            """,
            r"slip: eps stands inside the root: it is added to the root",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (m / (1 - beta1 * t)) / (np.sqrt(v / (1 - beta2 * t)) + eps)
            """,
            r"slip: 1 - beta \* t where 1 - beta\*\*t belongs: t is an exponent",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (m / (1 - beta1**t)) / (v / (1 - beta2**t) + eps)
            """,
            r"slip: the root is missing below the line: sqrt of v",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g - v)
            p -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"slip: v is the running mean of g: square it, g\*\*2",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v) + eps)
            """,
            r"slip: only m has its bias correction: v needs one, too",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= self.lr * (m / (1 - beta1**(t - 1))) / (np.sqrt(v / (1 - beta2**(t - 1))) + eps)
            """,
            r"slip: the exponent is t - 1: the first step has t = 1",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            return p - self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
            r"MyAdam: p never changes\. Update it in place: p -= \.\.\., not p",
        ),
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
            r"slip: m and v are new arrays that nobody keeps: change them in place, m\[\.\.\.\]",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g**2 - v)
            p -= 0.01 * self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)

            """,
            r"slip: the step is 0\.01 times too small: does m grow by 1 - beta2 instead of ",
        ),
    ],
    "dropout": [
        (
            {0: "self.scale = kept.astype(x.dtype) / self.p"},
            r"slip: divided by p: the kept ones are 1 - p of all",
        ),
        (
            {0: "self.scale = kept.astype(x.dtype) * (1 - self.p)"},
            r"slip: multiplied by 1 - p: divide, so that the mean stays",
        ),
        (
            {0: "scale = kept.astype(x.dtype) / (1 - self.p)"},
            r"slip: self\.scale is still 1 everywhere: assign it",
        ),
        (
            {1: "return dy / self.scale"},
            r"MyDropout: dx holds NaN or infinity\. Was something divided b",
        ),
        (
            {
                1: """
            kept = self.rng.random(dy.shape) >= self.p
            return dy * kept.astype(dy.dtype) / (1 - self.p)
            """
            },
            r"slip: backward draws a mask of its own: it must be that of forward, self\.sca",
        ),
        (
            {0: "self.scale[kept] = 1 / (1 - self.p)"},
            r"slip: what is silenced keeps its scale 1: it must be 0",
        ),
        (
            {1: "return dy * self.scale / (1 - self.p)"},
            r"slip: backward scales twice: 1/\(1 - p\) is in self\.scale already",
        ),
        (
            {
                0: "self.scale = np.repeat(kept[:, :1], x.shape[1], axis=1).astype(x.dtype) / (1 - self.p)"
            },
            r"slip: whole rows are silenced: kept has a decision for each number",
        ),
        (
            {0: "self.scale = np.full_like(x, 1 / (1 - self.p))"},
            r"slip: nothing is silenced: kept is not used",
        ),
        (
            {0: "self.scale = kept.astype(x.dtype) / (1 - self.p) ** 0.5"},
            r"slip: divided by the root of 1 - p: it is the mean that stays, so divide by ",
        ),
        (
            {0: "self.scale = kept.astype(x.dtype) / kept.mean()"},
            r"slip: divided by the share that was kept by chance: divide by 1 - p",
        ),
        (
            {0: "self.scale = kept.astype(x.dtype) + 1 / (1 - self.p)"},
            r"slip: 1/\(1 - p\) is added: multiply kept by it",
        ),
        ({1: "dx = dy * self.scale"}, r"returns nothing"),
        ({1: "return self.scale"}, r"It is the layer's own derivative without dy"),
        (
            {0: "self.scale = (1 - kept) / (1 - self.p)"},
            r"slip: kept and silenced are exchanged",
        ),
        (
            {0: "self.scale = kept.astype(x.dtype)"},
            r"slip: the mean does not stay: divide by 1 - p",
        ),
        ({1: "return dy"}, r"derivative is missing"),
        ({1: "return dy * (self.scale > 0)"}, r"factor 1/\(1-p\) is missing"),
        (
            {0: "self.scale = (~kept).astype(x.dtype) / (1 - self.p)"},
            r"the output is wrong",
        ),
    ],
    "l1 penalty": [
        (
            "return self.strength * np.sign(self.W) * self.W",
            r"slip: the sign is multiplied by W, which gives \|W\|: the slope is the sign al",
        ),
        (
            "return np.sign(self.strength * self.W)",
            r"slip: the strength is missing, or stands inside the sign, where it does noth",
        ),
        (
            "return 2 * self.strength * self.W",
            r"slip: this is the slope of W\*\*2, not of \|W\|",
        ),
        (
            "return self.strength * np.sign(W)",
            r"has shape \(784, 8\), expected \(4, 3\)",
        ),
        ("dW = self.strength * np.sign(self.W)", r"returns nothing"),
        (
            "return self.strength if self.W > 0 else -self.strength",
            r"stops at line .*ValueError.*use np\.where",
        ),
        (
            "return self.strength * np.abs(self.W)",
            r"slip: the sign is multiplied by W, which gives \|W\|: the slope is the sign al",
        ),
        (
            "return self.strength * self.W / np.abs(self.W)",
            r"MyL1: dx holds NaN or infinity\. Was something divided by 0, ",
        ),
        (
            "return self.strength * np.where(self.W >= 0, 1.0, -1.0)",
            r"slip: the slope at 0 is 1 here: it counts as 0",
        ),
        (
            "return self.strength * np.sign(self.W) / 2",
            r"slip: `self.strength` is halved",
        ),
        (
            "return self.strength * np.sign(self.W) / self.W.size",
            r"slip: divided by the number of weights: the penalty is a sum",
        ),
        (
            "return self.strength * np.clip(self.W, -1, 1)",
            r"slip: W is cut at -1 and 1: the slope is the sign, however small W is",
        ),
        (
            "return self.strength * np.ones_like(self.W)",
            r"slip: the sign is forgotten: the slope of \|W\| is -1 where W is below 0",
        ),
        ("return -self.strength * np.sign(self.W)", r"wrong sign"),
        (
            "return np.sign(self.W)",
            r"slip: the strength is missing, or stands inside the sign, where it does noth",
        ),
        ("return self.strength * np.sign(self.W).sum()", r"shape \(\)"),
    ],
}

# These look otherwise than the solution, and are right.
RIGHT = {
    "cross-entropy backward": [
        "return (p - np.eye(p.shape[1])[self.t]) / p.shape[0]",
        """
            ds = np.zeros_like(p)
            for n in range(len(p)):
                for c in range(p.shape[1]):
                    ds[n, c] = (p[n, c] - (c == self.t[n])) / len(p)
            return ds
            """,
        """
            ds = p.copy()
            np.subtract.at(ds, (self.rows, self.t), 1)
            return ds / len(ds)
            """,
    ],
    "linear backward": [
        """
            self.grads = {"W": np.einsum("ni,nj->ij", self.x, dy), "b": np.einsum("nj->j", dy)}
            return np.einsum("nj,ij->ni", dy, self.params["W"])
            """,
        """
            dW, db, dx = np.zeros_like(self.params["W"]), np.zeros_like(self.params["b"]), np.zeros_like(self.x)
            for n in range(len(dy)):
                dW += np.outer(self.x[n], dy[n])
                db += dy[n]
                dx[n] = self.params["W"] @ dy[n]
            self.grads = {"W": dW, "b": db}
            return dx
            """,
        """
            self.grads = {"W": (dy.T @ self.x).T, "b": np.ones(len(dy)) @ dy}
            return (self.params["W"] @ dy.T).T
            """,
        """
            self.grads = dict(W=(dy.T @ self.x).T, b=np.sum(dy, 0))
            return np.dot(dy, self.params["W"].transpose())
            """,
        """
            self.grads = {"W": np.tensordot(self.x, dy, axes=(0, 0)), "b": dy.sum(0)}
            return np.inner(dy, self.params["W"])
            """,
    ],
    "relu backward": [
        "return np.where(self.x > 0, dy, 0)",
        """
            dx = dy.copy()
            dx[self.x <= 0] = 0
            return dx
            """,
        """
            dx = np.zeros_like(dy)
            for i in np.ndindex(dy.shape):
                if self.x[i] > 0:
                    dx[i] = dy[i]
            return dx
            """,
        "return dy * (self.x > 0).astype(int)",
        "return dy * np.heaviside(self.x, 0)",
        "return np.multiply(dy, self.x > 0)",
    ],
    "batches": [
        """
            order = np.argsort(rng.random(len(x)))
            x, y = x[order], y[order]
            for start in range(0, len(x), batch_size):
                yield x[start : start + batch_size], y[start : start + batch_size]
            """,
        """
            order = np.arange(len(x))
            rng.shuffle(order)
            start = 0
            while start < len(x):
                chosen = order[start : start + batch_size]
                start += batch_size
                yield x[chosen], y[chosen]
            """,
        """
            order = rng.permutation(len(x))
            yield from [(x[order[i : i + batch_size]], y[order[i : i + batch_size]]) for i in range(0, len(x), batch_size)]
            """,
        """
            order = rng.permutation(len(y))
            x, y = x[order], y[order]
            while len(x):
                yield x[:batch_size], y[:batch_size]
                x, y = x[batch_size:], y[batch_size:]
            """,
    ],
    "adam update": [
        """
            state["m"] = m = beta1 * m + (1 - beta1) * g
            state["v"] = v = beta2 * v + (1 - beta2) * g * g
            p -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
            """,
        """
            m[:] = beta1 * m + (1 - beta1) * g
            v[:] = beta2 * v + (1 - beta2) * np.square(g)
            m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
            p[...] = p - self.lr * m_hat / (v_hat**0.5 + eps)
            """,
        """
            for i in np.ndindex(p.shape):
                m[i] = beta1 * m[i] + (1 - beta1) * g[i]
                v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2
                p[i] -= self.lr * m[i] / (1 - beta1**t) / (np.sqrt(v[i] / (1 - beta2**t)) + eps)
            """,
        """
            np.add(beta1 * m, (1 - beta1) * g, out=m)
            np.add(beta2 * v, (1 - beta2) * g**2, out=v)
            np.subtract(p, self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps), out=p)
            """,
    ],
    "dropout": [
        {0: "self.scale = kept * (1 / (1 - self.p))"},
        {
            0: """
            self.scale[~kept] = 0
            self.scale /= 1 - self.p
            """,
            1: """
            dx = np.zeros_like(dy)
            dx[self.scale > 0] = dy[self.scale > 0] / (1 - self.p)
            return dx
            """,
        },
        {0: "self.scale = np.where(kept, 1 / (1 - self.p), 0).astype(x.dtype)"},
    ],
    "l1 penalty": [
        """
            dW = np.zeros_like(self.W)
            dW[self.W > 0] = self.strength
            dW[self.W < 0] = -self.strength
            return dW
            """,
        "return self.strength * ((self.W > 0).astype(int) - (self.W < 0).astype(int))",
        "return np.where(self.W > 0, self.strength, np.where(self.W < 0, -self.strength, 0))",
        "return np.where(self.W == 0, 0, np.copysign(self.strength, self.W)).astype(self.W.dtype)",
    ],
}
