"""Notebook 01: layers, losses, optimizers, whole small networks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

import scratchml as s
from references import PATHS, RNG, Case, of

STEPS = 50

# Case: ours, and what makes PyTorch's out of torch.nn.
LAYERS = {
    "linear_2d": (lambda: s.Linear(4, 3, rng=RNG), lambda nn: nn.Linear(4, 3)),
    "linear_3d": (lambda: s.Linear(4, 3, rng=RNG), lambda nn: nn.Linear(4, 3)),
    "sigmoid": (s.Sigmoid, lambda nn: nn.Sigmoid()),
    "tanh": (s.Tanh, lambda nn: nn.Tanh()),
    "relu": (s.ReLU, lambda nn: nn.ReLU()),
    "leaky_relu": (s.LeakyReLU, lambda nn: nn.LeakyReLU(0.01)),
    "softmax": (s.Softmax, lambda nn: nn.Softmax(dim=-1)),
    "softmax_3d": (s.Softmax, lambda nn: nn.Softmax(dim=-1)),
    "dropout_eval": (lambda: s.Dropout(rng=RNG).eval(), lambda nn: nn.Dropout().eval()),
    "flatten": (s.Flatten, lambda nn: nn.Flatten()),
}
BATCH_NORMS = {
    "batch_norm_1d": (lambda: s.BatchNorm(4), lambda nn: nn.BatchNorm1d(4)),
    "batch_norm_2d": (lambda: s.BatchNorm(2), lambda nn: nn.BatchNorm2d(2)),
}
LOSSES = {
    "mse": (s.MSELoss, lambda nn: nn.MSELoss()),
    "mse_3d": (s.MSELoss, lambda nn: nn.MSELoss()),
    "cross_entropy": (s.CrossEntropyLoss, lambda nn: nn.CrossEntropyLoss()),
    "cross_entropy_one_hot": (s.CrossEntropyLoss, lambda nn: nn.CrossEntropyLoss()),
    "cross_entropy_3d": (s.CrossEntropyLoss, lambda nn: nn.CrossEntropyLoss()),
    "cross_entropy_huge": (s.CrossEntropyLoss, lambda nn: nn.CrossEntropyLoss()),
    "bce": (s.BCEWithLogitsLoss, lambda nn: nn.BCEWithLogitsLoss()),
}
PENALTIES = {
    "l1": (s.L1, lambda W: W.abs().sum()),
    "l2": (s.L2, lambda W: (W * W).sum() / 2),
}


@dataclass
class Walk:
    """An optimizer on its way down: its row in the table, ours and PyTorch's."""

    row: str
    ours: Callable
    theirs: Callable  # of torch.optim and the parameters
    clip_norm: float | None = None
    weight_decay: float = 0


WALKS = {
    "sgd": Walk("`SGD`", lambda: s.SGD(0.5), lambda optim, p: optim.SGD(p, 0.5)),
    "momentum": Walk(
        "`SGD` with momentum",
        lambda: s.SGD(0.1, momentum=0.9),
        lambda optim, p: optim.SGD(p, 0.1, momentum=0.9),
    ),
    "nesterov": Walk(
        "`SGD`, Nesterov's",
        lambda: s.SGD(0.1, momentum=0.9, nesterov=True),
        lambda optim, p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    ),
    "adagrad": Walk(
        "`AdaGrad`", lambda: s.AdaGrad(0.3), lambda optim, p: optim.Adagrad(p, 0.3)
    ),
    "rmsprop": Walk(
        "`RMSProp`", lambda: s.RMSProp(0.02), lambda optim, p: optim.RMSprop(p, 0.02)
    ),
    "adam": Walk("`Adam`", lambda: s.Adam(0.05), lambda optim, p: optim.Adam(p, 0.05)),
    "clip": Walk(
        "`clip_gradients`",
        lambda: s.SGD(0.5),
        lambda optim, p: optim.SGD(p, 0.5),
        clip_norm=0.1,
    ),
    "weight_decay": Walk(
        "`SGD` with `L2`",
        lambda: s.SGD(0.5),
        lambda optim, p: optim.SGD(p, 0.5),
        weight_decay=0.05,
    ),
    "weight_decay_momentum": Walk(
        "`SGD` with momentum and `L2`",
        lambda: s.SGD(0.1, momentum=0.9),
        lambda optim, p: optim.SGD(p, 0.1, momentum=0.9),
        weight_decay=0.05,
    ),
}


