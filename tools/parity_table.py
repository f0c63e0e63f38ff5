"""Measure how far our numbers are from those of others, and write the README's table.

    make parity              (or: python tools/parity_table.py, where PyTorch is installed)

Every row is measured anew, by the functions that the parity tests use: PyTorch,
scikit-learn and lime compute, ours compute, and the row says the largest difference of
any number of an array, in parts of the largest number of that array. A row above its
bound is an error.
"""

import sys

import numpy as np

from course import ROOT, write
from links import with_block
from references import of

sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
VALUES, PATHS, MODELS = 1e-12, 1e-10, 1e-9
HEAD = """\
| feature | peer | largest relative difference | bound |
|---|---|---|---|"""


def difference(mine, theirs):
    """The largest relative difference of any array of theirs; ours must have them
    all.
    """
    worst = 0.0
    for name, expected in theirs.items():
        got, expected = np.asarray(mine[name], float), np.asarray(expected, float)
        if got.shape != expected.shape:
            raise SystemExit(f"{name}: shapes {got.shape} and {expected.shape}")
        worst = max(
            worst, np.abs(got - expected).max() / max(np.abs(expected).max(), 1e-300)
        )
    return worst


def answers(arrays, case, given):
    """What a peer answered in one case, its inputs left out."""
    return {
        name: a for name, a in of(arrays, case).items() if f"{case}.{name}" not in given
    }


def dense():
    """Layers, losses, optimizers and scikit-learn: tools/references.py,
    tests/test_parity.py.
    """
    import test_parity as ours

    import references

    given, fresh = references.inputs(), references.compute()
    found = {
        case: (tolerance, difference(numbers, answers(fresh, case, given)))
        for case, tolerance, numbers in ours.ours(fresh)
    }

    def row(text, *cases, peer="PyTorch"):
        return text, peer, max(found[case][1] for case in cases), found[cases[0]][0]

    layers = {}
    for case, make in (ours.LAYERS | ours.LOSSES).items():
        layers.setdefault(type(make()).__name__, []).append(case)
    for name, cases in layers.items():
        mode = " (in eval mode)" if name == "Dropout" else ""
        yield row(f"`{name}`, forward and backward{mode}", *cases)
    for case, kind in ours.PENALTIES.items():
        yield row(f"`{kind.__name__}`, forward and backward", case)
    words = {
        "sgd": "`SGD`",
        "momentum": "`SGD` with momentum",
        "nesterov": "`SGD`, Nesterov's",
        "adagrad": "`AdaGrad`",
        "rmsprop": "`RMSProp`",
        "adam": "`Adam`",
        "clip": "`clip_gradients`",
        "weight_decay": "`SGD` with `L2`",
        "weight_decay_momentum": "`SGD` with momentum and `L2`",
    }
    for case, text in words.items():
        yield row(f"{text}, {references.STEPS} steps", case)
    yield row(
        "`MLPClassifier`'s loss curve and probabilities, 20 steps",
        "sklearn_mlp",
        peer="scikit-learn",
    )


def recurrent():
    """Embedding and the cells: with masks, states, truncation."""
    import test_recurrent_parity as ours

    import references_rnn

    given, fresh = references_rnn.inputs(), references_rnn.compute()
    rng = np.random.default_rng(0)
    arrays = of(fresh, "embedding")
    layer = ours.fill(
        ours.Embedding(*arrays["W"].shape, rng=rng, padding=0, dtype=np.float64), arrays
    )
    y = layer.forward(arrays["ids"])
    layer.backward(arrays["dy"])
    yield (
        "`Embedding`, forward and backward",
        "PyTorch",
        difference(
            {"y": y, "dW": layer.grads["W"]}, answers(fresh, "embedding", given)
        ),
        VALUES,
    )
    for cell in ours.CELLS:
        worst = max(
            difference(
                ours.run(cell, case, of(fresh, cell), rng), of(fresh, f"{cell}.{case}")
            )
            for case in references_rnn.CASES
        )
        yield (
            f"`{cell}`, forward and backward: plain, state, ragged, masked, truncated",
            "PyTorch",
            worst,
            VALUES,
        )


