"""What the live page asks of `scratchml`: a digit as MNIST has it, answers, evidence.

The browser draws and shows; every number comes from here. `worker.js` makes one `Page`
and calls its methods. Each returns what the page shows next: pictures as bytes (red,
green, blue, opacity), probabilities, and a sentence that is read aloud.
"""

import numpy as np

from scratchml import (
    Conv2d,
    CrossEntropyLoss,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    explain_image,
    grid_segments,
    load_weights,
    predict,
    softmax,
)
from scratchml._support import AGAINST, FOR

SIDE = 28  # of a picture, in pixels
BOX = 20  # the longer side of the digit in it
NAMES = {"nn": "The network of 01", "lenet": "LeNet"}
PLACES = [
    f"{row} {column}"
    for row in ("top", "middle", "bottom")
    for column in ("left", "centre", "right")
]


def networks(folder):
    """The digit network of notebook 01 and the LeNet of notebook 03, trained."""
    rng = np.random.default_rng(0)
    models = {
        "nn": Sequential(
            Flatten(), Linear(784, 128, rng=rng), ReLU(), Linear(128, 10, rng=rng)
        ),
        "lenet": Sequential(
            Conv2d(1, 8, 5, rng=rng),
            ReLU(),
            MaxPool2d(2),
            Conv2d(8, 16, 5, rng=rng),
            ReLU(),
            MaxPool2d(2),
            Flatten(),
            Linear(256, 10, rng=rng),
        ),
    }
    for name, model in models.items():
        load_weights(model, f"{folder}/live_{name}.npz")
    return models


def as_mnist(ink):
    """Ink `(H, W)`, 0 to 255, as a picture `(28, 28)` float32 in [0, 1].

    As the digits of MNIST were made: scaled so that the longer side of the ink is 20
    pixels, its centre of mass in the middle (LeCun et al., 1998). What is smaller than
    a quarter of the board stays small: a dot does not become a disc.
    """
    rows = np.flatnonzero(ink.max(axis=1) > 25)
    columns = np.flatnonzero(ink.max(axis=0) > 25)
    if len(rows) == 0:
        return np.zeros((SIDE, SIDE), np.float32)
    longer = max(np.ptp(rows), np.ptp(columns)) + 1
    scale = max(longer, len(ink) / 4) / BOX  # pixels of ink to one of the picture
    share = ink / ink.sum()
    down = _overlaps(len(ink), share.sum(axis=1), scale)
    across = _overlaps(ink.shape[1], share.sum(axis=0), scale)
    return (down @ (ink / 255) @ across.T).astype(np.float32)


def _overlaps(n, mass, scale):
    """How much of each of `n` ink pixels lies in each pixel of the picture: (28, n)."""
    start = np.arange(n)
    centre = mass @ (start + 0.5)
    edges = centre + scale * (np.arange(SIDE + 1) - SIDE / 2)
    ends = np.minimum(edges[1:, None], start + 1)
    return np.clip(ends - np.maximum(edges[:-1, None], start), 0, None) / scale


def shifted(picture, down, right):
    """Moved by whole pixels; what comes in from outside is paper."""
    padded = np.pad(picture, SIDE)
    return padded[SIDE - down :, SIDE - right :][:SIDE, :SIDE].copy()


def thickened(picture):
    """Each pixel becomes the darkest of itself and its four neighbours."""
    p = np.pad(picture, 1)
    return np.max(
        [picture, p[:-2, 1:-1], p[2:, 1:-1], p[1:-1, :-2], p[1:-1, 2:]], axis=0
    )


def noisy(picture, rng, sigma=0.2):
    """With normal noise on every pixel."""
    noise = rng.normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 1).astype(np.float32)


