"""The bridge to PyTorch, for the day when numpy and one machine are no longer enough.

`to_torch` builds the same network of `torch.nn` modules: the same numbers come out, a
training step does the same to it, and GPUs and distributed training are PyTorch's
business from there on. `from_torch` is the way back. PyTorch is imported when one of
them is called, not before.
"""

from functools import cache, partial

import numpy as np

from .convolution import AvgPool2d, Conv2d, GlobalAvgPool2d, MaxPool2d
from .layers import (
    Dropout,
    Flatten,
    LeakyReLU,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)
from .recurrent import GRU, LSTM, RNN, CharacterModel, Embedding, TextClassifier
from .text import PADDING

WINDOW = {"kernel_size": "kernel_size", "stride": "stride", "padding": "padding"}
LAYERS = {  # every layer, and what PyTorch calls its attributes
    **{
        kind: {}
        for kind in (
            Sequential,
            Linear,
            Sigmoid,
            Tanh,
            ReLU,
            Softmax,
            Flatten,
            RNN,
            LSTM,
            GRU,
            CharacterModel,
            GlobalAvgPool2d,
        )
    },
    **{kind: WINDOW for kind in (Conv2d, MaxPool2d, AvgPool2d)},
    LeakyReLU: {"slope": "negative_slope"},
    Dropout: {"p": "p"},
    Embedding: {"padding": "padding_idx"},
    TextClassifier: {"pooling": "pooling"},
}
CELLS = RNN, LSTM, GRU
TRANSPOSED = Linear, *CELLS  # their weights are the other way round in PyTorch


def to_torch(model, *, extra=()):
    """The same network, with copies of the same weights, as a `torch.nn.Module`.

    dtype and mode stay; `W (n_in, n_out)` becomes PyTorch's `weight (n_out, n_in)`.
    RNN, LSTM and GRU become modules `(x, mask=None, state=None) -> states (N, T,
    n_hidden)`, as ours are, with `.state` at the end unless there was a mask; of the
    two biases that PyTorch adds up, what ours has learns, and the rest stays 0.
    `extra={MyLayer: make}` teaches it a layer of yours: `make(layer, *children)`
    returns a module, the children being modules already.

    Raises TypeError for a layer it does not know.

    Derived in notebooks/01_nn.ipynb, section *Coherent with the frameworks*.
    """
    makers = dict.fromkeys(LAYERS, _there) | dict(extra)
    return _convert("to_torch", makers, lambda layer: layer.layers, model).train(
        model.training
    )


def from_torch(module, *, extra=(), rng=None):
    """The same network, with copies of the same weights, in numpy: the way back.

    `module` is what `to_torch` makes, also when you built it yourself, or an
    `nn.Sequential` of that. Two biases are added up. `rng` is for Dropout; `extra` as
    in `to_torch`.

    Raises TypeError for a module it does not know, ValueError for one with options that
    ours does not have, such as no bias, two layers, or time before the batch.

    Derived in notebooks/01_nn.ipynb, section *Coherent with the frameworks*.
    """
    makers = {
        kind: partial(_back, ours, rng or np.random.default_rng(0))
        for ours, (_, *kinds) in _modules().items()
        for kind in kinds
    } | dict(extra)
    return _convert("from_torch", makers, lambda m: m.children(), module).train(
        module.training
    )


def _convert(name, makers, parts, thing):
    if type(thing) not in makers:
        raise TypeError(
            f"{name} does not know {thing}: teach it with "
            f"extra={{{type(thing).__name__}: lambda it, *children: ...}}"
        )
    children = [_convert(name, makers, parts, part) for part in parts(thing)]
    return makers[type(thing)](thing, *children)


def _there(layer, *children):
    from torch import nn, tensor

    kind, p, make = type(layer), layer.params, _modules()[type(layer)][0]
    options = {theirs: getattr(layer, ours) for ours, theirs in LAYERS[kind].items()}
    if not p:
        return make(*children, **options)
    weights = [a.T if kind in TRANSPOSED else a for a in p.values()]
    if kind in CELLS:  # the second bias is 0, but that a GRU's ends with b_hn
        b_hh = np.concatenate([0 * p["b"], p.get("b_hn", p["b"][:0])])[-len(p["b"]) :]
        weights[2:] = p["b"], b_hh
    # A weight is (n_out, n_in, ...), what follows it ends with n_out; an Embedding's is
    # (n, n_out).
    sizes = (
        weights[0].shape
        if kind is Embedding
        else (weights[0].shape[1], weights[1].shape[-1])
    )
    module = make(*sizes, **options, device="meta")  # no memory, no random numbers
    for name, a in zip([*module._parameters], weights, strict=True):
        learns = name != "bias_hh_l0" or kind is GRU
        setattr(module, name, nn.Parameter(tensor(a), requires_grad=learns))
    if options.get("padding_idx") is not None:
        module.weight.data[layer.padding] = 0
    return module


