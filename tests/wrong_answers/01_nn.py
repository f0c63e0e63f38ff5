"""What learners write in 01_nn, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "cross-entropy backward": [
        (
            """
            ds = p.copy()
            ds[:, self.t] -= 1
            return ds / len(p)
            """,
            r"slip: the 1 is subtracted in all rows: each row has its own class, \[self\.row",
        ),
        (
            "return (p - self.t[:, None]) / len(p)",
            r"slip: the class number is subtracted: it is 1, and only where c = t",
        ),
        (
            """
            ds = self.log_p.copy()
            ds[self.rows, self.t] -= 1
            return ds / len(p)
            """,
            r"slip: log p stands where p belongs",
        ),
        (
            """
            ds = np.zeros_like(p)
            ds[self.rows, self.t] = p[self.rows, self.t] - 1
            return ds / len(p)
            """,
            r"slip: only the true class gets a gradient: the others get p / N",
        ),
        (
            """
            ds = np.zeros_like(p)
            ds[self.rows, self.t] = -1 / p[self.rows, self.t]
            return ds / len(p)
            """,
            r"slip: this is the slope of -log p with respect to p: the softmax comes befor",
        ),
        (
            "return (p - np.eye(len(p))[self.t]) / len(p)",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] -= 1
            return ds / p.shape[1]
            """,
            r"slip: divided by the number of classes, not by the number of examples N",
        ),
        (
            """
            ds = p.copy()
            ds[self.t, self.rows] -= 1
            return ds / len(p)
            """,
            r"stops at line .*IndexError.*The index is too large",
        ),
        (
            "return (p - self.t) / len(p)",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "return p * (1 - p) / len(p)",
            r"slip: this is the diagonal of the softmax's Jacobian: every score changes ev",
        ),
        (
            "return p / len(p)",
            r"slip: the true class is forgotten: subtract 1 where c = t",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] = -1
            return ds / len(p)
            """,
            r"slip: = -1 overwrites p there: subtract 1 from it, with -= 1",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] += 1
            return ds / len(p)
            """,
            r"slip: 1 is added at the true class: subtract it",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] = 1 - ds[self.rows, self.t]
            return ds / len(p)
            """,
            r"slip: the true class is left out: it gets p - 1",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] -= 1
            return ds.mean(axis=0)
            """,
            r"has shape \(4,\), expected \(5, 4\)",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] -= 1 / len(p)
            return ds
            """,
            r"slip: only the 1 is divided by N: the whole of p - 1 is",
        ),
        (
            """
            p = p / p.sum(axis=0)
            ds = p
            ds[self.rows, self.t] -= 1
            return ds / len(p)
            """,
            r"slip: the columns are made to sum to 1: p is ready, every row sums to 1",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, target] -= 1
            return ds / len(p)
            """,
            r"stops at line .*NameError.*At hand are",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] -= 1
            return ds
            """,
            r"batch size: 5 times too large",
        ),
        (
            """
            ds = -p
            ds[self.rows, self.t] += 1
            return ds / len(p)
            """,
            r"wrong sign",
        ),
        (
            """
            ds = p.copy()
            ds[self.rows, self.t] -= 1
            return ds / p.size
            """,
            r"divide by the rows N",
        ),
        (
            """
            p[self.rows, self.t] -= 1
            p / len(p)
            """,
            r"returns nothing: end it with return",
        ),
        (
            """
            ds = p.copy()
            for n in range(len(p)):
                ds[n, self.t[n]] -= 1
                ds = ds / len(p)
            return ds
            """,
            r"slip: the division by N is inside the loop, once for each row: div",
        ),
        (
            """
            ds = np.zeros_like(p)
            ds[self.rows, self.t] = 1
            return (ds - p) / len(p)
            """,
            r"It has the wrong sign",
        ),
        (
            """
            onehot = np.zeros_like(p)
            onehot[self.t] = 1
            return (p - onehot) / len(p)
            """,
            r"slip: a whole row for each class is set to 1: each row has its own",
        ),
    ],
    "linear backward": [
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            return dy @ self.params["W"]
            """,
            r"stops at line .*ValueError.*The inner sizes",
        ),
        (
            """
            self.grads = {"W": np.outer(self.x[0], dy[0]), "b": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"slip: dW comes from the first example alone: every example adds to it",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            dx = dy @ self.params["W"].T
            """,
            r"returns nothing",
        ),
        (
            """
            self.grads = {"dW": self.x.T @ dy, "db": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"stores no gradient for W",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0, keepdims=True)}
            return dy @ self.params["W"].T
            """,
            r"has shape \(1, 3\), expected \(3,\)",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy + self.params["W"], "b": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"slip: W itself is added to dW",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            return dy @ weights.T
            """,
            r"stops at line .*NameError.*At hand are",
        ),
        (
            """
            self.grads["W"] += self.x.T @ dy
            self.grads["b"] += dy.sum(axis=0)
            return dy @ self.params["W"].T
            """,
            r"stops at line .*KeyError.*no such key",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            return dy @ self.params["W"].T + self.x
            """,
            r"slip: the input x is added to dx",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            return self.x @ self.params["W"] @ self.params["W"].T
            """,
            r"slip: dx is made from y, not from dy",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=1)}
            return dy @ self.params["W"].T
            """,
            r"has shape \(5,\), expected \(3,\)",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy / len(dy), "b": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"It is off by the batch size",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            return self.params["W"] @ dy.T
            """,
            r"has shape \(4, 5\), expected \(5, 4\)",
        ),
        (
            """
            self.params["W"] -= self.x.T @ dy
            self.params["b"] -= dy.sum(axis=0)
            return dy @ self.params["W"].T
            """,
            r"MyLinear: backward changes its parameter W: only the optimiz",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy}
            return dy @ self.params["W"].T
            """,
            r"stores no gradient for b",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum(axis=0)}
            return self.grads
            """,
            r"MyLinear: backward returns a dict: return dx alone, and assi",
        ),
        (
            """
            self.grads = {"b": self.x.T @ dy, "W": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"has shape \(3,\), expected \(4, 3\)",
        ),
        (
            """
            self.grads = {"W": self.x.T @ np.abs(dy), "b": dy.sum(axis=0)}
            return dy @ self.params["W"].T
            """,
            r"slip: `np\.abs` around `dy` is too much",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.sum()}
            return dy @ self.params["W"].T

            """,
            r"gradient of b .* one scalar for all units",
        ),
        (
            """
            self.grads = {"W": dy.T @ self.x, "b": dy.sum(axis=0)}
            return dy @ self.params["W"].T

            """,
            r"gradient of W .* transposed",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy.mean(axis=0)}
            return dy @ self.params["W"].T

            """,
            r"gradient of b .* batch size: 5 times too small",
        ),
        (
            """
            self.grads = {"W": self.x.T @ dy, "b": dy}
            return dy @ self.params["W"].T

            """,
            r"gradient of b .* not summed over the batch",
        ),
        (
            """
            self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
            return dy @ self.params["W"].T

            """,
            r"stores no gradient for W, b",
        ),
        (
            """
            self.grads['W'] = self.x.T @ dy
            self.grads['b'] = dy.sum(axis=0)
            return self.params['W'] @ dy.T
            """,
            r"stops at line .*TypeError",
        ),
        (
            """
            self.params['W'] -= 0.1 * self.x.T @ dy
            self.params['b'] -= 0.1 * dy.sum(axis=0)
            self.grads = {'W': self.x.T @ dy, 'b': dy.sum(axis=0)}
            return dy @ self.params['W'].T
            """,
            r"MyLinear: backward changes its parameter W: only the optimizer moves p",
        ),
    ],
    "relu backward": [
        (
            "return dy * (self.x < 0)",
            r"slip: it opens on the other side: the slope is 1 where x > 0",
        ),
        ("return dy * (self.x != 0)", r"It is dy, passed on unchanged"),
        (
            "return np.where(self.x > 0, 1, 0)",
            r"It is the layer's own derivative without dy",
        ),
        (
            "return np.where(self.x > 0, dy, 0.01 * dy)",
            r"slip: this is the slope of a LeakyReLU: below 0 it is 0",
        ),
        (
            "return np.where(self.x > 0, dy, self.x)",
            r"slip: where x is below 0 stands x: the slope there is 0",
        ),
        (
            """
            dx = dy
            dx[self.x <= 0] = 0
            return dx
            """,
            r"changes its input dy in place",
        ),
        ("return dy * self.x > 0", r"It is a mask, not a gradient"),
        ("return dy @ (self.x > 0)", r"stops at line .*ValueError.*The inner sizes"),
        (
            "return dy * np.sign(self.x)",
            r"slip: where x is below 0 stands -dy: the slope there is 0",
        ),
        ("self.dx = dy * (self.x > 0)", r"returns nothing"),
        (
            "return dy * (self.x > 1)",
            r"slip: it opens where x > 1: the slope is 1 from 0 on",
        ),
        (
            "return dy * (dy > 0)",
            r"slip: the mask asks dy: it is x that must be above 0",
        ),
        (
            "return np.maximum(dy, 0)",
            r"slip: this is the ReLU of dy: it is x that must be above 0",
        ),
        (
            """
            y = np.maximum(self.x, 0)
            return np.where(y >= 0, dy, 0)
            """,
            r"It is dy, passed on unchanged",
        ),
        ("return self.x > 0", r"It is the layer's own derivative without dy"),
        (
            "return dy * (self.x[:, :1] > 0)",
            r"slip: the mask of the first column counts for all columns",
        ),
        (
            "return dy if self.x > 0 else 0",
            r"stops at line .*ValueError.*use np\.where",
        ),
        ("return dy[self.x > 0]", r"has shape \(9,\), expected \(5, 4\)"),
        (
            """
            dy[self.x < 0] = 0
            return dy
            """,
            r"changes its input dy in place",
        ),
        ("return dy * (np.maximum(self.x, 0) >= 0)", r"derivative is missing"),
        ("return (self.x > 0).astype(float)", r"without dy: the chain rule"),
        (
            "return dy * np.maximum(self.x, 0)",
            r"slip: dy is multiplied by the output: multiply by the slope, 0 or 1",
        ),
        (
            "return np.where(dy > 0, dy, 0)",
            r"slip: this is the ReLU of dy: it is x that must be above 0",
        ),
        (
            "return np.maximum(self.x, 0) * dy",
            r"slip: dy is multiplied by the output: multiply by the slope, 0 or",
        ),
    ],
}

