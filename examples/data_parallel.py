"""Train on many machines: each sees a part of the batch, all take the same step.

    .venv-peers/bin/torchrun --nproc-per-node 2 examples/data_parallel.py

`make parity` builds .venv-peers, which has PyTorch.

PyTorch averages the gradients of its processes. With equal parts and a mean over each,
that is the gradient of the mean over all: the step that one process takes on the joined
batch. Here two processes on one machine; torchrun starts them on many just as well.
"""

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from scratchml import Flatten, Linear, ReLU, Sequential, datasets
from scratchml.interop import from_torch, to_torch


def train(model, x, y, *, steps, lr=0.1):
    """Train `model` on this process's part of each batch; return it as ours again."""
    rank, world = dist.get_rank(), dist.get_world_size()
    module = DistributedDataParallel(to_torch(model))
    optimizer = torch.optim.SGD(module.parameters(), lr=lr)
    for step in range(steps):
        batch = np.arange(step * 64, (step + 1) * 64)
        mine = np.array_split(batch, world)[rank]
        optimizer.zero_grad()
        scores = module(torch.from_numpy(x[mine]))
        torch.nn.functional.cross_entropy(scores, torch.from_numpy(y[mine])).backward()
        optimizer.step()
    return from_torch(module.module)


if __name__ == "__main__":
    dist.init_process_group("gloo")
    (x, y), *_ = datasets.mnist()
    rng = np.random.default_rng(0)
    model = Sequential(
        Flatten(), Linear(784, 128, rng=rng), ReLU(), Linear(128, 10, rng=rng)
    )
    trained = train(model, x, y.astype(np.int64), steps=60)
    if dist.get_rank() == 0:
        right = (trained.forward(x).argmax(axis=1) == y).mean()
        print(f"{right:.1%} of the training digits")
    dist.barrier()
    dist.destroy_process_group()