def _back(kind, rng, module, *children):
    bias = getattr(module, "bias", True)
    if bias is None or bias is False:  # of a Linear; of an RNN
        raise ValueError(f"from_torch: {module} has no bias, ours always has one")
    options = {ours: getattr(module, theirs) for ours, theirs in LAYERS[kind].items()}
    if LAYERS[kind] is WINDOW:  # numbers become pairs, "same" an error
        options = vars(Conv2d(1, 1, rng=rng, **options))
    p = [p.detach().cpu().numpy().copy() for p in module.parameters(recurse=False)]
    p = [a.T if kind in TRANSPOSED else a for a in p]
    if kind in CELLS and len(p) >= 4:
        own = len(p[2]) - (
            len(p[1]) if kind is GRU else 0
        )  # from there on b_hh is b_hn
        p[2][:own] += p[3][:own]
        p[3:] = [p[3][own:]] if kind is GRU else []
    names = ("W_xh", "W_hh", "b", "b_hn") if kind in CELLS else ("W", "b")
    layer = kind.__new__(kind)
    vars(layer).update(
        options, layers=children, params=dict(zip(names, p, strict=False))
    )
    if kind is Dropout:
        layer.rng = rng
    again = module if children else _there(layer)
    for name in {*getattr(module, "__constants__", ())} - {"inplace"}:
        theirs, ours = (
            np.broadcast_to(getattr(m, name), 2).tolist() for m in (module, again)
        )
        if theirs != ours:
            raise ValueError(
                f"from_torch: {module} has {name}={theirs[0]}, ours {ours[0]}"
            )
    return layer


@cache
def _modules():
    """For each layer: what makes the module that does the same, and the classes to know
    it by.
    """
    import torch
    from torch import nn

    class States:
        """A cell that returns all states and nothing else, and whose mask may have
        holes.
        """

        def forward(self, x, mask=None, state=None):
            n, lstm, bias = self.hidden_size, isinstance(self, nn.LSTM), self.bias_hh_l0
            if (
                bias.requires_grad and not bias._backward_hooks
            ):  # a copied module has lost it
                bias.register_hook(lambda g: torch.cat([0 * g[: 2 * n], g[2 * n :]]))
            state = x.new_zeros(1 + lstm, len(x), n) if state is None else state
            if mask is not None:  # first what is read, in its order
                order = (~mask).int().argsort(dim=1, stable=True)
                x = x.gather(1, order[..., None].expand_as(x))
            y, end = super().forward(x, (state[:1], state[1:]) if lstm else state)
            end = torch.cat(end) if lstm else end
            self.state = end.detach() if mask is None else None
            if mask is not None:  # the state after as many as were read by then
                y = torch.cat([state[0][:, None], y], dim=1)
                y = y.gather(1, mask.cumsum(1)[..., None].expand(-1, -1, n))
            return y

    class TextModule(nn.Sequential):
        def __init__(self, *layers, pooling):
            super().__init__(*layers)
            self.pooling = pooling

        def forward(self, ids):
            mask = ids != PADDING
            h = self[1](self[0](ids), mask)
            if self.pooling == "last":
                return self[2](h[:, -1])
            return self[2](
                (h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
            )

    class CharacterModule(nn.Sequential):
        def forward(self, ids, state=None):
            return self[2](self[1](self[0](ids), None, state))

    class GlobalMean(nn.Module):
        def forward(self, x):
            return x.mean(dim=(2, 3))

    own = {
        TextClassifier: TextModule,
        CharacterModel: CharacterModule,
        GlobalAvgPool2d: GlobalMean,
    }
    found = {ours: [own.get(ours) or getattr(nn, ours.__name__)] * 2 for ours in LAYERS}
    for ours in CELLS:
        states = type(ours.__name__, (States, found[ours][0]), {})
        found[ours] = [partial(states, batch_first=True), states, found[ours][0]]
    found[Softmax][0] = partial(nn.Softmax, dim=-1)
    return found
