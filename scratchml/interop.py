"""The bridge to PyTorch, for the day when numpy and one machine are no longer enough.

`to_torch` builds the same network of `torch.nn` modules: the same numbers come out, a
training step does the same to it, and GPUs and distributed training are PyTorch's
business from there on. `from_torch` is the way back. PyTorch is imported when one of
them is called, not before.

Each layer has two functions, `..._to_torch` and `..._from_torch`, and one row in
`bridges`.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from ._support import Array, require
from .convolution import AvgPool2d, Conv2d, GlobalAvgPool2d, MaxPool2d
from .layers import (
    BatchNorm,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)
from .recurrent import GRU, LSTM, RNN, CharacterModel, Embedding, TextClassifier
from .squeezenet import Fire

Maker = Callable[..., Any]


def to_torch(model: Layer, *, extra: Mapping[type, Maker] | None = None) -> Any:
    """The same network, with copies of the same weights, as a `torch.nn.Module`.

    dtype and mode stay; `W (n_in, n_out)` becomes PyTorch's `weight (n_out, n_in)`.
    RNN, LSTM and GRU become modules `(x, mask=None, state=None) -> states (N, T, H)`,
    as ours are, with `.state` at the end unless there was a mask. PyTorch adds two
    biases there: only the one we have is trained, the other stays 0. A BatchNorm
    becomes a `BatchNorm2d` that takes `(N, D)` as well.

    `extra={MyLayer: make}` teaches it a layer of yours: `make(layer, *children)`
    returns a module, the children being modules already.

    Raises TypeError for a layer it does not know.

    See notebooks/deeper/01_nn.ipynb, section *Consistent with the frameworks*.
    """
    makers = {bridge.ours: bridge.to_torch for bridge in bridges()}
    makers |= extra or {}

    def convert(layer: Layer) -> Any:
        make = _maker("to_torch", layer, makers)
        children = [convert(child) for child in layer.children().values()]
        return make(layer, *children)

    return convert(model).train(model.training)


def from_torch(
    module: Any,
    *,
    extra: Mapping[type, Maker] | None = None,
    rng: Generator | None = None,
) -> Any:
    """The same network, with copies of the same weights, in numpy: the way back.

    `module` is what `to_torch` makes, also when you built it yourself, or an
    `nn.Sequential` of that. Two biases are added up. `rng` is for Dropout; `extra` as
    in `to_torch`.

    Raises TypeError for a module it does not know, ValueError for one with an option
    that ours does not have, such as no bias, groups, or time before the batch.

    See notebooks/deeper/01_nn.ipynb, section *Consistent with the frameworks*.
    """
    makers: dict[type, Maker] = {}
    for bridge in bridges():
        for theirs in bridge.theirs:
            makers[theirs] = bridge.from_torch
    makers |= extra or {}

    def convert(module: Any) -> Any:
        make = _maker("from_torch", module, makers)
        children = [convert(child) for child in _torch_children(module)]
        return make(module, *children)

    model = convert(module)
    for _, layer in model.named_layers():
        if rng is not None and isinstance(layer, Dropout):
            layer.rng = rng
    return model.train(module.training)


def _maker(name: str, thing: Any, makers: Mapping[type, Maker]) -> Maker:
    """The function that makes the other library's counterpart of a thing."""
    kind = type(thing)
    if kind not in makers:
        raise TypeError(
            f"{name} does not know {thing}: teach it with "
            f"extra={{{kind.__name__}: lambda it, *children: ...}}"
        )
    return makers[kind]


def _torch_children(module: Any) -> list:
    """The modules inside one; a Sequential may hold the same ReLU in two places."""
    from torch import nn

    if isinstance(module, nn.Sequential):
        return list(module)
    return list(module.children())


# ---------------------------------------------------------------------------- the table


class Bridge(NamedTuple):
    """One row: our class, PyTorch's classes, and what makes the one of the other.

    `to_torch(layer, *modules)` gets our layer and its children as modules,
    `from_torch(module, *layers)` a module and its children as layers.
    """

    ours: type
    theirs: tuple[type, ...]
    to_torch: Maker
    from_torch: Maker


