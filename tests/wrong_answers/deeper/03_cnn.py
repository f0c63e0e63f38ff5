"""What learners write in deeper/03_cnn, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
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
        (
            "return (n - k + padding) // stride + 1",
            r"slip: the padding lies at both ends: twice",
        ),
        (
            "return n // stride - k + 2 * padding + 1",
            r"slip: only n is divided by the stride: divide all the steps that f",
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
        (
            "cols[:, p, q] = last[:, p:oh, q:ow]",
            r"stops at line .*ValueError",
        ),
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
        (
            "dseen[self.seen.argmax(axis=-1)] = dy",
            r"stops at line .*ValueError",
        ),
        (
            "dseen += dy[..., None]",
            r"slip: it goes to every pixel: only the largest had any influence",
        ),
    ],
}

# These look otherwise than the solution, and are right.
RIGHT = {
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
}
