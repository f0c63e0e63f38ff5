"""Freeze PyTorch's training of whole models, for the tests to compare with.

    make references          (or: python tools/references_models.py, where PyTorch is installed)

writes `data/references/models.npz`. `scratchml.datasets.references("models")` reads it,
and `tests/test_interop.py` compares: ours with the file everywhere, ours with PyTorch
where there is one. The PyTorch models are made by `scratchml.interop.to_torch`.
Everything is float64. Names:

    CNN.x .y                    eighteen examples; each step takes six of them
    CNN.start.0.W ...           the weights before the first step, by our names
    CNN.Adam.losses             the loss of each of twenty steps
    CNN.Adam.end.0.W ...        the weights after the last

The same versions on the same machine write the same bytes.
"""

import sys

import numpy as np

from references import FOLDER, ROOT, of, save

STEPS, BATCHES = 20, 3
OPTIMIZERS = {  # ours, its arguments; PyTorch's, its arguments
    "SGD": ("SGD", dict(lr=0.2), "SGD", dict(lr=0.2)),
    "momentum": (
        "SGD",
        dict(lr=0.05, momentum=0.9),
        "SGD",
        dict(lr=0.05, momentum=0.9),
    ),
    "Nesterov": (
        "SGD",
        dict(lr=0.05, momentum=0.9, nesterov=True),
        "SGD",
        dict(lr=0.05, momentum=0.9, nesterov=True),
    ),
    "AdaGrad": ("AdaGrad", dict(lr=0.1), "Adagrad", dict(lr=0.1)),
    "RMSProp": ("RMSProp", dict(lr=0.01), "RMSprop", dict(lr=0.01)),
    "Adam": ("Adam", dict(lr=0.02), "Adam", dict(lr=0.02)),
}


def models():
    """Small models of every kind in the course; their weights are replaced."""
    import scratchml as s

    rng = np.random.default_rng(0)
    cells = {
        cell.__name__: s.Sequential(
            cell(3, 4, rng=rng), s.Flatten(), s.Linear(20, 3, rng=rng)
        )
        for cell in (s.RNN, s.LSTM, s.GRU)
    }
    return {
        "NN": s.Sequential(
            s.Linear(6, 5, rng=rng),
            s.Tanh(),
            s.Linear(5, 4, rng=rng),
            s.LeakyReLU(),
            s.Linear(4, 3, rng=rng),
        ),
        "CNN": s.Sequential(
            s.Conv2d(1, 3, 3, padding=1, rng=rng),
            s.ReLU(),
            s.MaxPool2d(2),
            s.Conv2d(3, 4, 2, rng=rng),
            s.Sigmoid(),
            s.AvgPool2d(2, stride=1),
            s.Flatten(),
            s.Linear(16, 3, rng=rng),
        ),
        **cells,
        "TextClassifier": s.TextClassifier(9, 3, embedding=3, hidden=4, rng=rng),
        "CharacterModel": s.CharacterModel(
            5, embedding=3, hidden=4, cell="GRU", rng=rng
        ),
    }


def inputs():
    """What goes in, for every model: numbers from one generator, the same on every
    machine.
    """
    rng = np.random.default_rng(22)
    shapes = {"NN": (18, 6), "CNN": (18, 1, 8, 8)}
    found = {}
    for name, model in models().items():
        x, y = rng.standard_normal(shapes.get(name, (18, 5, 3))), rng.integers(0, 3, 18)
        if name == "TextClassifier":  # texts of 0 to 6 words
            words = np.arange(6) < rng.integers(0, 7, (18, 1))
            x = np.where(words, rng.integers(1, 9, (18, 6)), 0)
        elif name == "CharacterModel":
            x, y = rng.integers(0, 5, (2, 18, 6))
        start = {
            f"start.{key}": rng.standard_normal(p.shape) / 2
            for key, p in model.parameters().items()
        }
        if name == "TextClassifier":
            start["start.0.W"][0] = 0  # padding is nothing
        found |= {f"{name}.{key}": a for key, a in ({"x": x, "y": y} | start).items()}
    return found


def build(name, given):
    """Our model in float64, at its frozen start."""
    model = models()[name].astype(np.float64)
    for key, p in model.parameters().items():
        p[...] = given[f"{name}.start.{key}"]
    return model


def steps(name, given):
    """The examples of each step."""
    x, y = given[f"{name}.x"], given[f"{name}.y"]
    for step in range(STEPS):
        yield x[step % BATCHES :: BATCHES], y[step % BATCHES :: BATCHES]


def ours(name, optimizer, given):
    """Twenty steps of ours: losses and the weights at the end."""
    import scratchml

    model, loss = build(name, given), scratchml.CrossEntropyLoss()
    kind, options = OPTIMIZERS[optimizer][:2]
    walk = getattr(scratchml, kind)(**options)
    losses = [
        scratchml.train_step(model, loss, walk, x, y)[0] for x, y in steps(name, given)
    ]
    return {"losses": np.array(losses)} | {
        f"end.{k}": p for k, p in model.parameters().items()
    }


def theirs(name, optimizer, given):
    """Twenty steps of PyTorch, on what `to_torch` makes of our model."""
    import torch

    from scratchml.interop import from_torch, to_torch

    module = to_torch(build(name, given))
    kind, options = OPTIMIZERS[optimizer][2:]
    walk, losses = getattr(torch.optim, kind)(module.parameters(), **options), []
    for x, y in steps(name, given):
        walk.zero_grad()
        scores = module(torch.tensor(x))
        # The classes are last; PyTorch wants them second, so every character is one
        # example.
        loss = torch.nn.functional.cross_entropy(
            scores.flatten(0, -2), torch.tensor(y.ravel())
        )
        loss.backward()
        walk.step()
        losses.append(loss.item())
    end = from_torch(module).parameters()
    return {"losses": np.array(losses)} | {f"end.{key}": p for key, p in end.items()}


def compute():
    """All references: {name: array}."""
    found = given = inputs()
    for name in models():
        for optimizer in OPTIMIZERS:
            answers = theirs(name, optimizer, given)
            found = found | {
                f"{name}.{optimizer}.{key}": a for key, a in answers.items()
            }
    return found


def difference(mine, answers):
    """The largest difference of any array, in parts of that array's largest number."""
    assert mine.keys() == answers.keys()
    assert all(mine[key].shape == answers[key].shape for key in mine)
    return max(
        np.abs(mine[key] - a).max() / np.abs(a).max() for key, a in answers.items()
    )


def main():
    sys.path.insert(0, str(ROOT))
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    with threadpool_limits(1):  # with two, the last digits come out otherwise
        arrays = compute()
    used = np.array([f"numpy {np.__version__}", f"torch {torch.__version__}"])
    size = save(FOLDER / "models.npz", arrays | {"versions": used})
    print(
        f"data/references/models.npz: {len(arrays)} arrays, {size:,} bytes, "
        f"with {', '.join(used)}"
    )
    worst = {
        name: max(
            difference(ours(name, optimizer, arrays), of(arrays, f"{name}.{optimizer}"))
            for optimizer in OPTIMIZERS
        )
        for name in models()
    }
    print(
        "largest relative differences:", {name: f"{d:.1e}" for name, d in worst.items()}
    )


if __name__ == "__main__":
    main()