def cases():
    """Every comparison of this file."""
    found = []
    for name, (ours, theirs) in LAYERS.items():
        row = row_of(type(ours()), " (in eval mode)" if "eval" in name else "")
        found.append(
            Case(name, partial(torch_layer, theirs), partial(our_layer, ours), row)
        )
    for name, (ours, theirs) in BATCH_NORMS.items():
        row = row_of(s.BatchNorm, ", three steps, then eval mode")
        found.append(
            Case(name, partial(torch_steps, theirs), partial(our_steps, ours), row)
        )
    for name, (ours, theirs) in LOSSES.items():
        mine = partial(our_loss, ours)
        found.append(Case(name, partial(torch_loss, theirs), mine, row_of(ours)))
    for name, (ours, theirs) in PENALTIES.items():
        mine = partial(our_penalty, ours)
        found.append(Case(name, partial(torch_penalty, theirs), mine, row_of(ours)))
    for name, walk in WALKS.items():
        row = f"{walk.row}, {STEPS} steps"
        found.append(
            Case(
                *(name, partial(torch_path, walk), partial(our_path, walk), row),
                inputs="path",
                bound=PATHS,
            )
        )
    row = "a network of `Linear`, `Tanh` and `LeakyReLU`, 20 steps with `Adam`"
    found.append(Case("network", torch_network, our_network, row, bound=PATHS))
    row = "`MLPClassifier`'s loss curve and probabilities, 20 steps"
    peer = {"peer": "scikit-learn", "bound": PATHS}
    found.append(Case("sklearn_mlp", their_mlp, our_mlp, row, **peer))
    found.append(Case("sklearn_logistic", their_logistic, **peer))
    found.append(Case("digits", their_digits, **peer))
    return found


def row_of(kind, note=""):
    return f"`{kind.__name__}`, forward and backward{note}"


