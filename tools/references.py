"""Freeze the answers of PyTorch and scikit-learn, so that every machine can compare
with them.

    make references          (or: python tools/references.py, where PyTorch is installed)

writes `data/references/nn.npz`. `scratchml.datasets.references("nn")` reads it, and
`tests/test_parity.py` compares: ours with the file everywhere, the file with PyTorch
where there is one. Everything is float64. Names are `case.what`:

    linear_2d.x .W .b .dy -> .y .dx .dW .db     a layer: inputs, then what PyTorch answers
    batch_norm_1d.x .dy -> .y .dx .running_mean .eval_y ...   three steps, then eval mode
    cross_entropy.scores .target -> .loss .ds   a loss
    adam.path                                   51 positions of all parameters, (51, 15)
    network.losses .0_W ...                     twenty steps of a whole small network
    sklearn_mlp. sklearn_logistic. digits.      scikit-learn's numbers
    versions                                    what computed them

Weights are stored as ours are, `(n_in, n_out)`. The same versions on the same machine
write the same bytes.
"""

from pathlib import Path

import numpy as np

from scratchml._support import replace_file

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "data" / "references"
STEPS = 50


def inputs():
    """What goes in, for every case: numbers from one generator, the same on every
    machine.
    """
    rng = np.random.default_rng(20)
    normal = rng.standard_normal
    x, wide = normal((5, 4)), 3 * normal((6, 4))
    kinks = wide.copy()
    kinks[0, :2] = 0  # where a slope has to be chosen
    cases = {
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
        # one data set and one starting point for all the paths, another for the network
        "path": dict(
            x=normal((20, 4)), y=rng.integers(0, 3, 20), W=normal((4, 3)), b=normal(3)
        ),
        "network": dict(x=normal((30, 12)), y=rng.integers(0, 3, 30))
        | {
            "start_0_W": normal((12, 8)) / 3,
            "start_0_b": normal(8) / 9,
            "start_2_W": normal((8, 6)) / 3,
            "start_2_b": normal(6) / 9,
            "start_4_W": normal((6, 3)) / 3,
            "start_4_b": normal(3) / 9,
        },
        "sklearn_mlp": dict(x=normal((40, 5)), y=np.arange(40) % 3)
        | {
            "start_0_W": normal((5, 7)) / 2,
            "start_0_b": normal(7) / 9,
            "start_2_W": normal((7, 3)) / 2,
            "start_2_b": normal(3) / 9,
        },
        "sklearn_logistic": dict(x=normal((60, 4)), y=rng.integers(0, 3, 60)),
        # a batch for each of three steps
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
    }
    return {
        f"{case}.{name}": a
        for case, arrays in cases.items()
        for name, a in arrays.items()
    }


def of(arrays, case):
    """The arrays of one case, by their short names."""
    return {
        name.removeprefix(f"{case}."): a
        for name, a in arrays.items()
        if name.startswith(f"{case}.")
    }


# ------------------------------------------------------------------------------ PyTorch


def layers(given):
    """Output, dx and parameter gradients of each layer."""
    from torch import nn, tensor

    modules = {
        "linear_2d": nn.Linear(4, 3),
        "linear_3d": nn.Linear(4, 3),
        "sigmoid": nn.Sigmoid(),
        "tanh": nn.Tanh(),
        "relu": nn.ReLU(),
        "leaky_relu": nn.LeakyReLU(0.01),
        "softmax": nn.Softmax(dim=-1),
        "softmax_3d": nn.Softmax(dim=-1),
        "dropout_eval": nn.Dropout(0.5).eval(),
        "flatten": nn.Flatten(),
    }
    found = {}
    for case, module in modules.items():
        arrays = of(given, case)
        x = tensor(arrays["x"], requires_grad=True)
        if "W" in arrays:
            module = linear(arrays["W"], arrays["b"])
        y = module(x)
        y.backward(tensor(arrays["dy"]))
        found |= {f"{case}.y": y, f"{case}.dx": x.grad}
        if "W" in arrays:
            found |= {
                f"{case}.dW": module.weight.grad.T,
                f"{case}.db": module.bias.grad,
            }
    return found