def erased(picture, row, column):
    """Paper in the 3 x 3 pixels around one."""
    picture = picture.copy()
    picture[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = 0
    return picture


def probabilities(model, pictures):
    """`(n, 28, 28)` -> `(n, 10)`: what LIME asks, a thousand times."""
    return softmax(predict(model, pictures[:, None]))


def input_gradient(model, picture, label):
    """dx of the cross-entropy: which pixels would make `label` less likely, (28, 28).

    `backward` has no use for it on its way down; see notebook 01, *Backpropagation*.
    """
    loss = CrossEntropyLoss()
    loss.forward(model.forward(picture[None, None]), np.array([label]))
    return model.backward(loss.backward())[0, 0]


def parts(picture):
    """What LIME hides: 7 x 7 cells; those without ink are one part, and count for 0."""
    cells = grid_segments(picture)
    ink = np.bincount(cells.ravel(), picture.ravel())
    return np.where(ink[cells] > 0, cells, len(ink))


def fool(model, picture, rng):
    """The smallest of eps = 0.01, 0.02, ..., 0.5 for which x + eps sign(dx) is misread.

    Returns (eps, the picture, sign(dx), how many of 20 pictures with random signs of
    that eps are misread); eps is None, and the picture that of 0.5, if nothing helps.
    """
    label = probabilities(model, picture[None]).argmax()
    sign = np.sign(input_gradient(model, picture, label))
    steps = np.arange(1, 51, dtype=np.float32) / 100
    pictures = np.clip(picture + steps[:, None, None] * sign, 0, 1)
    misread = probabilities(model, pictures).argmax(axis=1) != label
    first = int(misread.argmax()) if misread.any() else len(steps) - 1
    signs = rng.choice(np.array([-1, 1], np.float32), (20, SIDE, SIDE))
    rivals = np.clip(picture + steps[first] * signs, 0, 1)
    lucky = int((probabilities(model, rivals).argmax(axis=1) != label).sum())
    eps = float(steps[first]) if misread.any() else None
    return eps, pictures[first], sign, lucky


def as_bytes(grey, weight=None):
    """A picture for the screen: ink is black, evidence blue (for) or vermilion.

    `weight` `(28, 28)` in [-1, 1] is laid over a paler picture. Returns `(3136,)`.
    """
    colour = np.repeat(255 * (1 - grey[..., None]), 3, axis=2)
    if weight is not None:
        tint = np.where(weight[..., None] > 0, _rgb(FOR), _rgb(AGAINST))
        strength = 0.85 * np.abs(weight[..., None])
        colour = (1 - strength) * (90 + colour * 165 / 255) + strength * tint
    opaque = np.full((SIDE, SIDE, 1), 255)
    return np.concatenate([colour, opaque], axis=2).round().astype(np.uint8).ravel()


def _rgb(colour):
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def percent(p):
    return f"{100 * p:.0f}\u00a0%"


class Page:
    """What is on the page: the drawing, and the picture that the networks see."""

    def __init__(self, folder="."):
        self.models = networks(folder)
        self.rng = np.random.default_rng(0)
        self.drawn = np.zeros((SIDE, SIDE), np.float32)
        self.picture = self.drawn

    def draw(self, pixels, width):
        """A new drawing, `pixels` as the canvas has them: its opacity is the ink."""
        pixels = np.asarray(pixels, np.uint8).reshape(-1, width, 4)
        return self.take(as_mnist(pixels[..., 3]))

    def warm_up(self):
        """Do everything once: a browser compiles what it runs for the first time."""
        self.draw(np.tri(64, 256, dtype=np.uint8) * 255, 64)
        for name in self.models:
            self.why(name, samples=100)
        self.take(np.zeros_like(self.drawn))

    def take(self, picture):
        """A picture in place of a drawing."""
        self.drawn = picture
        return self._show(picture)

    def reset(self):
        return self._show(self.drawn)

    def shift(self, down, right):
        return self._show(shifted(self.picture, down, right))

    def thicken(self):
        return self._show(thickened(self.picture))

    def noise(self):
        return self._show(noisy(self.picture, self.rng))

    def erase(self, row, column):
        return self._show(erased(self.picture, row, column))

    def fool(self, name):
        """Add eps sign(dx) of one network to the picture."""
        if not self.picture.any():
            return self._show(self.picture)
        before = self._ask(name).argmax()
        eps, picture, sign, lucky = fool(self.models[name], self.picture, self.rng)
        shown = self._show(picture)
        p = self._ask(name)
        if eps is None:
            said = f"{NAMES[name]} still says {before}, even with ε = 0.5."
        else:
            said = (
                f"ε = {eps:.2f} is enough: {NAMES[name]} said {before}, and now says "
                f"{p.argmax()} ({percent(p.max())}). Of 20 pictures changed as much "
                f"in random directions, it misreads {lucky}."
            )
        added = as_bytes(np.zeros_like(sign), sign)
        return shown | {"told": said, "added": added}

    def why(self, name, samples=1000):
        """LIME's evidence for the answer of one network, and for its runner-up."""
        if not self.picture.any():
            return self._show(self.picture)
        best = np.argsort(-self._ask(name))[:2].tolist()
        told = explain_image(
            lambda batch: probabilities(self.models[name], batch),
            self.picture,
            segments=parts(self.picture),
            fill=0,
            labels=best,
            n_samples=int(samples),
            progress=False,
        )
        low, high = told.interval[..., best]
        weights = np.where((low <= 0) & (high >= 0), 0, told.coef[:, best])
        evidence = []
        for label, weight in zip(best, weights.T, strict=True):
            strongest = np.abs(weight).max()
            weight = weight[told.segments] / max(strongest, 1e-9)
            evidence.append(
                {
                    "label": label,
                    "title": f"For {label} ({percent(told.prediction[label])})",
                    "fit": f"R² {told.r2[label]:.2f}, strongest {strongest:.3f}",
                    "said": spoken(weight),
                    "pixels": as_bytes(self.picture, weight),
                }
            )
        said = f"{NAMES[name]} was asked {int(samples):,} times. " + " ".join(
            f"{e['title']}: {e['said']}." for e in evidence
        )
        return {"evidence": evidence, "told": said}

    def _ask(self, name):
        return probabilities(self.models[name], self.picture[None])[0]

    def _show(self, picture):
        self.picture = picture
        shown = {"picture": as_bytes(picture), "answers": {}, "told": "Nothing drawn."}
        if picture.any():
            answers = {name: self._ask(name) for name in self.models}
            shown["answers"] = {
                name: {
                    "p": p.tolist(),
                    "texts": [percent(each) for each in p],
                    "best": int(p.argmax()),
                }
                for name, p in answers.items()
            }
            shown["told"] = " ".join(
                sentence(NAMES[name], p) for name, p in answers.items()
            )
        return shown


def sentence(name, p):
    first, second = np.argsort(-p)[:2]
    return (
        f"{name} says {first} ({percent(p[first])}), "
        f"then {second} ({percent(p[second])})."
    )


def spoken(weight):
    """Where the strongest evidence lies, in words, from the weights (28, 28)."""
    parts = []
    for how, strength in (("for it", weight), ("against it", -weight)):
        if strength.max() > 0:
            row, column = divmod(int(strength.argmax()), SIDE)
            # The middle of the 4 x 4 pixels, in thirds of the picture.
            place = PLACES[3 * ((row + 2) * 3 // SIDE) + (column + 2) * 3 // SIDE]
            parts.append(f"most {how} at the {place}")
    return ", ".join(parts) or "no part matters for certain"
