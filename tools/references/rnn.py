"""Notebook 02: the cells, Embedding, a text classifier and a character model.

Each cell answers five times to the same inputs:

    plain           without mask and state
    state           from an initial state; the final one has a gradient too
    packed          ragged lengths, by pack_padded_sequence
    mask            any mask, by torch.where after each step
    truncated       in two pieces, the state handed over without gradient
"""

from functools import partial

import numpy as np

import scratchml as s
from references import RNG, Case, keyed, of
from references.nn import fill

N, T, D, H = 3, 5, 4, 7
CELLS = {"RNN": s.RNN, "LSTM": s.LSTM, "GRU": s.GRU}
BLOCKS = {"RNN": 1, "LSTM": 4, "GRU": 3}
HOW = ("plain", "state", "packed", "mask", "truncated")
CUT = 2
STEPS = 10
RATE = 0.5
WORDS = 11
CLASSES = 3
CHARACTERS = 6
SIZES = dict(embedding=D, hidden=H, rng=RNG, dtype=np.float64)


def cases():
    """Every comparison of this file."""
    row = "`Embedding`, forward and backward"
    found = [Case("embedding", torch_embedding, our_embedding, row)]
    for cell in CELLS:
        row = f"`{cell}`, forward and backward: plain, state, ragged, masked, truncated"
        for how in HOW:
            theirs = partial(torch_cell, cell, how)
            ours = partial(our_cell, cell, how)
            found.append(Case(f"{cell}.{how}", theirs, ours, row, inputs=cell))
        theirs = partial(torch_classifier, cell)
        ours = partial(our_classifier, cell)
        row = f"`TextClassifier`, forward, backward and {STEPS} steps of `SGD`"
        name = f"classifier.{cell}"
        found.append(Case(name, theirs, ours, row))
        theirs = partial(torch_characters, cell)
        ours = partial(our_characters, cell)
        row = "`CharacterModel` from a state, forward and backward"
        found.append(Case(f"characters.{cell}", theirs, ours, row))
    return found


def inputs():
    """Numbers from one generator, in this order."""
    rng = np.random.default_rng(21)
    normal = rng.standard_normal
    found = {}
    for cell in CELLS:
        mask = rng.random((N, T)) < 0.6
        mask[0] = False  # a row with nothing in it
        mask[1] = np.arange(T) % 2  # one with holes
        found[cell] = cell_weights(normal, cell) | dict(
            x=normal((N, T, D)),
            mask=mask,
            lengths=np.array([5, 1, 3]),
            state=normal((states(cell), N, H)),
            dy=normal((N, T, H)),
            dstate=normal((states(cell), N, H)),
        )
    found["embedding"] = dict(
        W=normal((WORDS, D)),
        dy=normal((N, T, D)),
        ids=np.array([[3, 0, 1, 3, 3], [0, 0, 0, 10, 2], [5, 1, 9, 9, 0]]),
    )
    for cell in CELLS:
        names = ("embedding", "cell", "linear")
        weights = model_weights(normal, cell, WORDS, CLASSES, names)
        found[f"classifier.{cell}"] = weights | dict(
            ids=np.array([[3, 4, 1, 7, 0], [2, 0, 0, 0, 0], [10, 9, 8, 0, 0]]),
            y=np.array([2, 0, 1]),
        )
        weights = model_weights(normal, cell, CHARACTERS, CHARACTERS, ("0", "1", "2"))
        found[f"characters.{cell}"] = weights | dict(
            ids=rng.integers(0, CHARACTERS, (N, T)),
            y=rng.integers(0, CHARACTERS, (N, T)),
            state=normal((states(cell), N, H)),
        )
    return found


def states(cell):
    return 2 if cell == "LSTM" else 1


def cell_weights(normal, cell):
    """Weights of one cell in our layout, no bias zero."""
    width = BLOCKS[cell] * H
    found = dict(
        W_xh=normal((D, width)) / 2, W_hh=normal((H, width)) / 2, b=normal(width) / 2
    )
    if cell == "GRU":
        found["b_hn"] = normal(H) / 2
    return found


def model_weights(normal, cell, n_ids, n_out, names):
    """Embedding, cell and Linear, by the names that the model gives them."""
    weights = keyed(names[1], cell_weights(normal, cell))
    found = {f"{names[0]}.W": normal((n_ids, D))} | weights
    found[f"{names[2]}.W"] = normal((H, n_out))
    found[f"{names[2]}.b"] = normal(n_out)
    return found


# --------------------------------------------------------------------------------- ours


def gradients(model):
    return {f"d{name}": g for name, g in model.gradients().items()}