@cache
def bridges() -> list[Bridge]:
    """Every layer that can cross. A new one gets two functions below, and a row."""
    from torch import nn

    from . import torch_modules as own

    def without_weights(ours: type, theirs: type) -> Bridge:
        return Bridge(ours, (theirs,), lambda _: theirs(), lambda _: ours())

    def recurrent(ours: type, theirs: type, adapted: type) -> Bridge:
        return Bridge(
            ours,
            (adapted, theirs),
            partial(recurrent_to_torch, adapted),
            partial(recurrent_from_torch, ours),
        )

    return [
        Bridge(
            Sequential, (nn.Sequential,), sequential_to_torch, sequential_from_torch
        ),
        Bridge(Linear, (nn.Linear,), linear_to_torch, linear_from_torch),
        without_weights(Sigmoid, nn.Sigmoid),
        without_weights(Tanh, nn.Tanh),
        without_weights(ReLU, nn.ReLU),
        Bridge(LeakyReLU, (nn.LeakyReLU,), leaky_relu_to_torch, leaky_relu_from_torch),
        Bridge(Softmax, (nn.Softmax,), softmax_to_torch, softmax_from_torch),
        Bridge(Dropout, (nn.Dropout,), dropout_to_torch, dropout_from_torch),
        Bridge(
            BatchNorm,
            (own.BatchNorm, nn.BatchNorm1d, nn.BatchNorm2d),
            batch_norm_to_torch,
            batch_norm_from_torch,
        ),
        Bridge(Flatten, (nn.Flatten,), flatten_to_torch, flatten_from_torch),
        Bridge(Embedding, (nn.Embedding,), embedding_to_torch, embedding_from_torch),
        recurrent(RNN, nn.RNN, own.RNN),
        recurrent(LSTM, nn.LSTM, own.LSTM),
        recurrent(GRU, nn.GRU, own.GRU),
        Bridge(
            TextClassifier,
            (own.TextClassifier,),
            text_classifier_to_torch,
            text_classifier_from_torch,
        ),
        Bridge(
            CharacterModel,
            (own.CharacterModel,),
            character_model_to_torch,
            character_model_from_torch,
        ),
        Bridge(Conv2d, (nn.Conv2d,), conv2d_to_torch, conv2d_from_torch),
        Bridge(MaxPool2d, (nn.MaxPool2d,), max_pool_to_torch, max_pool_from_torch),
        Bridge(AvgPool2d, (nn.AvgPool2d,), avg_pool_to_torch, avg_pool_from_torch),
        without_weights(GlobalAvgPool2d, own.GlobalAvgPool2d),
        Bridge(Fire, (own.Fire,), fire_to_torch, fire_from_torch),
    ]


# ------------------------------------------------------------------ weights and options

# A layer is made with random weights first. Then `with_arrays` replaces them.
RNG = np.random.default_rng(0)


def with_tensors(module: Any, **weights: Array) -> Any:
    """The module with copies of these arrays as parameters, by PyTorch's names.

    It was made on the device "meta", where weights take no memory and no random
    numbers.
    """
    from torch import nn, tensor

    for name, a in weights.items():
        setattr(module, name, nn.Parameter(tensor(a)))
    return module


def with_arrays(layer: Layer, **weights: Array) -> Any:
    """The layer with these arrays as parameters."""
    layer.params.update(weights)
    return layer


def array(parameter: Any) -> Array:
    """A copy of a parameter, as a numpy array."""
    return parameter.detach().cpu().numpy().copy()


def supports(module: Any, **options: Any) -> None:
    """Raise ValueError for an option that ours does not have."""
    for name, only in options.items():
        found = getattr(module, name)
        if found not in (only, (only, only)):
            raise ValueError(
                f"from_torch: {module} has {name}={found!r}, ours only {name}={only!r}"
            )


def supports_bias(module: Any) -> None:
    if module.bias is None or module.bias is False:
        raise ValueError(f"from_torch: {module} has no bias, ours always has one")


# -------------------------------------------------------------------------- notebook 01


def sequential_to_torch(layer: Sequential, *children: Any) -> Any:
    from torch import nn

    return nn.Sequential(*children)


