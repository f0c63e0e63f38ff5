"""What learners write in 04_lime, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "kernel": [
        ("return np.exp(-(D**2) / width**2)", r"square root is missing"),
        ("return np.sqrt(np.exp(D**2 / width**2))", r"minus is missing"),
        ("return np.sqrt(np.exp(-D / width))", r"neither D nor the width is squared$"),
        (
            "return np.exp(-D / width)",
            r"nor the width is squared, and the root is missing",
        ),
        ("return np.sqrt(np.exp(-(D**2) / width))", r"the width is not squared"),
        ("return np.sqrt(np.exp(-D / width**2))", r"D is not squared"),
        ("return np.sqrt(np.exp(-(D**2) / 0.25**2))", r"the width is ignored"),
        ("np.sqrt(np.exp(-(D**2) / width**2))", r"returns nothing: end it with return"),
        ("return 1 - D", r"matches no mistake known here"),
    ],
    "weighted ridge": [
        (
            """
            X, R = Z - z_bar, Y - y_bar
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"the weights are missing: scale the rows by sqrt\(w\)",
        ),
        (
            """
            X, R = w[:, None] * (Z - z_bar), w[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"scaled by w: it must be sqrt\(w\)",
        ),
        (
            """
            X, R = np.sqrt(w)[:, None] * (Z - z_bar), np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X, X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"alpha is ignored",
        ),
        (
            """
            X, R = np.sqrt(w)[:, None] * (Z - z_bar), np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"alpha is always 1",
        ),
        (
            """
            X, R = np.sqrt(w)[:, None] * (Z - z_bar), np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha, X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"alpha stands on every entry: .*np\.eye",
        ),
        (
            """
            X, R = np.sqrt(w)[:, None] * Z, np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"Z is not centred: subtract z_bar",
        ),
        (
            """
            X, R = np.sqrt(w)[:, None] * Z, np.sqrt(w)[:, None] * Y
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"neither Z nor Y is centred",
        ),
        (
            """
            X, R = np.sqrt(w)[:, None] * (Z - z_bar), Y - y_bar
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"Y has no weights",
        ),
        (
            """
            X, R = np.sqrt(w)[:, None] * (Z - z_bar), np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar
            """,
            r"mean of the answers alone: subtract z_bar @ c",
        ),
        (
            """
            X, R = np.sqrt(w)[:, None] * (Z - z_bar), np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar + z_bar @ c
            """,
            r"sign of z_bar @ c is wrong",
        ),
    ],
    "mask blending": [
        ("return np.where(Z[:, segments], hidden, image)", r"on and off are swapped"),
        ("return Z[:, segments] * image", r"what is off is 0: it must show hidden"),
        (
            "return Z[:, segments] * image + hidden",
            r"what is on must not show hidden too",
        ),
        ("return Z[:, segments]", r"these are masks, not images"),
        (
            "return np.where(Z[0][segments], image, hidden)",
            r"each row of Z makes its own",
        ),
        (
            """
            copies = []
            for z in Z:
                image[~z[segments]] = hidden[~z[segments]]
                copies.append(image)
            return np.array(copies)
            """,
            r"changes its image in place",
        ),
    ],
    "evidence in the corner": [
        ("return c[STAMP].sum() / c.sum()", r"cancels: take np\.abs first"),
        ("return np.abs(c[STAMP]).sum() / c.sum()", r"cancels below the line"),
        ("return np.abs(c[STAMP]).sum()", r"divide by that of all cells"),
        (
            "return np.abs(c[STAMP]).mean() / np.abs(c).mean()",
            r"a mean per cell, not a share",
        ),
        (
            "return c[STAMP].clip(0).sum() / c.clip(0).sum()",
            r"only evidence for the class",
        ),
        (
            "a = np.abs(c)\nreturn a[STAMP].sum() / np.delete(a, STAMP).sum()",
            r"divide by all cells, not by the others",
        ),
    ],
    "which model would you trust": [
        (
            'trusted = "B"',
            r"network B reads the stamp, and only \d+% of the digits without one",
        ),
        ('trusted = "a"', r"must be \"A\" or \"B\", not 'a'"),
        ("trusted = A", r'must be "A" or "B"'),
        ('trusted = "both"', r'must be "A" or "B"'),
    ],
}