def convolutional():
    """Convolution and pooling, every geometry of tools/references_cnn.py."""
    import test_convolution_parity as ours

    import references_cnn

    worst = {}
    for name, (kind, shape, *geometry) in references_cnn.CASES.items():
        arrays = references_cnn.run_case(name, kind, shape, *geometry)
        arrays = {key.split("/")[1]: a for key, a in arrays.items()}
        layer = ours.build(kind, shape[1], *geometry)
        for key in layer.params:
            layer.params[key][...] = arrays[key]
        mine = {"y": layer.forward(arrays["x"]), "dx": layer.backward(arrays["dy"])}
        mine |= {f"d{key}": g for key, g in layer.grads.items()}
        worst[kind] = max(
            worst.get(kind, 0), difference(mine, {k: arrays[k] for k in mine})
        )
    for kind, largest in worst.items():
        yield f"`{kind}`, forward and backward", "PyTorch", largest, VALUES


def models():
    """Whole models through `to_torch`: twenty steps with each optimizer."""
    import references_models as r

    given = r.inputs()
    words = {
        "NN": "a `Sequential` of `Linear` layers",
        "CNN": "a `Sequential` with `Conv2d`",
        "TextClassifier": "`TextClassifier`",
        "CharacterModel": "`CharacterModel`",
    }
    for name in r.models():
        worst = max(
            r.difference(
                r.ours(name, optimizer, given), r.theirs(name, optimizer, given)
            )
            for optimizer in r.OPTIMIZERS
        )
        text = words.get(name, f"a `Sequential` with `{name}`")
        yield f"{text}, {r.STEPS} steps with each optimizer", "PyTorch", worst, MODELS


def lime():
    """Distances, weights and the surrogate, on the masks of
    tools/references_lime.py.
    """
    import references_lime
    from scratchml import exponential_kernel, fit_surrogate, mask_distance

    for kind, size in references_lime.CASES.items():
        theirs = of(references_lime.compute(kind, *size), kind)
        D = mask_distance(theirs["Z"])
        w = exponential_kernel(D)
        fit = fit_surrogate(theirs["Z"], theirs["Y"], w)
        few = fit_surrogate(
            theirs["Z"],
            theirs["Y"],
            w,
            features=references_lime.CHOSEN,
            select="forward_selection",
        )
        chosen = [sorted(np.flatnonzero(column)) for column in few.coef.T]
        mine = {
            "D": D,
            "w": w,
            "coef": fit.coef,
            "intercept": fit.intercept,
            "r2": fit.r2,
            "local_prediction": fit.local_prediction,
            "chosen": np.transpose(chosen),
        }
        yield (
            f"LIME, {kind}: distances, weights, surrogate, selected features",
            "lime",
            difference(mine, {key: theirs[key] for key in mine}),
            PATHS,
        )


def table(rows):
    lines = [
        f"| {text} | {peer} | {f'{worst:.1e}' if worst else '0'} | {bound:.0e} |"
        for text, peer, worst, bound in rows
    ]
    worst = max(worst for _, _, worst, _ in rows)
    summary = f"{len(rows)} comparisons; the largest difference of all is {worst:.1e}"
    return "\n".join(
        [
            "<details>",
            f"<summary>{summary}</summary>",
            "",
            HEAD,
            *lines,
            "",
            "</details>",
        ]
    )


def main():
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    with threadpool_limits(1):
        rows = [
            row
            for part in (dense, recurrent, convolutional, models, lime)
            for row in part()
        ]
    print(table(rows))
    if late := [text for text, _, worst, bound in rows if not worst <= bound]:
        raise SystemExit(f"outside their bounds: {late}")
    readme = ROOT / "README.md"
    write(
        readme,
        with_block(
            readme.read_text(encoding="utf-8"), "parity", table(rows), "README.md"
        ),
    )


if __name__ == "__main__":
    main()
