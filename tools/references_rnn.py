"""Freeze PyTorch's answers to the recurrent layers, for notebook 02 and the tests to
compare with.

    make references          (or: python tools/references_rnn.py, where PyTorch is installed)

writes `data/references/rnn.npz`. `scratchml.datasets.references("rnn")` reads it, and
`tests/test_recurrent_parity.py` compares: ours with the file everywhere, the file with
PyTorch where there is one. Everything is float64. Names are `Cell.case.what` for RNN,
LSTM and GRU,

    LSTM.W_xh .W_hh .b (GRU also .b_hn)     the weights, stored as ours are, `(n_in, n_out)`
    LSTM.x .mask .lengths .state .dy .dstate    what goes in, the same for all cases
    LSTM.plain.                             without mask and state
    LSTM.state.                             from an initial state; the final one has a gradient too
    LSTM.packed.                            ragged lengths, by pack_padded_sequence
    LSTM.mask.                              any mask, by torch.where after each step
    LSTM.truncated.                         in two pieces, the state handed over without gradient
    ... .y .final .dx .dinitial .dW_xh .dW_hh .db (.db_hn)      and what PyTorch answers

and `embedding.`, `classifier.` (ten steps of a whole text classifier), `characters.` (a
character model). The same versions on the same machine write the same bytes.
"""

import sys

import numpy as np

from references import FOLDER, ROOT, of, save

N, T, D, H = 3, 5, 4, 7
BLOCKS = {"RNN": 1, "LSTM": 4, "GRU": 3}
CASES = ("plain", "state", "packed", "mask", "truncated")
CUT, STEPS, RATE = 2, 10, 0.5
WORDS, CLASSES, CHARACTERS = 11, 3, 6


def cell_weights(normal, cell, n_in=D, n_hidden=H):
    """Weights of one cell in our layout, no bias zero."""
    width = BLOCKS[cell] * n_hidden
    found = dict(
        W_xh=normal((n_in, width)) / 2,
        W_hh=normal((n_hidden, width)) / 2,
        b=normal(width) / 2,
    )
    return found | (dict(b_hn=normal(n_hidden) / 2) if cell == "GRU" else {})


def inputs():
    """What goes in, for every case: numbers from one generator, the same on every
    machine.
    """
    rng = np.random.default_rng(21)
    normal = rng.standard_normal
    cases = {}
    for cell in BLOCKS:
        states = 2 if cell == "LSTM" else 1
        mask = rng.random((N, T)) < 0.6
        mask[0], mask[1] = (
            False,
            np.arange(T) % 2,
        )  # a row with nothing in it, one with holes
        cases[cell] = cell_weights(normal, cell) | dict(
            x=normal((N, T, D)),
            mask=mask,
            lengths=np.array([5, 1, 3]),
            state=normal((states, N, H)),
            dy=normal((N, T, H)),
            dstate=normal((states, N, H)),
        )
    cases["embedding"] = dict(
        W=normal((WORDS, D)),
        dy=normal((N, T, D)),
        ids=np.array([[3, 0, 1, 3, 3], [0, 0, 0, 10, 2], [5, 1, 9, 9, 0]]),
    )
    for cell in BLOCKS:
        cases[f"classifier.{cell}"] = model_weights(
            normal, cell, WORDS, CLASSES
        ) | dict(
            ids=np.array([[3, 4, 1, 7, 0], [2, 0, 0, 0, 0], [10, 9, 8, 0, 0]]),
            y=np.array([2, 0, 1]),
        )
        cases[f"characters.{cell}"] = model_weights(
            normal, cell, CHARACTERS, CHARACTERS
        ) | dict(
            ids=rng.integers(0, CHARACTERS, (N, T)),
            y=rng.integers(0, CHARACTERS, (N, T)),
            state=normal((2 if cell == "LSTM" else 1, N, H)),
        )
    return {
        f"{case}.{name}": a
        for case, arrays in cases.items()
        for name, a in arrays.items()
    }


def model_weights(normal, cell, ids, classes):
    """Embedding, recurrent layer and Linear, named as in a composite: `0.W`, `1.W_xh`,
    ...
    """
    weights = cell_weights(normal, cell)
    return (
        {"0.W": normal((ids, D))}
        | {f"1.{name}": w for name, w in weights.items()}
        | {"2.W": normal((H, classes)), "2.b": normal(classes)}
    )


# ------------------------------------------------------------------------------ PyTorch


