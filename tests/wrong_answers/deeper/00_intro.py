"""What learners write in deeper/00_intro, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "fold": [
        (
            "x = 2 * np.maximum(x, 0) - 2 * np.maximum(x - 0.5, 0)",
            r"slip: the second arm only levels off: it has to turn down, with 4",
        ),
        (
            "x = 2 * np.maximum(x, 0) - 4 * np.maximum(x - 1, 0)",
            r"slip: the kink lies at 1: it belongs in the middle, at 1/2",
        ),
        (
            "x = 2 * np.maximum(x, 0) + 4 * np.maximum(x - 0.5, 0)",
            r"slip: the second arm goes up: subtract it",
        ),
        (
            "x = np.maximum(x, 0) - 2 * np.maximum(x - 0.5, 0)",
            r"slip: folded, but not stretched: the first arm has slope 2",
        ),
        (
            "return 2 * np.maximum(x, 0) - 4 * np.maximum(x - 0.5, 0)",
            r"slip: returned inside the loop",
        ),
        (
            "y = 2 * np.maximum(x, 0) - 4 * np.maximum(x - 0.5, 0)",
            r"handed back as it came",
        ),
        ("x = 2 * max(x, 0) - 4 * max(x - 0.5, 0)", r"stops at line .*ValueError"),
        (
            "return x",
            r"It is `x`, handed back as it came: nothing is changed",
        ),
        (
            "return np.abs(x)",
            r"It is `x`, handed back as it came: nothing is changed",
        ),
    ],
}

RIGHT = {
    "fold": [
        "x = 2 * (np.maximum(x, 0) - 2 * np.maximum(x - 0.5, 0))",
        "x = np.minimum(2 * x, 2 - 2 * x)",
    ],
}