def batch_norms(given):
    """Three steps of training with what is remembered after each, then eval mode."""
    from torch import nn, tensor

    found = {}
    for case, module in {
        "batch_norm_1d": nn.BatchNorm1d(4).double(),
        "batch_norm_2d": nn.BatchNorm2d(2).double(),
    }.items():
        arrays = of(given, case)
        module.weight.data = tensor(arrays["gamma"])
        module.bias.data = tensor(arrays["beta"])
        steps = []
        for x, dy in zip(arrays["x"], arrays["dy"], strict=True):
            step = run_batch_norm(module, x, dy)
            step["running_mean"] = module.running_mean.clone()
            step["running_var"] = module.running_var.clone()
            steps.append(step)
        for name in steps[0]:
            answers = [step[name].detach().numpy() for step in steps]
            found[f"{case}.{name}"] = np.array(answers)
        last = run_batch_norm(module.eval(), arrays["x"][0], arrays["dy"][0])
        found |= {f"{case}.eval_{name}": answer for name, answer in last.items()}
    return found


def run_batch_norm(module, x, dy):
    """Output and gradients of one forward and backward."""
    from torch import tensor

    x = tensor(x, requires_grad=True)
    module.zero_grad()
    y = module(x)
    y.backward(tensor(dy))
    return {
        "y": y,
        "dx": x.grad,
        "dgamma": module.weight.grad.clone(),
        "dbeta": module.bias.grad.clone(),
    }


def losses(given):
    """Value and gradient of each loss; penalties are sums of the weights by
    autograd.
    """
    from torch import nn, tensor

    found = {}
    for case, loss in {
        "mse": nn.MSELoss(),
        "mse_3d": nn.MSELoss(),
        "cross_entropy": nn.CrossEntropyLoss(),
        "cross_entropy_one_hot": nn.CrossEntropyLoss(),
        "cross_entropy_3d": nn.CrossEntropyLoss(),
        "cross_entropy_huge": nn.CrossEntropyLoss(),
        "bce": nn.BCEWithLogitsLoss(),
    }.items():
        scores = tensor(given[f"{case}.scores"], requires_grad=True)
        # PyTorch wants the classes second, (N, C, T); ours are last.
        turned = scores.transpose(1, 2) if case == "cross_entropy_3d" else scores
        value = loss(turned, tensor(given[f"{case}.target"]))
        value.backward()
        found |= {f"{case}.loss": value, f"{case}.ds": scores.grad}
    for case, penalty in {
        "l1": lambda W: W.abs().sum(),
        "l2": lambda W: (W * W).sum() / 2,
    }.items():
        W = tensor(given[f"{case}.W"], requires_grad=True)
        value = float(given[f"{case}.strength"]) * penalty(W)
        value.backward()
        found |= {f"{case}.loss": value, f"{case}.dW": W.grad}
    return found


def paths(given):
    """Softmax regression for fifty full-batch steps with each optimizer, from one
    start.
    """
    from torch import cat, nn, optim, tensor
    from torch.nn.utils import get_total_norm

    def clip(model, max_norm):
        """Exactly `max_norm / norm`; clip_grad_norm_ itself adds 1e-6 to the norm."""
        gradients = [p.grad for p in model.parameters()]
        norm = get_total_norm(gradients)
        for g in gradients:
            g *= (max_norm / norm).clamp(max=1)

    def nothing(model):
        pass

    recipes = {  # optimizer(parameters); weight decay; what happens to the gradients
        "sgd": (lambda p: optim.SGD(p, 0.5), 0, nothing),
        "momentum": (lambda p: optim.SGD(p, 0.1, momentum=0.9), 0, nothing),
        "nesterov": (
            lambda p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
            0,
            nothing,
        ),
        "adagrad": (lambda p: optim.Adagrad(p, 0.3), 0, nothing),
        "rmsprop": (lambda p: optim.RMSprop(p, 0.02), 0, nothing),
        "adam": (lambda p: optim.Adam(p, 0.05), 0, nothing),
        "clip": (lambda p: optim.SGD(p, 0.5), 0, lambda model: clip(model, 0.1)),
        "weight_decay": (lambda p: optim.SGD(p, 0.5), 0.05, nothing),
        "weight_decay_momentum": (
            lambda p: optim.SGD(p, 0.1, momentum=0.9),
            0.05,
            nothing,
        ),
    }
    x, y = tensor(given["path.x"]), tensor(given["path.y"])
    found = {}
    for case, (make, decay, edit) in recipes.items():
        model = linear(given["path.W"], given["path.b"])
        optimizer = make(
            [
                {"params": [model.weight], "weight_decay": decay},
                {"params": [model.bias]},
            ]
        )  # biases stay free, as with our penalties
        path = []
        for step in range(STEPS + 1):
            path.append(
                cat([model.weight.T.flatten(), model.bias]).detach().numpy().copy()
            )
            if step < STEPS:
                optimizer.zero_grad()
                nn.CrossEntropyLoss()(model(x), y).backward()
                edit(model)
                optimizer.step()
        found[f"{case}.path"] = np.array(path)
    return found


