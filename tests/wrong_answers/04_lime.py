"""What learners write in 04_lime, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "weighted ridge": [
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(len(Z)), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X @ X.T + alpha * np.eye(len(Z)), R)
            b = y_bar - z_bar @ c
            """,
            r"stops at line .*ValueError.*The inner sizes",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - c @ z_bar
            """,
            r"stops at line .*ValueError.*The inner sizes",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = (Y - Z @ c).mean(axis=0)
            """,
            r"slip: these are the plain means: y_bar and z_bar are the weighted ones",
        ),
        (
            """
            X = np.sqrt(w) * (Z - z_bar)
            R = np.sqrt(w) * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X - alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"slip: alpha is subtracted: the penalty is added",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * len(Z) * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"slip: alpha is multiplied by the number of copies n: it stands alone",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = (1 / (X.T @ X + alpha * np.eye(Z.shape[1]))) @ (X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"slip: the inverse is taken entry by entry: np\.linalg\.solve\(A, B\) solves A c ",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X @ R)
            b = y_bar - z_bar @ c
            """,
            r"stops at line .*ValueError.*The inner sizes",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha / 2 * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"slip: alpha is halved: here it is alpha, not lambda / 2 as in 01",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = np.zeros_like(y_bar)
            """,
            r"It is zero everywhere",
        ),
        (
            """
            w = w / w.sum()
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"slip: the weights are made to sum to 1: then alpha counts for more",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha**2 * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"slip: alpha is squared",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + np.sqrt(alpha) * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"slip: the root of alpha is taken: that is for extra rows of X, here it is al",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - Z.mean(axis=0))
            R = np.sqrt(w)[:, None] * (Y - Y.mean(axis=0))
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"slip: Z and Y are centred by the plain means: z_bar and y_bar are the weight",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = Y.mean(axis=0) - Z.mean(axis=0) @ c
            """,
            r"slip: these are the plain means: y_bar and z_bar are the weighted ones",
        ),
        (
            """
            w **= 0.5
            X = w[:, None] * (Z - z_bar)
            R = w[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"changes its argument `w` in place",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar * c.sum()
            """,
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            c = (X.T @ X + alpha * np.eye(Z.shape[1])) @ X.T @ R
            b = y_bar - z_bar @ c
            """,
            r"slip: it multiplies by the matrix: np\.linalg\.solve\(A, B\) solves A c = B",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w) * (Y - y_bar)[:, 0]
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"has shape \(6,\), expected \(6, 3\)",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            b = y_bar
            """,
            r"stops at line .*NameError.*At hand are",
        ),
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
        (
            """
            X = w[:, None] * (Z - z_bar)
            R = w[:, None] * (Y - y_bar)
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"slip: the rows are scaled by w: it must be sqrt\(w\), the square bri",
        ),
        (
            """
            X = np.sqrt(w)[:, None] * Z
            R = np.sqrt(w)[:, None] * Y
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
            r"slip: neither Z nor Y is centred: subtract the means",
        ),
    ],
    "which model would you trust": [
        ('trusted = "A "', r"write trusted"),
        ('Trusted = "A"', r"write trusted"),
        (
            'trusted = "B" if right[1] > right[0] else "A"',
            r"reads the stamp",
        ),
        (
            'trusted = max("AB", key=lambda name: np.abs(evidence(globals()[name], pile[0, 0])[STAMP]).sum())',
            r"reads the stamp",
        ),
        ("trusted = right[0] > right[1]", r"write trusted"),
        ("trusted = B", r"write trusted"),
        ("trusted = None", r"write trusted"),
        ('trusted = "A", "B"', r"write trusted"),
        ('trusted = "b"', r"write trusted"),
        (
            'trusted = "B"',
            r"network B reads the stamp, and only \d+% of the digits without one",
        ),
        ('trusted = "a"', r"write trusted"),
        ("trusted = A", r"write trusted"),
        ('trusted = "both"', r"write trusted"),
    ],
}

# These look otherwise than the solution, and are right.
RIGHT = {
    "weighted ridge": [
        """
            X, R = np.sqrt(w)[:, None] * (Z - z_bar), np.sqrt(w)[:, None] * Y
            c = np.linalg.solve(X.T @ X + alpha * np.eye(Z.shape[1]), X.T @ R)
            b = y_bar - z_bar @ c
            """,
        """
            X = np.sqrt(w)[:, None] * (Z - z_bar)
            R = np.sqrt(w)[:, None] * (Y - y_bar)
            d = Z.shape[1]
            c = np.linalg.lstsq(np.vstack([X, np.sqrt(alpha) * np.eye(d)]), np.vstack([R, np.zeros((d, R.shape[1]))]), rcond=None)[0]
            b = y_bar - z_bar @ c
            """,
        """
            W = np.diag(w)
            A = (Z - z_bar).T @ W @ (Z - z_bar) + alpha * np.eye(Z.shape[1])
            c = np.linalg.inv(A) @ (Z - z_bar).T @ W @ (Y - y_bar)
            b = y_bar - z_bar @ c
            """,
    ],
    "which model would you trust": [
        'trusted = min("AB", key=lambda name: np.abs(evidence(globals()[name], pile[0, 0])[STAMP]).sum())',
    ],
}