# These look otherwise than the solution, and are right.
RIGHT = {
    "cross-entropy backward": [
        "return (p - np.eye(p.shape[1])[self.t]) / p.shape[0]",
        """
            ds = np.zeros_like(p)
            for n in range(len(p)):
                for c in range(p.shape[1]):
                    ds[n, c] = (p[n, c] - (c == self.t[n])) / len(p)
            return ds
            """,
        """
            ds = p.copy()
            np.subtract.at(ds, (self.rows, self.t), 1)
            return ds / len(ds)
            """,
    ],
    "linear backward": [
        """
            self.grads = {"W": np.einsum("ni,nj->ij", self.x, dy), "b": np.einsum("nj->j", dy)}
            return np.einsum("nj,ij->ni", dy, self.params["W"])
            """,
        """
            dW, db, dx = np.zeros_like(self.params["W"]), np.zeros_like(self.params["b"]), np.zeros_like(self.x)
            for n in range(len(dy)):
                dW += np.outer(self.x[n], dy[n])
                db += dy[n]
                dx[n] = self.params["W"] @ dy[n]
            self.grads = {"W": dW, "b": db}
            return dx
            """,
        """
            self.grads = {"W": (dy.T @ self.x).T, "b": np.ones(len(dy)) @ dy}
            return (self.params["W"] @ dy.T).T
            """,
        """
            self.grads = dict(W=(dy.T @ self.x).T, b=np.sum(dy, 0))
            return np.dot(dy, self.params["W"].transpose())
            """,
        """
            self.grads = {"W": np.tensordot(self.x, dy, axes=(0, 0)), "b": dy.sum(0)}
            return np.inner(dy, self.params["W"])
            """,
    ],
    "relu backward": [
        "return np.where(self.x > 0, dy, 0)",
        """
            dx = dy.copy()
            dx[self.x <= 0] = 0
            return dx
            """,
        """
            dx = np.zeros_like(dy)
            for i in np.ndindex(dy.shape):
                if self.x[i] > 0:
                    dx[i] = dy[i]
            return dx
            """,
        "return dy * (self.x > 0).astype(int)",
        "return dy * np.heaviside(self.x, 0)",
        "return np.multiply(dy, self.x > 0)",
    ],
}
