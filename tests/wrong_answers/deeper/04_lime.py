"""What learners write in deeper/04_lime, and what the check must say to it (see
test_exercises.py).
"""

WRONG = {
    "kernel": [
        (
            "return np.exp(-np.sqrt(D**2 / width**2))",
            r"slip: it comes out as exp\(-D / width\): the squares are missing, or a root in",
        ),
        ("return np.exp(-(D**2) / (2 * width))", r"slip: the width is not squared"),
        (
            "return np.sqrt(np.exp(-((D - D.mean()) ** 2) / width**2))",
            r"slip: the distances are centred: D is measured from the original",
        ),
        (
            "return np.sqrt(np.exp(-(D**2) * width**2))",
            r"slip: multiplied by the width: divide by it",
        ),
        (
            "return np.sqrt(np.exp(-(D**2)))",
            r"slip: the width is 1 here: use the one that is handed in",
        ),
        (
            """
            D **= 2
            return np.sqrt(np.exp(-D / width**2))
            """,
            r"changes its argument `D` in place",
        ),
        (
            "return np.sqrt(np.exp(-(D**2) / np.sqrt(width)))",
            r"It is right where `width` is 1",
        ),
        ("return np.exp(-np.abs(D) / (2 * width**2))", r"slip: D is not squared"),
        (
            """
            w = np.sqrt(np.exp(-(D**2) / width**2))
            return w / w.sum()
            """,
            r"slip: the weights are made to sum to 1: the kernel is 1 at distance 0",
        ),
        (
            "return 1 - np.sqrt(np.exp(-(D**2) / width**2))",
            r"slip: it is 1 minus the kernel: far masks must count less",
        ),
        (
            """
            import math
            return math.sqrt(math.exp(-(D**2) / width**2))
            """,
            r"stops at line .*TypeError.*One number belongs",
        ),
        (
            "return np.sqrt(np.exp(-(D**2).sum() / width**2))",
            r"has shape \(\), expected \(5,\)",
        ),
        (
            """
            width = 1
            return np.sqrt(np.exp(-(D**2) / width**2))
            """,
            r"slip: the width is 1 here: use the one that is handed in",
        ),
        (
            "return np.sqrt(np.log(D**2 / width**2))",
            r"my_exponential_kernel: w is not a number everywhere, for exa",
        ),
        ("return np.exp(-(D**2) / width**2)", r"square root is missing"),
        ("return np.sqrt(np.exp(D**2 / width**2))", r"minus is missing"),
        (
            "return np.sqrt(np.exp(-D / width))",
            r"slip: neither D nor the width is squared",
        ),
        (
            "return np.exp(-D / width)",
            r"slip: it comes out as exp\(-D / width\): the squares are missing, or a root in",
        ),
        ("return np.sqrt(np.exp(-(D**2) / width))", r"the width is not squared"),
        ("return np.sqrt(np.exp(-D / width**2))", r"D is not squared"),
        ("return np.sqrt(np.exp(-(D**2) / 0.25**2))", r"the width is ignored"),
        ("np.sqrt(np.exp(-(D**2) / width**2))", r"returns nothing: end it with return"),
        (
            "return 1 - D",
            r"slip: it falls along a straight line: use the exponential of -D\*\*2",
        ),
        (
            "return np.exp(-(D / width) ** 2)",
            r"slip: the square root is missing: LIME takes sqrt\(exp\(\.\.\.\)\)",
        ),
        (
            "return np.sqrt(np.exp(-D**2) / width**2)",
            r"slip: `width \*\* 2` stands outside `np\.exp\(\.\.\.\)`",
        ),
        (
            "return 1 / (1 + D / width)",
            r"slip: this falls like 1 / \(1 \+ D / width\): the kernel is a bell cu",
        ),
    ],
    "mask blending": [
        (
            "return np.where(segments[Z], image, hidden)",
            r"stops at line .*IndexError.*A mask has",
        ),
        (
            """
            copies = []
            for z in Z:
                out = hidden
                out[z[segments]] = image[z[segments]]
                copies.append(out)
            return np.array(copies)
            """,
            r"changes its argument `hidden` in place",
        ),
        (
            """
            on = Z.mean(axis=0)[segments]
            return np.broadcast_to(on * image + (1 - on) * hidden, (len(Z), *image.shape))
            """,
            r"slip: the mean of the masks blends all copies: each row of Z makes its own",
        ),
        (
            "return np.array([image if z[segments] else hidden for z in Z])",
            r"stops at line .*ValueError.*use np\.where",
        ),
        (
            "return image[Z[:, segments]]",
            r"stops at line .*IndexError.*There are more indices",
        ),
        (
            """
            on = Z[:, segments]
            return on * image + on * hidden
            """,
            r"slip: both are masked by on: hidden shows where the part is off",
        ),
        (
            """
            on = Z[:, segments]
            return on * image - on * hidden
            """,
            r"slip: hidden is subtracted where the part is on: it shows where the part is ",
        ),
        (
            """
            on = Z[:, segments]
            return on * image + ~on
            """,
            r"slip: what is off is 1: it must show hidden",
        ),
        (
            """
            out = np.zeros((len(Z), *image.shape))
            for i, z in enumerate(Z):
                out[i][z[segments]] = image[z[segments]]
            return out
            """,
            r"slip: what is off is 0: it must show hidden",
        ),
        (
            "return np.where(Z[:, :1, None], image, hidden)",
            r"slip: the first part decides for the whole image: each pixel has its own, se",
        ),
        (
            "return np.where(Z[:, segments], image, hidden).swapaxes(1, 2)",
            r"has shape \(7, 6, 5\), expected \(7, 5, 6\)",
        ),
        (
            "return np.where(Z[:, segments], image, hidden).astype(int)",
            r"It is cut to integers",
        ),
        (
            "return np.where(Z[:, segments], image, 0.5 * (image + hidden))",
            r"slip: what is off shows a mixture of both: it must show hidden alone",
        ),
        (
            "return np.where(Z.T[segments], image, hidden)",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            "return np.where(Z.all(axis=0)[segments], image, hidden)",
            r"has shape \(5, 6\), expected \(7, 5, 6\)",
        ),
        (
            "return [np.where(z[segments], hidden, image) for z in Z]",
            r"slip: on and off are exchanged",
        ),
        (
            "return np.where(segments == Z[:, :1, None], image, hidden)",
            r"slip: the number of the part is compared with the mask: look it up, Z\[:, seg",
        ),
        (
            """
            out = np.empty((len(Z), *image.shape))
            for i, z in enumerate(Z):
                hidden[z[segments]] = image[z[segments]]
                out[i] = hidden
            return out
            """,
            r"changes its argument `hidden` in place",
        ),
        (
            "return np.repeat(hidden[None], len(Z), axis=0)",
            r"slip: it is hidden everywhere: where a part is on, image shows",
        ),
        (
            "return np.repeat(image[None], len(Z), axis=0)",
            r"slip: it is image everywhere: where a part is off, hidden shows",
        ),
        (
            """
            on = Z[:, segments]
            return np.maximum(on * image, hidden)
            """,
            r"slip: the larger of both shows: it is the mask that decides",
        ),
        (
            "return np.where(Z[:, segments], hidden, image)",
            r"slip: on and off are exchanged",
        ),
        ("return Z[:, segments] * image", r"what is off is 0: it must show hidden"),
        (
            "return Z[:, segments] * image + hidden",
            r"what is on must not show hidden too",
        ),
        (
            "return Z[:, segments]",
            r"my_blend: the array of images holds True and False, not numbe",
        ),
        (
            "return np.where(Z[0][segments], image, hidden)",
            r"has shape \(5, 6\), expected \(7, 5, 6\)",
        ),
        (
            """
            copies = []
            for z in Z:
                image[~z[segments]] = hidden[~z[segments]]
                copies.append(image)
            return np.array(copies)

            """,
            r"changes its argument `image` in place",
        ),
        (
            "return np.where(Z[segments], image, hidden)",
            r"stops at line .*ValueError",
        ),
        (
            """
            on = Z[:, segments]
            return image * on + hidden
            """,
            r"slip: both are added: what is on must not show hidden too",
        ),
    ],
    "evidence in the corner": [
        (
            "return len(STAMP) / len(c)",
            r"slip: this is the share of the cells: add up the evidence in them, np\.abs\(c\)",
        ),
        (
            "return np.abs(c[STAMP] / c).sum()",
            r"stops at line .*ValueError.*Shapes are matched",
        ),
        (
            """
            coef = np.abs(explanation.coef)
            return coef[STAMP].sum() / coef.sum()
            """,
            r"slip: all classes are counted: take c, the column of what the network says",
        ),
        (
            "return c[STAMP].abs().sum() / c.abs().sum()",
            r"stops at line .*AttributeError.*For an array write np\.abs",
        ),
        (
            "return np.abs(c).sum() / np.abs(c[STAMP]).sum()",
            r"slip: the fraction is upside down",
        ),
        (
            """
            a = np.abs(c[STAMP])
            return a[STAMP].sum() / np.abs(c).sum()
            """,
            r"stops at line .*IndexError.*The index is too large",
        ),
        (
            "return c[STAMP].clip(max=0).sum() / c.clip(max=0).sum()",
            r"slip: only evidence against the class is counted: that for it, too",
        ),
        (
            "return np.abs(c[STAMP]).mean() / np.abs(c).sum()",
            r"slip: a mean above the line, a sum below: take sums",
        ),
        (
            "return (c[STAMP] ** 2).sum() / (c**2).sum()",
            r"slip: the squares are added: take np\.abs",
        ),
        (
            "return np.abs(c[STAMP]).max() / np.abs(c).max()",
            r"slip: the largest of each is taken: add up",
        ),
        (
            "return 100 * np.abs(c[STAMP]).sum() / np.abs(c).sum()",
            r"slip: in percent: give the share itself",
        ),
        (
            "return np.abs(c[STAMP]) / np.abs(c).sum()",
            r"has shape \(4,\), expected \(\)",
        ),
        (
            "return np.abs(c[:4]).sum() / np.abs(c).sum()",
            r"slip: these are the first four cells: the stamp's are STAMP",
        ),
        (
            "return abs(c[STAMP].sum()) / abs(c.sum())",
            r"slip: evidence for and against cancels: np\.abs comes before the sum",
        ),
        (
            "return 1 - np.abs(c[STAMP]).sum() / np.abs(c).sum()",
            r"slip: this is the share of the other cells: the stamp's is asked",
        ),
        (
            """
            c = explanation.coef[:, 0]
            return np.abs(c[STAMP]).sum() / np.abs(c).sum()
            """,
            r"slip: this is the first class: take c, the column of what the network says",
        ),
        (
            """
            c = explanation.coef[:, explanation.label()]
            c[c < 0] *= -1
            return c[STAMP].sum() / c.sum()
            """,
            r"changes its argument `explanation` in place",
        ),
        ("return c[STAMP].sum() / c.sum()", r"cancels: take np\.abs first"),
        ("return np.abs(c[STAMP]).sum() / c.sum()", r"cancels below the line"),
        ("return np.abs(c[STAMP]).sum()", r"divide by that of all cells"),
        (
            "return np.abs(c[STAMP]).mean() / np.abs(c).mean()",
            r"slip: these are means per cell: take sums",
        ),
        (
            "return c[STAMP].clip(0).sum() / c.clip(0).sum()",
            r"only evidence for the class",
        ),
        (
            """
            a = np.abs(c)
            return a[STAMP].sum() / np.delete(a, STAMP).sum()
            """,
            r"slip: divided by the other cells: divide by all",
        ),
        (
            "return np.abs(c[STAMP]).sum() / len(STAMP)",
            r"slip: divided by the number of cells: a share is a part of all evi",
        ),
    ],
}

# These look otherwise than the solution, and are right.
RIGHT = {
    "kernel": [
        "return np.exp(-0.5 * (D / width) ** 2)",
        "return [float(np.exp(-d * d / width**2)) ** 0.5 for d in D]",
        "return np.exp(-(D**2) / width**2) ** 0.5",
    ],
    "mask blending": [
        """
            on = Z[:, segments]
            return image * on + hidden * (1 - on)
            """,
        """
            copies = np.repeat(hidden[None], len(Z), axis=0)
            for i, z in enumerate(Z):
                for part in np.flatnonzero(z):
                    copies[i][segments == part] = image[segments == part]
            return copies
            """,
        "return np.stack([np.where(np.isin(segments, np.flatnonzero(z)), image, hidden) for z in Z])",
    ],
    "evidence in the corner": [
        "return sum(abs(c[i]) for i in STAMP) / sum(abs(v) for v in c)",
        "return np.linalg.norm(c[STAMP], 1) / np.linalg.norm(c, 1)",
        """
            inside = np.isin(np.arange(len(c)), STAMP)
            return np.average(inside, weights=np.abs(c))
            """,
    ],
}
