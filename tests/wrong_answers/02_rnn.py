"""What learners write in 02_rnn, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "step forward": [
        (
            "return np.tanh(x * W_xh + h * W_hh + b)",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "return np.tanh(x @ W_xh) + h @ W_hh + b",
            r"slip: the tanh is taken of x @ W_xh alone: all three terms stand inside",
        ),
        (
            "return np.tanh(x @ W_xh + b) + np.tanh(h @ W_hh)",
            r"slip: each term has a tanh of its own: add first, then take one tanh",
        ),
        (
            "return 1 / (1 + np.exp(-(x @ W_xh + h @ W_hh + b)))",
            r"slip: a sigmoid stands where `np\.tanh` belongs",
        ),
        (
            "return np.tanh(x @ W_hh + h @ W_xh + b)",
            r"stops at line .*ValueError.*The inner sizes",
        ),
        (
            "return np.tanh(np.hstack([x, h]) @ np.vstack([W_hh, W_xh]) + b)",
            r"slip: the weights are stacked in another order than x and h",
        ),
        (
            "return np.tanh(x @ W_xh + h @ W_hh - b)",
            r"slip: `b` in `x @ W_xh \+ h @ W_hh \+ b` has the wrong sign",
        ),
        (
            "return h + np.tanh(x @ W_xh + h @ W_hh + b)",
            r"slip: the old state is added once more: h_t is the tanh alone",
        ),
        (
            "return np.tanh(x @ W_xh + h @ W_hh) + b",
            r"slip: the bias b stands outside the tanh",
        ),
        (
            "return np.tanh(x @ W_xh + h @ W_hh + b).mean(axis=0)",
            r"has shape \(5,\), expected \(3, 5\)",
        ),
        (
            "return np.tanh((x @ W_xh) * (h @ W_hh) + b)",
            r"slip: `x @ W_xh` and `h @ W_hh` are multiplied",
        ),
        (
            "return np.maximum(x @ W_xh + h @ W_hh + b, 0)",
            r"slip: a ReLU stands where `np\.tanh` belongs",
        ),
        (
            "return np.sin(x @ W_xh + h @ W_hh + b)",
            r"slip: a sine stands where the tanh belongs",
        ),
        (
            "return np.tanh(x @ W_xh + W_hh @ h + b)",
            r"stops at line .*ValueError.*The inner sizes",
        ),
        (
            "return np.tanh(x @ W_xh + b + h @ W_hh + b)",
            r"slip: the bias is added twice",
        ),
        (
            "return np.tanh(np.tanh(x @ W_xh + h @ W_hh + b))",
            r"slip: `np\.tanh` is taken twice",
        ),
        (
            "return np.tanh(x @ W_xh - h @ W_hh + b)",
            r"slip: `h @ W_hh` has the wrong sign",
        ),
        (
            """
            h *= 1
            h[...] = np.tanh(x @ W_xh + h @ W_hh + b)
            return h
            """,
            r"changes its argument `h` in place",
        ),
        (
            """
            a = x @ W_xh + h @ W_hh + b
            np.tanh(a)
            return a
            """,
            r"slip: `np\.tanh` is missing",
        ),
        (
            "return np.tanh(x[0] @ W_xh + h[0] @ W_hh + b)",
            r"has shape \(5,\), expected \(3, 5\)",
        ),
        (
            "return np.tanh(x @ W_xh + h @ W_hh)",
            r"slip: the term `b` in `x @ W_xh \+ h @ W_hh \+ b` is missing",
        ),
        ("return x @ W_xh + h @ W_hh + b", r"slip: `np\.tanh` is missing"),
        ("return np.tanh(x @ W_xh + b)", r"slip: the term `h @ W_hh` is missing"),
        (
            "return np.tanh(x @ W_xh + h @ W_hh.T + b)",
            r"slip: `W_hh` is transposed: it must not be",
        ),
        ("np.tanh(x @ W_xh + h @ W_hh + b)", r"returns nothing: end it with return"),
        (
            "return np.tanh(W_xh @ x.T + W_hh @ h.T + b)",
            r"stops at line .*ValueError",
        ),
        (
            "return np.tanh(x @ W_xh) + np.tanh(h @ W_hh) + b",
            r"slip: the tanh is taken of each term: add first, then one tanh of",
        ),
    ],
    "step backward": [
        (
            """
            da = dh * (h_new**2 - 1)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"It has the wrong sign",
        ),
        (
            """
            da = dh * h_new * (1 - h_new)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"slip: this is the slope of a sigmoid: that of the tanh is 1 - h_new\*\*2",
        ),
        (
            """
            da = dh * (1 - np.tanh(h_new) ** 2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"slip: the tanh is taken once more: h_new is the tanh already",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, da.T @ x, h.T @ da, da.sum(axis=0)
            """,
            r"has shape \(5, 4\), expected \(4, 5\)",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, da.T @ h, da.sum(axis=0)
            """,
            r"It looks transposed",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ dh, da.sum(axis=0)
            """,
            r"slip: dW_hh is made from dh: the slope of the tanh is missing, use da",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ dh, h.T @ da, da.sum(axis=0)
            """,
            r"slip: dW_xh is made from dh: the slope of the tanh is missing, use da",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, dh.sum(axis=0)
            """,
            r"slip: db is made from dh: the slope of the tanh is missing, use da",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da / len(x), h.T @ da / len(x), da.sum(axis=0)
            """,
            r"It is 3 times too small \(the length of axis 0 of `dh`\)",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            out = da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"returns nothing",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"stops at line .*ValueError.*The inner sizes",
        ),
        (
            """
            da = dh * (1 - np.tanh(x @ W_xh + h_new @ W_hh) ** 2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"slip: the state is computed anew, from h_new and without b: h_new is the tan",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da, da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"returns a tuple",
        ),
        (
            """
            da = dh * (1 - h_new)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"slip: the slope is 1 - h_new\*\*2, with the square",
        ),
        (
            """
            da = dh * (1 + h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"slip: `h_new \*\* 2` has the wrong sign",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return dh @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"slip: dx is made from dh: the slope of the tanh comes first, use da",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_hh.T, da @ W_xh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"has shape \(3, 5\), expected \(3, 4\)",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.mean(axis=0)
            """,
            r"It is 3 times too small \(the length of axis 0 of `dh`\)",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=1)
            """,
            r"has shape \(3,\), expected \(5,\)",
        ),
        (
            """
            dh *= 1 - h_new**2
            return dh @ W_xh.T, dh @ W_hh.T, x.T @ dh, h.T @ dh, dh.sum(axis=0)
            """,
            r"changes its argument `dh` in place",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T + dh, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"slip: dh is added to dh_before: it goes back through W_hh only",
        ),
        (
            """
            da = dh_new * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"stops at line .*NameError.*Did you mean h_new",
        ),
        (
            """
            da = dh
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)

            """,
            r"slip: the slope of the tanh is missing: da = dh \* \(1 - h_new\*\*2\)",
        ),
        (
            """
            da = dh * (1 - h**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)

            """,
            r"the slope belongs to the new state",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh, x.T @ da, h.T @ da, da.sum(axis=0)

            """,
            r"slip: W_hh looks transposed: h @ W_hh goes back by da @ W_hh\.T",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h_new.T @ da, da.sum(axis=0)

            """,
            r"slip: it belongs to h_\{t-1\}, from which the step started: h, not h_new",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum()

            """,
            r"has shape \(\), expected \(5,\)",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return x.T @ da, h.T @ da, da.sum(axis=0)

            """,
            r"returns a tuple",
        ),
        (
            """
            da = dh * (1 - h_new)**2
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"slip: `\(1 - h_new\) \*\* 2` where `1 - h_new \*\* 2` belongs",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ dh, h.T @ dh, dh.sum(axis=0)
            """,
            r"slip: dW_xh, dW_hh and db are made of dh: they need da, as dx does",
        ),
    ],
    "loop over time": [
        (
            """
            dh = dy[:, t + 1] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"stops at line .*IndexError.*The index is too large",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t - 1], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"What goes back through time is right, as dx is",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t], self.h[t - 1], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"slip: the states are one step off: step t leads from self\.h\[t\] to self\.h\[t \+",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], back, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            dh_next = dh_next + back
            """,
            r"Only the last 2 of 6 time steps are right",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t], self.h[t + 1], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"slip: the states are one step off: step t leads from self\.h\[t\] to self\.h\[t \+",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total = total + g
            """,
            r"It is zero everywhere",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"stops at line .*IndexError.*The index is too large",
        ),
        (
            """
            dh = dy[t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"stops at line .*IndexError.*The index is too large",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[-1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"slip: the new state is that of the last step every time: it is self\.h\[t \+ 1\]",
        ),
        (
            """
            dy[:, t] += dh_next
            dh = dy[:, t]
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"changes its input dy in place",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total -= g
            """,
            r"It has the wrong sign",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            if t == 0:
                for total, g in zip(self.grads.values(), grads):
                    total += g
            """,
            r"What goes back through time is right, as dx is",
        ),
        (
            """
            dh = dy.sum(axis=1) + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"slip: dy is summed over all steps: step t hears of dy\[:, t\] and of dh_next",
        ),
        (
            """
            dh = dy[:, t] - dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"Only the last 1 of 6 time steps are right",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_hh, W_xh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            _, dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"MyRNN: dx holds NaN or infinity",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g / dy.shape[1]
            """,
            r"slip: the gradients are a mean over the steps: add up, the weights act in ev",
        ),
        (
            """
            dx[:, t], dh_next, *grads = my_step_backward(dy[:, t], self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            dh_next = dh_next + dy[:, t]
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"Only the last 1 of 6 time steps are right",
        ),
        (
            """
            dx[:, t], _, *grads = my_step_backward(
                dy[:, t], self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g

            """,
            r"Only the last 1 of 6 time steps are right: a path back through time is lost",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(
                dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            self.grads = dict(zip(self.grads, grads))

            """,
            r"add up over the steps",
        ),
        (
            """
            dh = dy[:, t] if t == dy.shape[1] - 1 else dh_next
            dx[:, t], dh_next, *grads = my_step_backward(
                dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g

            """,
            r"only the last along axis 1 of dy counts",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(
                dh, self.h[t + 1], self.h[t + 1], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g

            """,
            r"each with its own x_t and the h_\{t-1\} it started from",
        ),
        (
            """
            dh_next = dy[:, t] + dh_next
            dx[:, t], dh_next, *grads = my_step_backward(
                dh_next, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)

            """,
            r"zero everywhere: is it ever assigned",
        ),
        (
            """
            dh = dh_next + dy[:, -1]
            dx[:, t], dh_next, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"slip: dy of the last step stands in every step: it is dy\[:, t\]",
        ),
        (
            """
            dh = dy[:, t] + dh_next
            dx[:, t], dh_before, *grads = my_step_backward(dh, self.h[t + 1], self.h[t], self.x[:, t], W_xh, W_hh)
            dh_next += dh_before
            for total, g in zip(self.grads.values(), grads):
                total += g
            """,
            r"Only the last 2 of 6 time steps are right: a path back through time is",
        ),
    ],
}

# These look otherwise than the solution, and are right.
RIGHT = {
    "step forward": [
        "return np.tanh(np.concatenate([x, h], axis=1) @ np.concatenate([W_xh, W_hh]) + b)",
        "return np.tanh(np.einsum('nd,dh->nh', x, W_xh) + np.einsum('nk,kh->nh', h, W_hh) + b)",
        """
            a = x @ W_xh + h @ W_hh + b
            return (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a))
            """,
    ],
    "step backward": [
        """
            da = dh * (1 - h_new**2)
            return [da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)]
            """,
        """
            slope = 1 - np.square(h_new)
            da = slope * dh
            dx, dh_before = da.dot(W_xh.T), da.dot(W_hh.T)
            return dx, dh_before, x.T.dot(da), h.T.dot(da), np.sum(da, axis=0)
            """,
    ],
    "loop over time": [
        """
            da = (dy[:, t] + dh_next) * (1 - self.h[t + 1] ** 2)
            dx[:, t] = da @ W_xh.T
            dh_next = da @ W_hh.T
            self.grads['W_xh'] += self.x[:, t].T @ da
            self.grads['W_hh'] += self.h[t].T @ da
            self.grads['b'] += da.sum(axis=0)
            """,
    ],
}
