"""Freeze PyTorch's convolutions and poolings in data/references/cnn.npz, for `make
test`.

Every case holds its inputs, weights and `dy` beside the output and the gradients, all
float64: `{case}/x`, `/dy`, `/y`, `/dx` and, for convolutions, `/W`, `/b`, `/dW`, `/db`.
`steps/...` is a small network trained for a few steps on real digits. Running it again
gives the same bytes on the same machine; elsewhere PyTorch may round last digits
otherwise.

    python tools/references_cnn.py
"""

import numpy as np

from references import FOLDER, save

# name: (class, shape of x, channels out, kernel, stride, padding)
CASES = {
    "conv 5x5": ("Conv2d", (3, 2, 9, 9), 4, 5, 1, 0),
    "conv 3x3 padded": ("Conv2d", (2, 3, 6, 7), 2, 3, 1, 1),
    "conv 1x1": ("Conv2d", (3, 4, 5, 4), 3, 1, 1, 0),
    "conv strided": ("Conv2d", (2, 2, 10, 9), 3, 3, 2, 1),
    "conv stride above kernel": ("Conv2d", (2, 2, 9, 8), 2, 2, 3, 0),
    "conv not square": ("Conv2d", (2, 2, 7, 11), 3, (2, 5), (2, 3), (1, 2)),
    "conv padded beyond the kernel": ("Conv2d", (1, 1, 3, 4), 2, 2, 1, 3),
    "conv as large as the image": ("Conv2d", (2, 3, 5, 6), 4, (5, 6), 1, 0),
    "max 2x2": ("MaxPool2d", (2, 3, 6, 8), None, 2, 2, 0),
    "max 2x2, rows left over": ("MaxPool2d", (2, 2, 7, 5), None, 2, 2, 0),
    "max overlapping, padded": ("MaxPool2d", (2, 2, 8, 9), None, 3, 2, 1),
    "max not square": ("MaxPool2d", (1, 2, 9, 8), None, (3, 2), (1, 3), (1, 0)),
    "max with ties": ("MaxPool2d", (2, 2, 7, 7), None, 3, 1, 1),
    "mean 2x2": ("AvgPool2d", (2, 3, 6, 8), None, 2, 2, 0),
    "mean overlapping, padded": ("AvgPool2d", (2, 2, 8, 9), None, 3, 2, 1),
    "mean not square": ("AvgPool2d", (1, 2, 9, 8), None, (2, 4), (3, 1), (1, 2)),
    "global mean": ("GlobalAvgPool2d", (3, 2, 5, 4), None, None, None, None),
}
STEPS, RATE = 5, 0.1


def torch_layer(kind, c_in, c_out, kernel, stride, padding):
    """PyTorch's layer for a row of CASES, in float64."""
    from torch import nn

    if kind == "GlobalAvgPool2d":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    if kind == "Conv2d":
        return nn.Conv2d(c_in, c_out, kernel, stride=stride, padding=padding).double()
    return getattr(nn, kind)(kernel, stride=stride, padding=padding)


def run_case(name, kind, shape, c_out, kernel, stride, padding):
    """Inputs and PyTorch's answers for one case."""
    import torch

    rng = np.random.default_rng(len(name))
    x = rng.standard_normal(shape)
    if "ties" in name:
        x = np.maximum(x.round(), 0)  # many equal numbers, as behind a ReLU
    layer = torch_layer(kind, shape[1], c_out, kernel, stride, padding)
    given = torch.tensor(x, requires_grad=True)
    y = layer(given)
    dy = rng.standard_normal(tuple(y.shape))
    y.backward(torch.tensor(dy))
    found = {"x": x, "dy": dy, "y": y.detach().numpy(), "dx": given.grad.numpy()}
    if kind == "Conv2d":
        found |= {
            "W": layer.weight.detach().numpy(),
            "b": layer.bias.detach().numpy(),
            "dW": layer.weight.grad.numpy(),
            "db": layer.bias.grad.numpy(),
        }
    return {f"{name}/{key}": array for key, array in found.items()}


def run_steps():
    """A small network on 16 digits: its first weights, the loss of each step, its last
    weights.
    """
    import torch
    from torch import nn

    from scratchml import datasets

    x, y = (a[:16] for a in datasets.mnist(full=False).train)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(144, 10),
    ).double()
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9)
    found = {
        f"steps/first.{name}": ours(name, p) for name, p in model.named_parameters()
    }
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(
            model(torch.tensor(x, dtype=torch.float64)), torch.tensor(y)
        )
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    found |= {
        f"steps/last.{name}": ours(name, p) for name, p in model.named_parameters()
    }
    return found | {"steps/losses": np.array(losses)}


def ours(name, p):
    """A parameter as we have it: PyTorch's Linear keeps its matrix transposed."""
    array = p.detach().numpy()
    return (array.T if name == "7.weight" else array).copy()


def main():
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    arrays = run_steps()
    for name, case in CASES.items():
        arrays |= run_case(name, *case)
    size = save(FOLDER / "cnn.npz", arrays)
    print(
        f"data/references/cnn.npz: {len(arrays)} arrays, {size:,} bytes, "
        f"with torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