def our_cell(cell, how, given):
    """y, final state, and every gradient."""
    layer = fill(CELLS[cell](D, H, rng=RNG), given)
    if how == "truncated":
        return our_truncated(layer, given)
    masks = {
        "packed": np.arange(T) < given["lengths"][:, None],
        "mask": given["mask"],
    }
    mask = masks.get(how)
    if how == "plain":
        y = layer.forward(given["x"])
        dx = layer.backward(given["dy"])
        return {"y": y, "final": layer.state, "dx": dx} | gradients(layer)
    y = layer.forward(given["x"], mask, given["state"])
    dy = given["dy"]
    if how == "packed":  # PyTorch shows 0 where nothing was read, we the last state
        y = y * mask[:, :, None]
        dy = dy * mask[:, :, None]
    dx = layer.backward(dy, given["dstate"])
    found = {"y": y, "final": layer.state, "dx": dx, "dinitial": layer.dstate}
    return found | gradients(layer)


def our_truncated(layer, given):
    """Two pieces through a layer that carries its state; the gradients add up."""
    layer.stateful = True
    first = np.s_[:, :CUT]
    second = np.s_[:, CUT:]
    y_first = layer.forward(given["x"][first], None, given["state"])
    dx_first = layer.backward(given["dy"][first])
    dinitial = layer.dstate
    total = gradients(layer)
    y_second = layer.forward(given["x"][second])
    dx_second = layer.backward(given["dy"][second], given["dstate"])
    for name, g in gradients(layer).items():
        total[name] = total[name] + g
    return {
        "y": np.concatenate([y_first, y_second], axis=1),
        "final": layer.state,
        "dx": np.concatenate([dx_first, dx_second], axis=1),
        "dinitial": dinitial,
    } | total


def our_embedding(given):
    layer = s.Embedding(WORDS, D, rng=RNG, padding=0)
    fill(layer, given)
    y = layer.forward(given["ids"])
    layer.backward(given["dy"])
    return {"y": y, "dW": layer.grads["W"]}


def our_classifier(cell, given):
    """Scores and gradients of the first step, and the losses of ten."""
    model = s.TextClassifier(WORDS, CLASSES, cell=cell, **SIZES)
    fill(model, given)
    optimizer = s.SGD(RATE)
    losses = []
    for step in range(STEPS):
        value, scores, _ = s.train_step(
            model, s.CrossEntropyLoss(), optimizer, given["ids"], given["y"]
        )
        losses.append(value)
        if step == 0:
            found = {"scores": scores} | gradients(model)
    return found | {"losses": np.array(losses)}


def our_characters(cell, given):
    model = s.CharacterModel(CHARACTERS, cell=cell, **SIZES)
    fill(model, given)
    loss = s.CrossEntropyLoss()
    scores = model.forward(given["ids"], given["state"])
    value = loss.forward(scores, given["y"])
    model.backward(loss.backward())
    found = {"scores": scores, "loss": value, "final": model.state}
    return found | gradients(model)


# ------------------------------------------------------------------------------ PyTorch


def torch_module(cell, given, one_step=False):
    """PyTorch's cell with our weights. Where it has two biases, each gets half."""
    import torch

    kind = getattr(torch.nn, f"{cell}Cell" if one_step else cell)
    options = {} if one_step else {"batch_first": True}
    made = kind(D, H, **options).double()
    b_ih = given["b"] / 2
    b_hh = given["b"] / 2
    if cell == "GRU":
        b_ih[-H:] = given["b"][-H:]
        b_hh[-H:] = given["b_hn"]
    weights = {
        "weight_ih": given["W_xh"].T,
        "weight_hh": given["W_hh"].T,
        "bias_ih": b_ih,
        "bias_hh": b_hh,
    }
    for name, a in weights.items():
        getattr(made, name if one_step else f"{name}_l0").data = torch.tensor(a)
    return made


def torch_gradients(cell, made):
    """The gradients of PyTorch's weights in our layout."""
    by_name = {name.removesuffix("_l0"): p.grad for name, p in made.named_parameters()}
    found = {
        "dW_xh": by_name["weight_ih"].T,
        "dW_hh": by_name["weight_hh"].T,
        "db": by_name["bias_ih"],
    }
    if cell == "GRU":
        found["db_hn"] = by_name["bias_hh"][-H:]
    return {name: g.clone() for name, g in found.items()}


def torch_state(cell, state):
    """Our (S, N, H) as PyTorch wants it."""
    return (state[:1], state[1:]) if cell == "LSTM" else state


def our_state(state):
    import torch

    return torch.cat(state) if isinstance(state, tuple) else state


def torch_cell(cell, how, given):
    """y, final state, and every gradient."""
    import torch

    x = torch.tensor(given["x"], requires_grad=True)
    state = torch.tensor(given["state"], requires_grad=True)
    made = torch_module(cell, given, one_step=how == "mask")
    y, final = READ[how](cell, made, x, state, given)
    loss = (y * torch.tensor(given["dy"])).sum()
    if how != "plain":
        loss = loss + (final * torch.tensor(given["dstate"])).sum()
    loss.backward()
    found = {"y": y, "final": final, "dx": x.grad}
    if how != "plain":
        found["dinitial"] = state.grad
    return found | torch_gradients(cell, made)


