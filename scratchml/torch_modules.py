"""The modules that `torch.nn` lacks, or has with other inputs and outputs.

`interop.to_torch` makes them of our layers. This file alone imports PyTorch, and
`interop` imports it when it is called.
"""

import torch
from torch import Tensor, nn

from .text import PADDING


class BatchNorm(nn.BatchNorm2d):
    """For `(N, D)` as well as for images, as ours."""

    def _check_input_dim(self, input):
        if input.dim() not in (2, 4):
            raise ValueError(f"expected (N, D) or (N, D, H, W), got {input.shape}")


class AllStates(nn.RNNBase):
    """What turns PyTorch's cells into ours: `(x, mask, state) -> y`.

    It returns the states of all steps and nothing else, and its mask may have holes.
    """

    def forward(
        self, x: Tensor, mask: Tensor | None = None, state: Tensor | None = None
    ) -> Tensor:
        self.keep_second_bias()
        if state is None:
            S = 2 if isinstance(self, nn.LSTM) else 1  # h and c, or h alone
            state = x.new_zeros(S, len(x), self.hidden_size)
        if mask is None:
            y, self.state = self.read(x, state)
            return y
        self.state = None
        # PyTorch knows no mask. So hand it the steps that are read first, in their
        # order; the others follow, and nobody uses their states. For the mask 1 0 1:
        # order = 0 2 1. Then step t has the state after as many steps as were read up
        # to t, here 1 1 2; after 0 that is the one to start from.
        order = (~mask).int().argsort(dim=1, stable=True)
        h, _ = self.read(steps_at(x, order), state)
        h = torch.cat([state[0][:, None], h], dim=1)
        steps_read = mask.cumsum(dim=1)
        return steps_at(h, steps_read)

    def read(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """All states `(N, T, H)`, and the one at the end as ours has it: `(S, N, H)`.

        PyTorch's LSTM takes and returns h and c as a pair.
        """
        if not isinstance(self, nn.LSTM):
            y, end = super().forward(x, state)
            return y, end.detach()
        y, end = super().forward(x, (state[:1], state[1:]))
        return y, torch.cat(end).detach()

    def keep_second_bias(self) -> None:
        """Of the second bias only `b_hn` learns, the last third of a GRU's.

        A copy of the module forgets the hook, so every forward looks for it.
        """
        bias = self.bias_hh_l0
        if bias.requires_grad and not bias._backward_hooks:
            learns = torch.zeros_like(bias)
            learns[2 * self.hidden_size :] = 1
            bias.register_hook(lambda gradient: gradient * learns)


def steps_at(x: Tensor, index: Tensor) -> Tensor:
    """Of each sequence in `x (N, T, D)` the steps numbered in `index (N, T)`."""
    return x.gather(1, index[:, :, None].expand(-1, -1, x.shape[2]))


class RNN(AllStates, nn.RNN):
    """`h_t = tanh(x_t W_xh + h_{t-1} W_hh + b)`."""


class LSTM(AllStates, nn.LSTM):
    """PyTorch's, with the gates in the same order as ours."""


class GRU(AllStates, nn.GRU):
    """PyTorch's, with `r` after the product as ours."""


class TextClassifier(nn.Module):
    """Embedding, cell, mean or last state, Linear."""

    def __init__(
        self, embedding: nn.Module, cell: nn.Module, linear: nn.Module, pooling: str
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.cell = cell
        self.linear = linear
        self.pooling = pooling

    def forward(self, ids: Tensor) -> Tensor:
        mask = ids != PADDING
        h = self.cell(self.embedding(ids), mask)
        if self.pooling == "last":
            return self.linear(h[:, -1])
        total = (h * mask[:, :, None]).sum(dim=1)
        words = mask.sum(dim=1, keepdim=True).clamp(min=1)
        return self.linear(total / words)


class CharacterModel(nn.Sequential):
    """Embedding, cell, Linear; it may start from a state."""

    def forward(self, ids: Tensor, state: Tensor | None = None) -> Tensor:
        embedding, cell, linear = self
        return linear(cell(embedding(ids), None, state))


class GlobalAvgPool2d(nn.Module):
    """The mean of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


class Fire(nn.Module):
    """Squeeze, then expand with 1x1 and 3x3 kernels side by side."""

    def __init__(
        self, squeeze: nn.Module, expand1x1: nn.Module, expand3x3: nn.Module
    ) -> None:
        super().__init__()
        self.squeeze = squeeze
        self.expand1x1 = expand1x1
        self.expand3x3 = expand3x3

    def forward(self, x: Tensor) -> Tensor:
        s = torch.relu(self.squeeze(x))
        y = torch.cat([self.expand1x1(s), self.expand3x3(s)], dim=1)
        return torch.relu(y)