def network(given):
    """Linear, tanh, linear, leaky ReLU, linear; Adam on mini-batches of ten in a fixed
    order.
    """
    from torch import nn, optim, tensor

    arrays = of(given, "network")
    parts = {
        i: linear(arrays[f"start_{i}_W"], arrays[f"start_{i}_b"]) for i in (0, 2, 4)
    }
    model = nn.Sequential(parts[0], nn.Tanh(), parts[2], nn.LeakyReLU(0.01), parts[4])
    optimizer, losses = optim.Adam(model.parameters(), 0.02), []
    x, y = tensor(arrays["x"]), tensor(arrays["y"])
    for step in range(20):
        rows = slice(step % 3 * 10, step % 3 * 10 + 10)
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    found = {"network.losses": np.array(losses), "network.scores": model(x)}
    for i, part in parts.items():
        found |= {f"network.{i}_W": part.weight.T, f"network.{i}_b": part.bias}
    return found


def linear(W, b):
    """A float64 `torch.nn.Linear` with our weights; its own are (n_out, n_in)."""
    import torch

    module = torch.nn.Linear(*W.shape).double()
    with torch.no_grad():
        module.weight.copy_(torch.tensor(W.T))
        module.bias.copy_(torch.tensor(b))
    return module


# ------------------------------------------------------------------------- scikit-learn


def scikit_learn(given):
    """An MLP from our initial weights, and a logistic regression down to its
    minimum.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    arrays = of(given, "sklearn_mlp")
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
    model.partial_fit(arrays["x"], arrays["y"], classes=[0, 1, 2])  # makes its arrays
    for i, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        W[...], b[...] = arrays[f"start_{2 * i}_W"], arrays[f"start_{2 * i}_b"]
    model.loss_curve_.clear()
    for _ in range(20):
        model.partial_fit(arrays["x"], arrays["y"])
    found = {
        "sklearn_mlp.losses": np.array(model.loss_curve_),
        "sklearn_mlp.probabilities": model.predict_proba(arrays["x"]),
    }

    arrays = of(given, "sklearn_logistic")
    model = LogisticRegression(C=2.0, tol=1e-12, max_iter=10_000).fit(
        arrays["x"], arrays["y"]
    )
    return found | {
        "sklearn_logistic.W": model.coef_.T,
        "sklearn_logistic.b": model.intercept_,
        "sklearn_logistic.C": np.array(2.0),
    }


def digits(given):
    """What softmax regression can do with the embedded digits: logistic regression's
    accuracy.
    """
    from sklearn.linear_model import LogisticRegression

    from scratchml import datasets

    (x, y), _, (test_x, test_y) = datasets.mnist(full=False)
    model = LogisticRegression(C=0.1, tol=1e-8, max_iter=1000).fit(
        x.reshape(len(x), -1), y
    )
    right = model.score(test_x.reshape(len(test_x), -1), test_y)
    return {
        "digits.logistic_C": np.array(0.1),
        "digits.logistic_test_accuracy": np.array(right),
    }


# -------------------------------------------------------------------------------- files


def compute(*parts):
    """All references, or those of some of the functions above: {name: array}."""
    given = inputs()
    found = dict(given)
    everything = (
        *(layers, batch_norms, losses, paths, network),
        *(scikit_learn, digits),
    )
    for part in parts or everything:
        for name, value in part(given).items():
            value = value.detach().numpy() if hasattr(value, "detach") else value
            found[name] = np.array(value, order="C")
    return found


def versions():
    import sklearn
    import torch

    return np.array(
        [f"{module.__name__} {module.__version__}" for module in (np, torch, sklearn)]
    )


def save(path, arrays):
    """Write the arrays whole or not at all; returns the number of bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # np.savez writes no dates: the same arrays give the same bytes.
    replace_file(path, lambda file: np.savez(file, **arrays))
    return path.stat().st_size


def main():
    from threadpoolctl import threadpool_limits

    used = versions()
    with threadpool_limits(1):  # with two, the last digits come out otherwise
        arrays = compute() | {"versions": used}
    size = save(FOLDER / "nn.npz", arrays)
    print(
        f"data/references/nn.npz: {len(arrays)} arrays, {size:,} bytes, "
        f"with {', '.join(used)}"
    )


if __name__ == "__main__":
    main()