def inputs():
    """Numbers from one generator, in this order."""
    rng = np.random.default_rng(20)
    normal = rng.standard_normal
    x = normal((5, 4))
    wide = 3 * normal((6, 4))
    kinks = wide.copy()
    kinks[0, :2] = 0  # where a slope has to be chosen
    return {
        "linear_2d": dict(x=x, W=normal((4, 3)), b=normal(3), dy=normal((5, 3))),
        "linear_3d": dict(
            x=normal((2, 3, 4)), W=normal((4, 3)), b=normal(3), dy=normal((2, 3, 3))
        ),
        "sigmoid": dict(x=wide, dy=normal((6, 4))),
        "tanh": dict(x=wide, dy=normal((6, 4))),
        "relu": dict(x=kinks, dy=normal((6, 4))),
        "leaky_relu": dict(x=kinks, dy=normal((6, 4))),
        "softmax": dict(x=wide, dy=normal((6, 4))),
        "softmax_3d": dict(x=normal((2, 3, 4)), dy=normal((2, 3, 4))),
        "dropout_eval": dict(x=x, dy=normal((5, 4))),
        "flatten": dict(x=normal((3, 2, 2, 4)), dy=normal((3, 16))),
        "mse": dict(scores=wide, target=normal((6, 4))),
        "mse_3d": dict(scores=normal((2, 3, 4)), target=normal((2, 3, 4))),
        "cross_entropy": dict(scores=wide, target=rng.integers(0, 4, 6)),
        "cross_entropy_one_hot": dict(
            scores=wide, target=np.eye(4)[rng.integers(0, 4, 6)]
        ),
        "cross_entropy_3d": dict(
            scores=normal((2, 3, 4)), target=rng.integers(0, 4, (2, 3))
        ),
        "cross_entropy_huge": dict(scores=300 * wide, target=rng.integers(0, 4, 6)),
        "bce": dict(scores=wide, target=rng.integers(0, 2, (6, 4)).astype(float)),
        "l1": dict(W=wide, strength=np.array(0.1)),
        "l2": dict(W=wide, strength=np.array(0.1)),
        # One data set and one starting point for all the paths.
        "path": dict(
            x=normal((20, 4)), y=rng.integers(0, 3, 20), W=normal((4, 3)), b=normal(3)
        ),
        "network": dict(x=normal((30, 12)), y=rng.integers(0, 3, 30))
        | {
            "start.0.W": normal((12, 8)) / 3,
            "start.0.b": normal(8) / 9,
            "start.2.W": normal((8, 6)) / 3,
            "start.2.b": normal(6) / 9,
            "start.4.W": normal((6, 3)) / 3,
            "start.4.b": normal(3) / 9,
        },
        "sklearn_mlp": dict(x=normal((40, 5)), y=np.arange(40) % 3)
        | {
            "start.0.W": normal((5, 7)) / 2,
            "start.0.b": normal(7) / 9,
            "start.2.W": normal((7, 3)) / 2,
            "start.2.b": normal(3) / 9,
        },
        "sklearn_logistic": dict(x=normal((60, 4)), y=rng.integers(0, 3, 60)),
        # A batch for each of three steps.
        "batch_norm_1d": dict(
            x=2 * normal((3, 6, 4)) + 1,
            dy=normal((3, 6, 4)),
            gamma=normal(4),
            beta=normal(4),
        ),
        "batch_norm_2d": dict(
            x=2 * normal((3, 5, 2, 4, 3)) + 1,
            dy=normal((3, 5, 2, 4, 3)),
            gamma=normal(2),
            beta=normal(2),
        ),
        "digits": {},
    }


# ------------------------------------------------------------------------------- layers


def our_layer(make, given):
    """Our y, dx and gradients of the parameters."""
    layer = fill(make(), given)
    return forth_and_back(layer, given["x"], given["dy"])


def our_steps(make, given):
    """Several batches in training mode, with the buffers after each; then eval mode."""
    layer = fill(make(), given)
    steps = []
    for x, dy in zip(given["x"], given["dy"], strict=True):
        step = forth_and_back(layer, x, dy)
        buffers = {name: b.copy() for name, b in layer.buffers.items()}
        steps.append(step | buffers)
    last = forth_and_back(layer.eval(), given["x"][0], given["dy"][0])
    return stacked(steps) | {f"eval_{what}": a for what, a in last.items()}


def fill(model, weights):
    """The model in float64 with these weights."""
    model.astype(np.float64)
    for name, p in model.parameters().items():
        p[...] = weights[name]
    return model


def forth_and_back(layer, x, dy):
    y = layer.forward(x)
    dx = layer.backward(dy)
    gradients = {f"d{name}": g for name, g in layer.gradients().items()}
    return {"y": y, "dx": dx} | gradients


def stacked(steps):
    return {what: np.array([step[what] for step in steps]) for what in steps[0]}


def torch_layer(make, given):
    """PyTorch's y, dx and gradients of the parameters."""
    from torch import nn

    module = torch_fill(make(nn).double(), given)
    return torch_forth_and_back(module, given["x"], given["dy"])


def torch_steps(make, given):
    from torch import nn

    module = torch_fill(make(nn).double(), given)
    steps = []
    for x, dy in zip(given["x"], given["dy"], strict=True):
        step = torch_forth_and_back(module, x, dy)
        step["running_mean"] = module.running_mean.numpy().copy()
        step["running_var"] = module.running_var.numpy().copy()
        steps.append(step)
    last = torch_forth_and_back(module.eval(), given["x"][0], given["dy"][0])
    return stacked(steps) | {f"eval_{what}": a for what, a in last.items()}