def sequential_from_torch(module: Any, *children: Layer) -> Sequential:
    with_weights = [id(part) for part in module if list(part.parameters())]
    require(
        len(set(with_weights)) == len(with_weights),
        f"from_torch: {module} has the same weights in two places, ours cannot",
    )
    return Sequential(*children)


def linear_to_torch(layer: Linear) -> Any:
    from torch import nn

    W = layer.params["W"]
    module = nn.Linear(*W.shape, device="meta")
    return with_tensors(module, weight=W.T, bias=layer.params["b"])


def linear_from_torch(module: Any) -> Linear:
    supports_bias(module)
    layer = Linear(module.in_features, module.out_features, rng=RNG)
    return with_arrays(layer, W=array(module.weight).T, b=array(module.bias))


def leaky_relu_to_torch(layer: LeakyReLU) -> Any:
    from torch import nn

    return nn.LeakyReLU(layer.slope)


def leaky_relu_from_torch(module: Any) -> LeakyReLU:
    return LeakyReLU(module.negative_slope)


def softmax_to_torch(layer: Softmax) -> Any:
    from torch import nn

    return nn.Softmax(dim=-1)


def softmax_from_torch(module: Any) -> Softmax:
    supports(module, dim=-1)
    return Softmax()


def dropout_to_torch(layer: Dropout) -> Any:
    from torch import nn

    return nn.Dropout(layer.p)


def dropout_from_torch(module: Any) -> Dropout:
    return Dropout(module.p, rng=np.random.default_rng(0))


def batch_norm_to_torch(layer: BatchNorm) -> Any:
    from torch import tensor

    from . import torch_modules

    gamma = layer.params["gamma"]
    options = {"momentum": layer.momentum, "eps": layer.eps}
    module = torch_modules.BatchNorm(len(gamma), **options)
    module.running_mean = tensor(layer.buffers["running_mean"])
    module.running_var = tensor(layer.buffers["running_var"])
    return with_tensors(module, weight=gamma, bias=layer.params["beta"])


def batch_norm_from_torch(module: Any) -> BatchNorm:
    supports(module, affine=True, track_running_stats=True)
    if module.momentum is None:
        raise ValueError(f"from_torch: {module} averages all batches, ours the last")
    options = {"momentum": module.momentum, "eps": module.eps}
    layer = BatchNorm(module.num_features, **options)
    layer.buffers["running_mean"] = array(module.running_mean)
    layer.buffers["running_var"] = array(module.running_var)
    return with_arrays(layer, gamma=array(module.weight), beta=array(module.bias))


def flatten_to_torch(layer: Flatten) -> Any:
    from torch import nn

    return nn.Flatten()


def flatten_from_torch(module: Any) -> Flatten:
    supports(module, start_dim=1, end_dim=-1)
    return Flatten()


# -------------------------------------------------------------------------- notebook 02


def embedding_to_torch(layer: Embedding) -> Any:
    from torch import nn

    W = layer.params["W"].copy()
    if layer.padding is not None:
        W[layer.padding] = 0
    module = nn.Embedding(*W.shape, padding_idx=layer.padding, device="meta")
    return with_tensors(module, weight=W)


def embedding_from_torch(module: Any) -> Embedding:
    supports(module, max_norm=None, scale_grad_by_freq=False, sparse=False)
    W = array(module.weight)
    padding = module.padding_idx
    require(
        padding is None or not W[padding].any(),
        f"from_torch: {module} has a vector for its padding, ours only zeros",
    )
    return with_arrays(Embedding(*W.shape, rng=RNG, padding=padding), W=W)


def recurrent_to_torch(adapted: type, layer: Any) -> Any:
    """PyTorch adds a bias to each of the two products. Ours is the first.

    The second stays 0, except for a GRU's `b_hn`, where `r` multiplies the second
    product and its bias.
    """
    p = layer.params
    n_in = len(p["W_xh"])
    n_hidden = len(p["W_hh"])
    second = np.zeros_like(p["b"])
    if isinstance(layer, GRU):
        second[2 * n_hidden :] = p["b_hn"]
    module = adapted(n_in, n_hidden, batch_first=True, device="meta")
    with_tensors(module, weight_ih_l0=p["W_xh"].T, weight_hh_l0=p["W_hh"].T)
    with_tensors(module, bias_ih_l0=p["b"], bias_hh_l0=second)
    module.bias_hh_l0.requires_grad = isinstance(layer, GRU)
    return module