def module(cell, arrays, one_step=False):
    """PyTorch's layer with our weights. Where it has two biases and we one, each gets
    half.
    """
    import torch

    kind = getattr(torch.nn, f"{cell}Cell" if one_step else cell)
    options = {} if one_step else {"batch_first": True}
    made = kind(arrays["W_xh"].shape[0], arrays["W_hh"].shape[0], **options).double()
    b_ih, b_hh = arrays["b"] / 2, arrays["b"] / 2
    if cell == "GRU":
        b_ih, b_hh = b_ih.copy(), b_hh.copy()
        b_ih[-H:], b_hh[-H:] = arrays["b"][-H:], arrays["b_hn"]
    tail = "" if one_step else "_l0"
    with torch.no_grad():
        for name, values in (
            ("weight_ih", arrays["W_xh"].T),
            ("weight_hh", arrays["W_hh"].T),
            ("bias_ih", b_ih),
            ("bias_hh", b_hh),
        ):
            getattr(made, name + tail).copy_(torch.tensor(values))
    return made


def gradients(cell, made):
    """The gradients of PyTorch's weights in our layout."""
    by_name = {name.removesuffix("_l0"): p.grad for name, p in made.named_parameters()}
    found = {
        "dW_xh": by_name["weight_ih"].T,
        "dW_hh": by_name["weight_hh"].T,
        "db": by_name["bias_ih"],
    }
    return found | ({"db_hn": by_name["bias_hh"][-H:]} if cell == "GRU" else {})


def hand_over(cell, state):
    """Our (S, N, H) as PyTorch's initial state, and back."""
    return (state[:1], state[1:]) if cell == "LSTM" else state


def as_ours(state):
    import torch

    return torch.cat(state) if isinstance(state, tuple) else state


def run(cell, case, arrays):
    """One case of one cell: y, final state, and every gradient."""
    import torch
    from torch.nn.utils import rnn

    x, state = (
        torch.tensor(arrays[name], requires_grad=True) for name in ("x", "state")
    )
    dy, dstate = torch.tensor(arrays["dy"]), torch.tensor(arrays["dstate"])
    made = module(cell, arrays, one_step=case == "mask")
    if case == "plain":
        y, final = made(x)
    elif case == "state":
        y, final = made(x, hand_over(cell, state))
    elif case == "packed":
        lengths = torch.tensor(arrays["lengths"])
        packed = rnn.pack_padded_sequence(
            x, lengths, batch_first=True, enforce_sorted=False
        )
        y, final = made(packed, hand_over(cell, state))
        y, _ = rnn.pad_packed_sequence(
            y, batch_first=True
        )  # zero where nothing was read
    elif case == "mask":
        y, final = masked_loop(cell, made, x, torch.tensor(arrays["mask"]), state)
    else:
        first, middle = made(x[:, :CUT], hand_over(cell, state))
        middle = as_ours(middle).detach()
        second, final = made(x[:, CUT:], hand_over(cell, middle))
        y = torch.cat([first, second], dim=1)
    final = as_ours(final)
    loss = (y * dy).sum()
    if case != "plain":
        loss = loss + (final * dstate).sum()
    loss.backward()
    found = {"y": y, "final": final, "dx": x.grad} | gradients(cell, made)
    return found | ({"dinitial": state.grad} if case != "plain" else {})


def masked_loop(cell, made, x, mask, state):
    """Step by step; where the mask is false, the state stays what it was."""
    import torch

    ys = []
    for t in range(T):
        if cell == "LSTM":
            after = torch.stack(made(x[:, t], (state[0], state[1])))
        else:
            after = made(x[:, t], state[0])[None]
        state = torch.where(mask[:, t, None], after, state)
        ys.append(state[0])
    return torch.stack(ys, dim=1), state


def cells(given):
    """All cases of all cells."""
    return {
        f"{cell}.{case}.{name}": value
        for cell in BLOCKS
        for case in CASES
        for name, value in run(cell, case, of(given, cell)).items()
    }


def embedding(given):
    """Rows of a table, number 0 being padding."""
    import torch

    arrays = of(given, "embedding")
    W = torch.tensor(arrays["W"])
    W[0] = 0
    made = torch.nn.Embedding.from_pretrained(W, freeze=False, padding_idx=0)
    y = made(torch.tensor(arrays["ids"]))
    y.backward(torch.tensor(arrays["dy"]))
    return {"embedding.y": y, "embedding.dW": made.weight.grad}