def torch_fill(module, weights):
    """PyTorch's module with our weights; a Linear has its matrix turned."""
    import torch

    names = {"W": "weight", "b": "bias", "gamma": "weight", "beta": "bias"}
    for name in names.keys() & weights.keys():
        a = turned(module, weights[name])
        getattr(module, names[name]).data = torch.tensor(a)
    return module


def turned(module, a):
    """The matrix of a Linear as the other library has it; all else as it is."""
    return a.T if type(module).__name__ == "Linear" and a.ndim == 2 else a


def torch_forth_and_back(module, x, dy):
    """Output and gradients of one forward and backward, by our names."""
    import torch

    x = torch.tensor(x, requires_grad=True)
    module.zero_grad()
    y = module(x)
    y.backward(torch.tensor(dy))
    found = {"y": y.detach().numpy(), "dx": x.grad.numpy()}
    norm = hasattr(module, "running_mean")
    names = ("gamma", "beta") if norm else ("W", "b")
    for name, p in zip(names, module.parameters(), strict=False):
        found[f"d{name}"] = turned(module, p.grad.numpy()).copy()
    return found


# ------------------------------------------------------------------------------- losses


def our_loss(make, given):
    """Value and gradient of a loss."""
    loss = make()
    value = loss.forward(given["scores"], given["target"])
    return {"loss": value, "ds": loss.backward()}


def torch_loss(make, given):
    from torch import nn, tensor

    scores = tensor(given["scores"], requires_grad=True)
    target = tensor(given["target"])
    # PyTorch wants the classes second, (N, C, T); ours are last.
    classes_last = scores.ndim == 3 and target.ndim == 2
    value = make(nn)(scores.transpose(1, 2) if classes_last else scores, target)
    value.backward()
    return {"loss": value, "ds": scores.grad}


def our_penalty(make, given):
    penalty = make(given["strength"])
    value = penalty.forward(given["W"])
    return {"loss": value, "dW": penalty.backward()}


def torch_penalty(total, given):
    from torch import tensor

    W = tensor(given["W"], requires_grad=True)
    value = float(given["strength"]) * total(W)
    value.backward()
    return {"loss": value, "dW": W.grad}


# -------------------------------------------------------------------------------- paths


def our_path(walk, given):
    """Softmax regression, full batch: all parameters before each of fifty steps."""
    model = fill(s.Linear(4, 3, rng=RNG), given)
    optimizer = walk.ours()
    penalty = s.L2(walk.weight_decay) if walk.weight_decay else None
    path = [np.concatenate([p.ravel() for p in model.parameters().values()])]
    for _ in range(STEPS):
        s.train_step(
            *(model, s.CrossEntropyLoss(), optimizer, given["x"], given["y"]),
            penalty=penalty,
            clip_norm=walk.clip_norm,
        )
        path.append(np.concatenate([p.ravel() for p in model.parameters().values()]))
    return {"path": np.array(path)}


def torch_path(walk, given):
    import torch
    from torch import nn

    model = torch_fill(nn.Linear(4, 3).double(), given)
    decayed = {"params": [model.weight], "weight_decay": walk.weight_decay}
    free = {"params": [model.bias], "weight_decay": 0}  # as with our penalties
    optimizer = walk.theirs(torch.optim, [decayed, free])
    x = torch.tensor(given["x"])
    y = torch.tensor(given["y"])
    path = [torch.cat([model.weight.T.flatten(), model.bias]).detach()]
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.CrossEntropyLoss()(model(x), y).backward()
        if walk.clip_norm:
            clip(model, walk.clip_norm)
        optimizer.step()
        path.append(torch.cat([model.weight.T.flatten(), model.bias]).detach())
    return {"path": torch.stack(path)}


def clip(model, max_norm):
    """Exactly `max_norm / norm`; clip_grad_norm_ itself adds 1e-6 to the norm."""
    from torch.nn.utils import get_total_norm

    gradients = [p.grad for p in model.parameters()]
    scale = (max_norm / get_total_norm(gradients)).clamp(max=1)
    for g in gradients:
        g *= scale


