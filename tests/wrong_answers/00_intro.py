"""What learners write into the exercises of notebooks/00_intro.ipynb, and what the
check says.
"""

WRONG = {
    "square": [
        ("return 2 * x", r"without dy: the chain rule multiplies the two"),
        (
            "return dy",
            r"dy, passed on unchanged: the layer's own derivative is missing",
        ),
        ("return x * dy", r"0\.5 times the right value everywhere"),
        ("return -2 * x * dy", r"wrong sign"),
        ("return 2 * dy", r"yours is 2 where the layer's slope is"),
        ("dx = 2 * x * dy", r"backward returns nothing: end it with return dx"),
        ("dy *= 2 * x\nreturn dy", r"backward changes its input dy in place"),
        (
            "return 2 * x * dy.sum()",
            r"gradient of x is wrong.* where the layer's slope is",
        ),
        ("return (2 * x * dy).sum(axis=0)", r"has shape \(3,\), expected \(4, 3\)"),
    ],
}