def models(given):
    """Whole models: losses of ten steps of a classifier; one step of a character
    model.
    """
    import torch
    from torch.nn import functional

    found = {}
    for cell in BLOCKS:
        arrays = of(given, f"classifier.{cell}")
        parts = parts_of(cell, arrays)
        ids, y = torch.tensor(arrays["ids"]), torch.tensor(arrays["y"])
        optimizer = torch.optim.SGD(
            [p for part in parts for p in part.parameters()], RATE
        )
        losses = []
        for step in range(STEPS):
            optimizer.zero_grad()
            scores = classify(parts, ids)
            loss = functional.cross_entropy(scores, y)
            loss.backward()
            losses.append(loss.item())
            if step == 0:
                found |= {f"classifier.{cell}.scores": scores} | parts_gradients(
                    f"classifier.{cell}", cell, parts
                )
            halve_bias_gradients(cell, parts[1])
            optimizer.step()
        found[f"classifier.{cell}.losses"] = np.array(losses)

        arrays = of(given, f"characters.{cell}")
        embed, recurrent, out = parts = parts_of(cell, arrays)
        states, final = recurrent(
            embed(torch.tensor(arrays["ids"])),
            hand_over(cell, torch.tensor(arrays["state"])),
        )
        scores = out(states)
        loss = functional.cross_entropy(
            scores.transpose(1, 2), torch.tensor(arrays["y"])
        )
        loss.backward()
        found |= {
            f"characters.{cell}.scores": scores,
            f"characters.{cell}.loss": loss,
            f"characters.{cell}.final": as_ours(final),
        }
        found |= parts_gradients(f"characters.{cell}", cell, parts)
    return found


def parts_of(cell, arrays):
    """Embedding, recurrent layer and Linear with the frozen weights."""
    import torch

    padding = 0 if arrays["y"].ndim == 1 else None
    W = torch.tensor(arrays["0.W"])
    if padding == 0:
        W[0] = 0
    embed = torch.nn.Embedding.from_pretrained(W, freeze=False, padding_idx=padding)
    out = torch.nn.Linear(H, arrays["2.b"].size).double()
    with torch.no_grad():
        out.weight.copy_(torch.tensor(arrays["2.W"].T))
        out.bias.copy_(torch.tensor(arrays["2.b"]))
    return embed, module(cell, of(arrays, "1")), out


def classify(parts, ids):
    """Embed, read packed, average the states over the words, weigh."""
    from torch.nn.utils import rnn

    embed, recurrent, out = parts
    lengths = (ids != 0).sum(dim=1)
    packed = rnn.pack_padded_sequence(
        embed(ids), lengths, batch_first=True, enforce_sorted=False
    )
    states, _ = rnn.pad_packed_sequence(recurrent(packed)[0], batch_first=True)
    return out(states.sum(dim=1) / lengths[:, None])


def parts_gradients(case, cell, parts):
    """Their gradients by our names."""
    embed, recurrent, out = parts
    found = {
        "d0.W": embed.weight.grad,
        "d2.W": out.weight.grad.T,
        "d2.b": out.bias.grad,
    }
    found |= {f"d1.{name[1:]}": g for name, g in gradients(cell, recurrent).items()}
    return {f"{case}.{name}": g.clone() for name, g in found.items()}


def halve_bias_gradients(cell, recurrent):
    """Two biases that are added learn twice as fast as one; half each makes them
    one.
    """
    shared = 2 * H if cell == "GRU" else None
    for bias in (recurrent.bias_ih_l0, recurrent.bias_hh_l0):
        bias.grad[:shared] /= 2


# -------------------------------------------------------------------------------- files


def compute():
    """All references: {name: array}."""
    given = inputs()
    found = dict(given)
    for part in (cells, embedding, models):
        for name, value in part(given).items():
            value = value.detach().numpy() if hasattr(value, "detach") else value
            found[name] = np.array(value, order="C")
    return found


def main():
    sys.path.insert(0, str(ROOT))
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    with threadpool_limits(1):  # with two, the last digits come out otherwise
        arrays = compute()
    used = np.array([f"numpy {np.__version__}", f"torch {torch.__version__}"])
    size = save(FOLDER / "rnn.npz", arrays | {"versions": used})
    print(
        f"data/references/rnn.npz: {len(arrays)} arrays, {size:,} bytes, with {', '.join(used)}"
    )


if __name__ == "__main__":
    main()