# ----------------------------------------------------------------------------- networks


def batch_of_ten(step):
    first = step % 3 * 10
    return slice(first, first + 10)


def our_network(given):
    """Twenty steps of Adam, mini-batches of ten in a fixed order."""
    model = s.Sequential(
        s.Linear(12, 8, rng=RNG),
        s.Tanh(),
        s.Linear(8, 6, rng=RNG),
        s.LeakyReLU(),
        s.Linear(6, 3, rng=RNG),
    )
    fill(model, of(given, "start"))
    optimizer = s.Adam(0.02)
    losses = []
    for step in range(20):
        rows = batch_of_ten(step)
        x = given["x"][rows]
        y = given["y"][rows]
        value, _, _ = s.train_step(model, s.CrossEntropyLoss(), optimizer, x, y)
        losses.append(value)
    end = {f"end.{name}": p for name, p in model.parameters().items()}
    return {"losses": np.array(losses), "scores": model.forward(given["x"])} | end


def torch_network(given):
    import torch
    from torch import nn

    model = nn.Sequential(
        nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 6), nn.LeakyReLU(), nn.Linear(6, 3)
    ).double()
    for i in (0, 2, 4):
        torch_fill(model[i], of(given, f"start.{i}"))
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    x = torch.tensor(given["x"])
    y = torch.tensor(given["y"])
    losses = []
    for step in range(20):
        rows = batch_of_ten(step)
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    found = {"losses": np.array(losses), "scores": model(x)}
    for i in (0, 2, 4):
        found |= {f"end.{i}.W": model[i].weight.T, f"end.{i}.b": model[i].bias}
    return found


def our_mlp(given):
    """Twenty full-batch steps; scikit-learn divides its alpha by N."""
    first = s.Linear(5, 7, rng=RNG)
    model = s.Sequential(first, s.ReLU(), s.Linear(7, 3, rng=RNG))
    fill(model, of(given, "start"))
    optimizer = s.SGD(0.3)
    losses = []
    for _ in range(20):
        value, _, _ = s.train_step(
            *(model, s.CrossEntropyLoss(), optimizer, given["x"], given["y"]),
            penalty=s.L2(0.1 / 40),
        )
        losses.append(value)
    probabilities = s.softmax(model.forward(given["x"]))
    return {"losses": np.array(losses), "probabilities": probabilities}


def their_mlp(given):
    """An MLP of scikit-learn from our initial weights."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        (7,),
        solver="sgd",
        alpha=0.1,
        batch_size=40,
        learning_rate_init=0.3,
        momentum=0,
        nesterovs_momentum=False,
        shuffle=False,
    )
    model.partial_fit(given["x"], given["y"], classes=[0, 1, 2])  # makes its arrays
    for i, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        W[...] = given[f"start.{2 * i}.W"]
        b[...] = given[f"start.{2 * i}.b"]
    model.loss_curve_.clear()
    for _ in range(20):
        model.partial_fit(given["x"], given["y"])
    return {
        "losses": np.array(model.loss_curve_),
        "probabilities": model.predict_proba(given["x"]),
    }


def their_logistic(given):
    """A logistic regression, down to its minimum."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=2.0, tol=1e-12, max_iter=10_000)
    model.fit(given["x"], given["y"])
    return {"W": model.coef_.T, "b": model.intercept_, "C": np.array(2.0)}


def their_digits(given):
    """What softmax regression can do with the embedded digits."""
    from sklearn.linear_model import LogisticRegression

    (x, y), _, (test_x, test_y) = s.datasets.mnist(full=False)
    model = LogisticRegression(C=0.1, tol=1e-8, max_iter=1000)
    model.fit(x.reshape(len(x), -1), y)
    right = model.score(test_x.reshape(len(test_x), -1), test_y)
    return {
        "logistic_C": np.array(0.1),
        "logistic_test_accuracy": np.array(right),
    }
