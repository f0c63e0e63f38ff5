"""What learners write in deeper/02_rnn, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "clipping": [
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            if norm > max_norm:
                for g in gradients:
                    g /= norm
            return norm
            """,
            r"slip: the arrays get the length 1: max_norm is missing",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            if norm > 1:
                for g in gradients:
                    g *= max_norm / norm
            return norm
            """,
            r"slip: it compares with 1: compare with max_norm",
        ),
        (
            """
            norm = np.linalg.norm(gradients)
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            return norm
            """,
            r"stops at line .*ValueError.*One number belongs",
        ),
        (
            """
            norm = np.linalg.norm(np.concatenate(gradients))
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            return norm
            """,
            r"stops at line .*ValueError.*",
        ),
        (
            """
            norm = math.sqrt(sum(sum(g**2) for g in gradients))
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            return norm
            """,
            r"stops at line .*TypeError.*One number belongs",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            for g in gradients:
                g *= min(1, norm / max_norm)
            return norm
            """,
            r"still what it was before",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            return gradients
            """,
            r"returns a list",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            for g in gradients:
                g *= max(1, max_norm / norm)
            return norm
            """,
            r"still what it was before",
        ),
        (
            """
            norm = np.linalg.norm(gradients[0])
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            return norm
            """,
            r"slip: this is the norm of the first array: all arrays together make one long",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            for g in gradients:
                np.clip(g, -max_norm / norm, max_norm / norm, out=g)
            return norm
            """,
            r"slip: single entries are cut off at max_norm / norm: multiply all by it inst",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
                    return norm
            return norm
            """,
            r"slip: only the first array is scaled: return stands inside the loop",
        ),
        (
            """
            norm = math.sqrt(np.mean(np.concatenate([g.ravel() for g in gradients]) ** 2))
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            return norm
            """,
            r"slip: the squares are averaged: add them up",
        ),
        (
            """
            norm = sum(np.linalg.norm(g) for g in gradients)
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            return norm
            """,
            r"slip: the norms of the arrays are added: add the squares of all entries, the",
        ),
        (
            """
            norm = sum(np.abs(g).sum() for g in gradients)
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            return norm
            """,
            r"slip: the absolute values are added: the norm is the root of the sum of squa",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            if norm > max_norm:
                for g in gradients:
                    g *= norm / max_norm
            return norm
            """,
            r"slip: the factor is upside down: max_norm / norm",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            return min(norm, max_norm)
            """,
            r"slip: it is the norm after clipping that is returned: return the norm before",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            if norm > max_norm:
                gradients = [g * max_norm / norm for g in gradients]
            return norm
            """,
            r"still what it was before",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            if norm > max_norm:
                for i in range(len(gradients)):
                    gradients[i] = gradients[i] * max_norm / norm
            return norm
            """,
            r"still what it was before",
        ),
        (
            """
            norm = max(np.abs(g).max() for g in gradients)
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            return norm
            """,
            r"slip: this is the largest entry: the norm is the root of the sum of squares",
        ),
        (
            """
            for g in gradients:
                norm = math.sqrt(sum((a**2).sum() for a in gradients))
                if norm > max_norm:
                    g *= max_norm / norm
            return norm
            """,
            r"slip: the norm is taken anew for each array, when the first is shorter alrea",
        ),
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
            r"slip: single entries are cut off",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            if norm > max_norm:
                for g in gradients:
                    g = g * max_norm / norm
            return norm

            """,
            r"still what it was before",
        ),
        (
            """
            norm = math.sqrt(sum((g**2).sum() for g in gradients))
            for g in gradients:
                g *= max_norm / norm
            return norm

            """,
            r"slip: short gradients are lengthened",
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
        (
            """
            for g in gradients:
                np.clip(g, -max_norm, max_norm, out=g)
            return math.sqrt(sum((g**2).sum() for g in gradients))
            """,
            r"slip: each entry is clipped by itself: one factor for all keeps th",
        ),
        (
            """
            norm = sum(math.sqrt((g**2).sum()) for g in gradients)
            if norm > max_norm:
                for g in gradients:
                    g *= max_norm / norm
            return norm
            """,
            r"slip: the norms of the arrays are added: add the squares of all en",
        ),
    ],
    "sampling with temperature": [
        (
            """
            e = np.exp((scores - scores.max()) / temperature)
            p = e / e.sum()
            return rng.choice(p, p=p)
            """,
            r"return the number of one class",
        ),
        (
            """
            e = np.exp((scores - scores.max()) / temperature)
            return rng.choice(len(scores), p=e / e.max())
            """,
            r"my_sample stops.*ValueError: Probabilities do not sum to 1\. ",
        ),
        (
            """
            e = np.exp((scores - scores.max()) / temperature)
            return e / e.sum()
            """,
            r"return the number of one class",
        ),
        (
            """
            e = np.exp((scores - scores.max()) / temperature)
            return rng.choice(len(scores), size=1, p=e / e.sum())
            """,
            r"return the number of one class",
        ),
        (
            """
            e = np.exp(-(scores - scores.min()) / temperature)
            return rng.choice(len(scores), p=e / e.sum())
            """,
            r"slip: the sign is wrong",
        ),
        (
            """
            e = np.exp((scores - scores.max()) ** temperature)
            return rng.choice(len(scores), p=e / e.sum())
            """,
            r"my_sample stops.*ValueError: Probabilities contain NaN\. Shap",
        ),
        (
            """
            e = np.exp((scores - scores.max()) / temperature)
            rng.choice(len(scores), p=e / e.sum())
            """,
            r"returns nothing",
        ),
        (
            """
            e = np.exp(scores - scores.max() + temperature)
            return rng.choice(len(scores), p=e / e.sum())
            """,
            r"slip: the temperature is ignored",
        ),
        (
            """
            e = np.exp((scores - scores.max()) / temperature)
            return np.random.choice(len(scores), p=e / e.sum())
            """,
            r"does not draw from the generator",
        ),
        (
            """
            e = np.exp((scores - scores.max()) / temperature)
            return np.random.default_rng(0).choice(len(scores), p=e / e.sum())
            """,
            r"does not draw from the generator",
        ),
        (
            """
            p = scores / temperature
            return rng.choice(len(scores), p=p / p.sum())
            """,
            r"my_sample stops.*ValueError: Probabilities are not non-negat",
        ),
        (
            """
            e = np.exp((scores - scores.max()) / temperature)
            return rng.choice(len(scores), p=e)
            """,
            r"my_sample stops.*ValueError: Probabilities do not sum to 1\. ",
        ),
        (
            """
            e = np.exp((scores - scores.max()) / temperature)
            return rng.choice(scores, p=e / e.sum())
            """,
            r"return the number of one class",
        ),
        (
            """
            e = np.exp((scores - scores.max()) / temperature**2)
            return rng.choice(len(scores), p=e / e.sum())
            """,
            r"slip: the temperature is squared",
        ),
        (
            """
            scores -= scores.max()
            e = np.exp(scores / temperature)
            return rng.choice(len(scores), p=e / e.sum())
            """,
            r"changes what it is given in place",
        ),
        (
            """
            e = np.exp((scores - scores.max()) / temperature)
            return 1 + rng.choice(len(scores), p=e / e.sum())
            """,
            r"return the number of one class",
        ),
        (
            """
            e = np.exp((scores - scores.max()) * temperature)
            return rng.choice(len(scores), p=e / e.sum())

            """,
            r"slip: the scores are multiplied by the temperature: divide",
        ),
        (
            """
            e = np.exp(scores - scores.max())
            return rng.choice(len(scores), p=e / e.sum())

            """,
            r"the temperature is ignored",
        ),
        ("return scores.argmax()", r"always the same class"),
        (
            "return rng.choice(len(scores))",
            r"my_sample\(\[ 0\.  2\.  1\. -1\.\], 0\.5, rng\): how often class 1 is",
        ),
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
        (
            """
            e = np.exp(scores - scores.max()) / temperature
            return rng.choice(len(scores), p=e / e.sum())
            """,
            r"slip: the temperature is ignored, or it cancels: it must divide th",
        ),
        (
            """
            e = np.exp((scores - scores.max()) / temperature)
            return int(np.argmax(e / e.sum()))
            """,
            r"my_sample does not draw from the generator `rng` that it is given\. It",
        ),
    ],
}

# These look otherwise than the solution, and are right.
RIGHT = {
    "clipping": [
        """
            norm = np.linalg.norm(np.concatenate([g.ravel() for g in gradients]))
            if norm >= max_norm:
                for i in range(len(gradients)):
                    gradients[i][...] = gradients[i] / norm * max_norm
            return float(norm)
            """,
        """
            norm = np.sqrt(np.sum([np.sum(np.square(g)) for g in gradients]))
            factor = min(1.0, max_norm / norm)
            for g in gradients:
                np.multiply(g, factor, out=g)
            return norm
            """,
    ],
    "sampling with temperature": [
        """
            e = np.exp(scores - scores.max())
            p = (e / e.sum()) ** (1 / temperature)
            return rng.choice(len(p), p=p / p.sum())
            """,
        "return int(np.argmax(scores / temperature + rng.gumbel(size=len(scores))))",
        """
            e = np.exp((scores - scores.max()) / temperature)
            return int(np.searchsorted(np.cumsum(e / e.sum()), rng.random()))
            """,
    ],
}
