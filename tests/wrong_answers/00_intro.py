"""What learners write in 00_intro, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "square": [
        ("return 2 * x.T @ dy", r"has shape \(3, 3\), expected \(4, 3\)"),
        ("return x**2 * dy", r"slip: the slope of x\*\*2 is 2 x, not x\*\*2"),
        ("return 2 * x * dy / len(x)", r"It is off by the batch size"),
        ("return x", r"slip: dy is forgotten, and the 2: the slope of x\*\*2 is 2 x"),
        ("print(2 * x * dy)", r"returns nothing"),
        ("return dy / (2 * x)", r"slip: divided by the slope: multiply by it"),
        (
            """
            dx = 2 * x * dy
            return dy
            """,
            r"It is dy, passed on unchanged",
        ),
        (
            """
            x *= 2
            return x * dy
            """,
            r"changes its input x in place",
        ),
        (
            """
            dx = np.zeros_like(x)
            for i in range(len(x)):
                dx[i, 0] = 2 * x[i, 0] * dy[i, 0]
            return dx
            """,
            r"slip: only the first column is filled: every number has its slope",
        ),
        ("return 2 * x * dy**2", r"slip: dy is squared"),
        ("return 3 * x**2 * dy", r"slip: this is the slope of x\*\*3"),
        ("return 2 * x + dy", r"slip: 2 x is added to dy: multiply"),
        (
            "return 2 * np.sign(x) * dy",
            r"slip: only the sign of x is used: the slope is 2 x",
        ),
        (
            "return 2 * np.abs(x) * dy",
            r"slip: the absolute value of x is used: the slope is 2 x, with its sign",
        ),
        ("return 2 * x * x * dy", r"slip: x is squared: the slope of x\*\*2 is 2 x"),
        (
            "return (2 * x * dy).mean(axis=1, keepdims=True)",
            r"has shape \(4, 1\), expected \(4, 3\)",
        ),
        ("return 2 * self.input * dy", r"stops at line .*AttributeError.*"),
        ("return 2 * x @ dy", r"stops at line .*ValueError.*The inner sizes"),
        (
            """
            dy *= 2
            return x * dy
            """,
            r"changes its input dy in place",
        ),
        ("return 2 * x, dy", r"returns a tuple"),
        (
            "return 2 * x",
            r"slip: dy is forgotten: the chain rule multiplies the slope 2 x by it",
        ),
        (
            "return dy",
            r"dy, passed on unchanged: the layer's own derivative is missing",
        ),
        ("return x * dy", r"slip: the 2 is forgotten: the slope of x\*\*2 is 2 x"),
        ("return -2 * x * dy", r"wrong sign"),
        ("return 2 * dy", r"slip: the slope of x\*\*2 is 2 x, not 2"),
        ("dx = 2 * x * dy", r"backward returns nothing: end it with return dx"),
        (
            """
            dy *= 2 * x
            return dy
            """,
            r"backward changes its input dy in place",
        ),
        ("return 2 * x * dy.sum()", r"slip: dy is summed: every number has its own"),
        ("return (2 * x * dy).sum(axis=0)", r"has shape \(3,\), expected \(4, 3\)"),
        (
            "return 2 * (x + dy)",
            r"slip: x and dy are added: the chain rule multiplies the slope 2 x",
        ),
        (
            "return 2 * x * dy.mean()",
            r"slip: the mean of `dy` is taken",
        ),
    ],
}

# These look otherwise than the solution, and are right.
RIGHT = {
    "square": [
        "return dy * x + x * dy",
        "return 2 * self.x * dy",
        "return np.multiply(2 * x, dy)",
        "return dy * np.gradient(np.array([0.0, 1.0]))[0] * 2 * x",
    ],
}
