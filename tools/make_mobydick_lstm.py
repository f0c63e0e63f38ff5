"""Train the character model that ships with the course, for longer than class time allows.

    python tools/make_mobydick_lstm.py

It reads the training part of data/mobydick.txt again and again, and keeps the weights
of the epoch that predicts the validation part best, in data/mobydick_lstm.npz, as
float16. Against learning by heart, some recurrent weights and some states are silenced
during training, except in the last epochs; the network that is kept is a plain
CharacterModel. One thread takes about 40 minutes. The same seed gives the same bytes on
one machine; another BLAS may round last digits otherwise.
"""

import argparse
import math
from pathlib import Path

import numpy as np

from scratchml import (
    LSTM,
    Adam,
    Callback,
    CharacterModel,
    CrossEntropyLoss,
    Dropout,
    EarlyStopping,
    Schedule,
    cosine,
    datasets,
    fit_tbptt,
    load_weights,
    save_weights,
)

HIDDEN = 320
RATE = 0.004


class DroppingLSTM(LSTM):
    """An LSTM that silences each weight of `W_hh` with probability 0.2, anew for each batch.

    Merity, Keskar and Socher, *Regularizing and optimizing LSTM language models* (2018).
    """

    drop = 0.2

    def __init__(self, n_in, n_hidden, *, rng, **options):
        super().__init__(n_in, n_hidden, rng=rng, **options)
        self.rng = rng

    def forward(self, x, mask=None, state=None):
        whole = self.params["W_hh"]
        drop = self.drop if self.training else 0
        kept = self.rng.random(whole.shape, np.float32) >= drop
        self.scale = kept / np.float32(1 - drop)
        self.params["W_hh"] = whole * self.scale
        y = super().forward(x, mask, state)
        self.params["W_hh"] = whole
        return y

    def backward(self, dy, dstate=None):
        whole = self.params["W_hh"]
        self.params["W_hh"] = whole * self.scale
        dx = super().backward(dy, dstate)
        self.params["W_hh"] = whole
        self.grads["W_hh"] = self.grads["W_hh"] * self.scale
        return dx


class DroppingModel(CharacterModel):
    """A character model with Dropout between its LSTM and its Linear layer, while it trains."""

    def __init__(self, *, hidden, rng):
        super().__init__(hidden=hidden, cell=DroppingLSTM, rng=rng)
        self.dropout = Dropout(0.1, rng=rng)

    def train(self, mode=True):
        self.dropout.train(mode)
        return super().train(mode)

    def forward(self, ids, state=None):
        embed, cell, out = self.layers
        h = cell.forward(embed.forward(ids), None, state)
        return out.forward(self.dropout.forward(h))

    def backward(self, dy):
        embed, cell, out = self.layers
        dh = self.dropout.backward(out.backward(dy))
        embed.backward(cell.backward(dh))


class Report(Callback):
    """Print the bits per character of each epoch."""

    def after_epoch(self, training):
        for name in ("loss", "validation_loss"):
            bits = training.history[name][-1] / math.log(2)
            print(f"epoch {training.epoch}: {name} {bits:.3f} bits", flush=True)


def bits_per_character(model, ids, steps=1000):
    """Mean surprise on a text `(L,)`, read once from its beginning with one unbroken memory."""
    model.eval()
    loss = CrossEntropyLoss()
    total, state = 0.0, None
    for start in range(0, len(ids) - 1, steps):
        piece = ids[start : start + steps + 1].astype(int)
        scores = model.forward(piece[None, :-1], state)
        state = model.state
        total += loss.forward(scores, piece[None, 1:]) * (len(piece) - 1)
    return total / (len(ids) - 1) / math.log(2)


def learn(model, text, rate, epochs):
    """Train with a rate that falls to 0, and keep the best of all epochs."""
    fit_tbptt(
        model,
        CrossEntropyLoss(),
        Adam(rate),
        text.train,
        epochs=epochs,
        batch_size=32,
        seq_len=64,
        clip_norm=1,
        validation=text.validation,
        callbacks=[Schedule(cosine(rate)), EarlyStopping(8), Report()],
    )


def polish(path, text, epochs):
    """Train the network in this file on, with nothing silenced."""
    model = CharacterModel(hidden=HIDDEN, rng=np.random.default_rng(0))
    load_weights(model, path)
    learn(model, text, RATE / 4, epochs)
    save_weights(model.astype(np.float16), path)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = Path(__file__).resolve().parent.parent / "data"
    parser.add_argument("--output", type=Path, default=folder / "mobydick_lstm.npz")
    parser.add_argument("--epochs", type=int, nargs=2, default=[32, 5])
    options = parser.parse_args(arguments)
    text = datasets.text8(full=False)
    model = DroppingModel(hidden=HIDDEN, rng=np.random.default_rng(0))
    learn(model, text, RATE, options.epochs[0])
    save_weights(model.astype(np.float16), options.output)
    polish(options.output, text, options.epochs[1])
    kept = CharacterModel(hidden=HIDDEN, rng=np.random.default_rng(0))
    load_weights(kept, options.output)
    for part in ("validation", "test"):
        bits = bits_per_character(kept, getattr(text, part))
        print(f"{part}: {bits:.3f} bits per character")


if __name__ == "__main__":
    main()