def read_plain(cell, made, x, state, given):
    y, final = made(x)
    return y, our_state(final)


def read_state(cell, made, x, state, given):
    y, final = made(x, torch_state(cell, state))
    return y, our_state(final)


def read_packed(cell, made, x, state, given):
    import torch

    lengths = torch.tensor(given["lengths"])
    packed = pack(x, lengths)
    y, final = made(packed, torch_state(cell, state))
    return unpack(y), our_state(final)


def pack(x, lengths):
    from torch.nn.utils import rnn

    return rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)


def unpack(y):
    """All states, 0 where nothing was read."""
    from torch.nn.utils import rnn

    return rnn.pad_packed_sequence(y, batch_first=True)[0]


def read_masked(cell, made, x, state, given):
    """Step by step; where the mask is false, the state stays what it was."""
    import torch

    mask = torch.tensor(given["mask"])
    ys = []
    for t in range(T):
        if cell == "LSTM":
            after = torch.stack(made(x[:, t], (state[0], state[1])))
        else:
            after = made(x[:, t], state[0])[None]
        state = torch.where(mask[:, t, None], after, state)
        ys.append(state[0])
    return torch.stack(ys, dim=1), state


def read_truncated(cell, made, x, state, given):
    import torch

    first, middle = made(x[:, :CUT], torch_state(cell, state))
    middle = our_state(middle).detach()
    second, final = made(x[:, CUT:], torch_state(cell, middle))
    return torch.cat([first, second], dim=1), our_state(final)


READ = {
    "plain": read_plain,
    "state": read_state,
    "packed": read_packed,
    "mask": read_masked,
    "truncated": read_truncated,
}


def torch_embedding(given):
    """Rows of a table, number 0 being padding."""
    import torch

    made = embedding_of(given["W"], 0)
    y = made(torch.tensor(given["ids"]))
    y.backward(torch.tensor(given["dy"]))
    return {"y": y, "dW": made.weight.grad}


def embedding_of(W, padding):
    import torch

    W = torch.tensor(W)
    if padding is not None:
        W[padding] = 0
    return torch.nn.Embedding.from_pretrained(W, freeze=False, padding_idx=padding)


def linear_of(W, b):
    import torch

    module = torch.nn.Linear(*W.shape).double()
    module.weight.data = torch.tensor(W.T)
    module.bias.data = torch.tensor(b)
    return module


def model_gradients(cell, names, embedding, recurrent, linear):
    """Their gradients by our names."""
    found = {
        f"d{names[0]}.W": embedding.weight.grad.clone(),
        f"d{names[2]}.W": linear.weight.grad.T.clone(),
        f"d{names[2]}.b": linear.bias.grad.clone(),
    }
    for name, g in torch_gradients(cell, recurrent).items():
        found[f"d{names[1]}.{name.removeprefix('d')}"] = g
    return found


def torch_classifier(cell, given):
    import torch
    from torch.nn import functional

    embedding = embedding_of(given["embedding.W"], 0)
    recurrent = torch_module(cell, of(given, "cell"))
    linear = linear_of(given["linear.W"], given["linear.b"])
    modules = torch.nn.ModuleList([embedding, recurrent, linear])
    optimizer = torch.optim.SGD(modules.parameters(), RATE)
    ids = torch.tensor(given["ids"])
    lengths = (ids != 0).sum(dim=1)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        states, _ = recurrent(pack(embedding(ids), lengths))
        mean = unpack(states).sum(dim=1) / lengths[:, None]
        scores = linear(mean)
        loss = functional.cross_entropy(scores, torch.tensor(given["y"]))
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            names = ("embedding", "cell", "linear")
            found = model_gradients(cell, names, embedding, recurrent, linear)
            found["scores"] = scores
        halve_bias_gradients(cell, recurrent)
        optimizer.step()
    return found | {"losses": np.array(losses)}


def halve_bias_gradients(cell, recurrent):
    """Two biases that are added learn twice as fast as one; half each makes them one."""
    shared = 2 * H if cell == "GRU" else None
    for bias in (recurrent.bias_ih_l0, recurrent.bias_hh_l0):
        bias.grad[:shared] /= 2


def torch_characters(cell, given):
    import torch
    from torch.nn import functional

    embedding = embedding_of(given["0.W"], None)
    recurrent = torch_module(cell, of(given, "1"))
    linear = linear_of(given["2.W"], given["2.b"])
    state = torch_state(cell, torch.tensor(given["state"]))
    states, final = recurrent(embedding(torch.tensor(given["ids"])), state)
    scores = linear(states)
    loss = functional.cross_entropy(scores.transpose(1, 2), torch.tensor(given["y"]))
    loss.backward()
    found = {"scores": scores, "loss": loss, "final": our_state(final)}
    names = ("0", "1", "2")
    return found | model_gradients(cell, names, embedding, recurrent, linear)
