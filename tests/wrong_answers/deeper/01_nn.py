"""What learners write in deeper/01_nn, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
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
        (
            """
            order = rng.permutation(len(x))
            for start in range(batch_size):
                chosen = order[start : start + batch_size]
                yield x[chosen], y[chosen]
            """,
            r"some examples appear twice in an epoch and others never: draw a permut",
        ),
        (
            """
            for start in range(0, len(x), batch_size):
                chosen = rng.choice(len(x), batch_size, replace=False)
                yield x[chosen], y[chosen]
            """,
            r"some examples appear twice in an epoch and others never: draw a permut",
        ),
        (
            """
            order = rng.permutation(len(x))
            for start in range(0, len(x) - 1, batch_size):
                chosen = order[start : start + batch_size - 1]
                yield x[chosen], y[chosen]
            """,
            r"3 of 20 examples never appear in an epoch: each batch begins where the",
        ),
    ],
    "adam update": [
        (
            """
            m += (1 - beta2) * (g - m)
            q += (1 - beta1) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta2**k)) / (np.sqrt(q / (1 - beta1**k)) + eps)
            """,
            r"slip: beta1 and beta2 are exchanged",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * m / (np.sqrt(q) + eps)
            """,
            r"slip: there is no bias correction: at first m and q are too small",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            """,
            r"slip: the learning rate is missing",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta1**k)) / np.sqrt(q / (1 - beta2**k)) + eps
            """,
            r"slip: eps is added to the whole step: a bracket around sqrt\(\.\.\.\) \+ eps is mi",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta1) ** k) / (np.sqrt(q / (1 - beta2) ** k) + eps)
            """,
            r"slip: \(1 - beta\)\*\*k where 1 - beta\*\*k belongs: k is the exponent of beta alo",
        ),
        (
            """
            m *= beta1
            m += g
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            """,
            r"slip: the factor 1 - beta1 is missing in m",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (m**2 - q)
            theta -= self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            """,
            r"slip: q is made of m: it is the running mean of g\*\*2",
        ),
        (
            """
            theta -= self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            """,
            r"slip: theta moves before m and q are updated: at the first step both are 0",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta1**k)) / np.sqrt(q / (1 - beta2**k))
            """,
            r"slip: eps is missing",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            m /= 1 - beta1**k
            q /= 1 - beta2**k
            theta -= self.lr * m / (np.sqrt(q) + eps)
            """,
            r"slip: the corrected m and q are kept: keep the plain ones, correct them in t",
        ),
        (
            """
            state["k"] += 1
            k = state["k"]
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            """,
            r"slip: k is counted twice: the line above has done it",
        ),
        (
            """
            m *= beta1
            m += (1 - beta2) * g
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            """,
            r"slip: the step is 0\.01 times too small: does m grow by 1 - beta2 instead of ",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q[...] = (1 - beta2) * g**2
            theta -= self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            """,
            r"slip: q forgets all that was before: q = beta2 \* q \+ \(1 - beta2\) \* g\*\*2",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (g / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            """,
            r"slip: the step uses g: it is m that is divided",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta1**k)) / np.sqrt(q / (1 - beta2**k) + eps)
            """,
            r"slip: eps stands inside the root: it is added to the root",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta1 * k)) / (np.sqrt(q / (1 - beta2 * k)) + eps)
            """,
            r"slip: 1 - beta \* k where 1 - beta\*\*k belongs: k is an exponent",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta1**k)) / (q / (1 - beta2**k) + eps)
            """,
            r"slip: the root is missing below the line: sqrt of q",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g - q)
            theta -= self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            """,
            r"slip: q is the running mean of g: square it, g\*\*2",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta1**k)) / (np.sqrt(q) + eps)
            """,
            r"slip: only m has its bias correction: q needs one, too",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta1**(k - 1))) / (np.sqrt(q / (1 - beta2**(k - 1))) + eps)
            """,
            r"slip: the exponent is k - 1: the first step has k = 1",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            return theta - self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            """,
            r"MyAdam: theta never changes\. Update it in place: theta -= \.\.\., not theta",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= self.lr * (m / (1 - beta1)) / (np.sqrt(q / (1 - beta2)) + eps)

            """,
            r"step number as its exponent",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta = theta - self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)

            """,
            r"theta never changes. Update it in place",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta += self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)

            """,
            r"wrong sign: it walks uphill",
        ),
        (
            """
            m = beta1 * m + (1 - beta1) * g
            q = beta2 * q + (1 - beta2) * g**2
            theta -= self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)

            """,
            r"slip: m and q are new arrays that nobody keeps: change them in place, m\[\.\.\.\]",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            theta -= 0.01 * self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)

            """,
            r"slip: the step is 0\.01 times too small: does m grow by 1 - beta2 instead of ",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g - q) ** 2
            theta -= self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            """,
            r"slip: g - q is squared: q is the running mean of g\*\*2",
        ),
        (
            """
            m += (1 - beta1) * (g - m)
            q += (1 - beta2) * (g**2 - q)
            state['k'] += 1
            theta -= self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            """,
            r"slip: the step number in state is counted twice: the line above ha",
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
        (
            {
                0: "self.scale = kept * (1 - self.p)",
                1: "return dy * self.scale",
            },
            r"slip: multiplied by 1 - p: divide, so that the mean stays",
        ),
        (
            {
                0: "self.scale = kept / (1 - self.p)",
                1: "return dy * (self.scale > 0)",
            },
            r"It is 1 - p times the right value: the factor 1/\(1-p\) is missing",
        ),
        (
            {
                0: "self.scale = self.rng.random(x.shape) / (1 - self.p)",
                1: "return dy * self.scale",
            },
            r"slip: random numbers scale x: only whether they are kept, 0 or 1,",
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
        (
            "return self.strength * (self.W > 0)",
            r"slip: only the positive weights have a slope: below 0 it is -stren",
        ),
        (
            "return self.strength * np.abs(np.sign(self.W))",
            r"slip: the sign is forgotten: the slope of \|W\| is -1 where W is bel",
        ),
    ],
}

# These look otherwise than the solution, and are right.
RIGHT = {
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
            state["q"] = q = beta2 * q + (1 - beta2) * g * g
            theta -= self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps)
            """,
        """
            m[:] = beta1 * m + (1 - beta1) * g
            q[:] = beta2 * q + (1 - beta2) * np.square(g)
            m_hat, v_hat = m / (1 - beta1**k), q / (1 - beta2**k)
            theta[...] = theta - self.lr * m_hat / (v_hat**0.5 + eps)
            """,
        """
            for i in np.ndindex(theta.shape):
                m[i] = beta1 * m[i] + (1 - beta1) * g[i]
                q[i] = beta2 * q[i] + (1 - beta2) * g[i] ** 2
                theta[i] -= self.lr * m[i] / (1 - beta1**k) / (np.sqrt(q[i] / (1 - beta2**k)) + eps)
            """,
        """
            np.add(beta1 * m, (1 - beta1) * g, out=m)
            np.add(beta2 * q, (1 - beta2) * g**2, out=q)
            np.subtract(theta, self.lr * (m / (1 - beta1**k)) / (np.sqrt(q / (1 - beta2**k)) + eps), out=theta)
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
