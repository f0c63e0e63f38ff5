"""What learners write in 02_rnn, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "step forward": [
        ("return np.tanh(x @ W_xh + h @ W_hh)", r"the bias b is missing"),
        ("return x @ W_xh + h @ W_hh + b", r"the tanh is missing"),
        ("return np.tanh(x @ W_xh + b)", r"the old state is missing"),
        ("return np.tanh(x @ W_xh + h @ W_hh.T + b)", r"W_hh looks transposed"),
        ("np.tanh(x @ W_xh + h @ W_hh + b)", r"returns nothing: end it with return"),
    ],
    "step backward": [
        (
            """
            da = dh
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"dx: the slope of the tanh is missing",
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
            r"dh_before: W_hh looks transposed",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h_new.T @ da, da.sum(axis=0)
            """,
            r"dW_hh: it belongs to h_\{t-1\}",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return da @ W_xh.T, da @ W_hh.T, x.T @ da, h.T @ da, da.sum()
            """,
            r"db: one number for all units",
        ),
        (
            """
            da = dh * (1 - h_new**2)
            return x.T @ da, h.T @ da, da.sum(axis=0)
            """,
            r"return five arrays: dx, dh_before",
        ),
    ],
    "loop over time": [
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
            r"Only the last 1 of 6 time steps are right",
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
    ],
    "clipping": [
        (
            """
            for g in gradients:
                norm = np.linalg.norm(g)
                if norm > max_norm:
                    g *= max_norm / norm
            return norm
            """,
            r"each array has a norm of its own",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            for g in gradients:
                np.clip(g, -max_norm, max_norm, out=g)
            return norm
            """,
            r"single entries are cut off",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            if norm > max_norm:
                for g in gradients:
                    g = g * max_norm / norm
            return norm
            """,
            r"scale the arrays in place",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            for g in gradients:
                g *= max_norm / norm
            return norm
            """,
            r"it was lengthened: scale only when",
        ),
        (
            """
            norm = sum((g**2).sum() for g in gradients)
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            return norm
            """,
            r"the root is missing",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            """,
            r"returns nothing: end it with return",
        ),
    ],
    "sampling with temperature": [
        (
            """
            e = np.exp((scores - scores.max()) * temperature)
            return rng.choice(len(scores), p=e / e.sum())
            """,
            r"multiply and divide are swapped",
        ),
        (
            """
            e = np.exp(scores - scores.max())
            return rng.choice(len(scores), p=e / e.sum())
            """,
            r"the temperature is ignored",
        ),
        ("return scores.argmax()", r"always the same class"),
        ("return rng.choice(len(scores))", r"all classes alike"),
        (
            """
            p = np.exp(scores - scores.max())
            p = np.exp(p / p.sum() / temperature)
            return rng.choice(len(scores), p=p / p.sum())
            """,
            r"divide the scores, before the softmax",
        ),
        (
            """
            e = np.exp(scores / temperature)
            return rng.choice(len(scores), p=e / e.sum())
            """,
            r"large scores overflow: subtract",
        ),
    ],
}