def recurrent_from_torch(ours: type, module: Any) -> Any:
    supports(module, num_layers=1, bias=True, batch_first=True, bidirectional=False)
    supports(module, proj_size=0)
    if ours is RNN:
        supports(module, nonlinearity="tanh")
    H = module.hidden_size
    layer = ours(module.input_size, H, rng=RNG)
    W_xh = array(module.weight_ih_l0).T
    W_hh = array(module.weight_hh_l0).T
    b = array(module.bias_ih_l0)
    second = array(module.bias_hh_l0)
    if ours is GRU:
        b[: 2 * H] += second[: 2 * H]
        return with_arrays(layer, W_xh=W_xh, W_hh=W_hh, b=b, b_hn=second[2 * H :])
    return with_arrays(layer, W_xh=W_xh, W_hh=W_hh, b=b + second)


def text_classifier_to_torch(layer: TextClassifier, *children: Any) -> Any:
    from . import torch_modules

    embedding, cell, linear = children
    return torch_modules.TextClassifier(embedding, cell, linear, layer.pooling)


def text_classifier_from_torch(module: Any, *children: Any) -> TextClassifier:
    model = TextClassifier(1, 1, pooling=module.pooling, rng=RNG)
    model.embedding, model.cell, model.linear = children
    return model


def character_model_to_torch(layer: CharacterModel, *children: Any) -> Any:
    from . import torch_modules

    return torch_modules.CharacterModel(*children)


def character_model_from_torch(module: Any, *children: Layer) -> CharacterModel:
    model = CharacterModel(rng=RNG)
    model.layers = children
    return model


# -------------------------------------------------------------------------- notebook 03


def conv2d_to_torch(layer: Conv2d) -> Any:
    from torch import nn

    W = layer.params["W"]
    c_out, c_in = W.shape[:2]
    module = nn.Conv2d(c_in, c_out, **geometry(layer), device="meta")
    return with_tensors(module, weight=W, bias=layer.params["b"])


def conv2d_from_torch(module: Any) -> Conv2d:
    supports_bias(module)
    supports(module, groups=1, dilation=1, padding_mode="zeros")
    require(
        not isinstance(module.padding, str),
        f"from_torch: {module} has padding={module.padding!r}, ours only numbers",
    )
    c_in = module.in_channels
    c_out = module.out_channels
    layer = Conv2d(c_in, c_out, **geometry(module), rng=RNG)
    return with_arrays(layer, W=array(module.weight), b=array(module.bias))


def max_pool_to_torch(layer: MaxPool2d) -> Any:
    from torch import nn

    return nn.MaxPool2d(**geometry(layer))


def max_pool_from_torch(module: Any) -> MaxPool2d:
    supports(module, dilation=1, ceil_mode=False, return_indices=False)
    return MaxPool2d(**geometry(module))


def avg_pool_to_torch(layer: AvgPool2d) -> Any:
    from torch import nn

    return nn.AvgPool2d(**geometry(layer))


def avg_pool_from_torch(module: Any) -> AvgPool2d:
    supports(module, ceil_mode=False, count_include_pad=True, divisor_override=None)
    return AvgPool2d(**geometry(module))


def geometry(thing: Any) -> dict[str, Any]:
    """What a convolution or pooling is made with: both libraries call it the same."""
    return {
        "kernel_size": thing.kernel_size,
        "stride": thing.stride,
        "padding": thing.padding,
    }


def fire_to_torch(
    layer: Fire, squeeze: Any, relu: Any, expand1x1: Any, expand3x3: Any, relu_: Any
) -> Any:
    # Both ReLUs are children of ours; theirs calls torch.relu.
    from . import torch_modules

    return torch_modules.Fire(squeeze, expand1x1, expand3x3)


def fire_from_torch(module: Any, *children: Any) -> Fire:
    fire = Fire(1, 1, 1, rng=RNG)
    fire.squeeze, fire.expand1x1, fire.expand3x3 = children
    return fire
