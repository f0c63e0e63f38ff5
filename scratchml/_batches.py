"""What wrong batches look like: examples lost, repeated or left in their order."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ._failures import CheckFailed, learner_code
from ._support import Array
from ._trial import demand, kind_of, own_generator_only

Epoch: TypeAlias = list[list[int]]  # the numbers of the examples in each batch

TOGETHER = "yield each batch, x and y together: yield x[chosen], y[chosen]"
NOTHING = "batches gives nothing: yield each batch, x and y together"


def check_epochs(
    batches: Callable[..., Any], n: int, batch_size: int, rng: np.random.Generator
) -> None:
    """Two epochs from one generator, and the first of them from its seed again."""
    x = np.arange(4 * n, dtype=np.float32).reshape(n, 2, 2)
    y = np.arange(n)
    seed = int(rng.integers(1 << 30))
    own = np.random.default_rng(seed)
    again = np.random.default_rng(seed)
    epochs = [one_epoch(batches, x, y, batch_size, r) for r in (own, own, again)]
    sizes = [batch_size] * (n // batch_size) + [n % batch_size] * (n % batch_size > 0)
    for epoch in epochs:
        check_sizes(epoch, batch_size)
        check_once(epoch, n)
        check_full(sorted(map(len, epoch), reverse=True), sizes)
    if n > 10:
        check_order(*epochs)
    check_full([len(batch) for batch in epochs[0]], sizes)


def one_epoch(
    batches: Callable[..., Any],
    x: Array,
    y: Array,
    batch_size: int,
    rng: np.random.Generator,
) -> Epoch:
    """The numbers of the examples, batch by batch; x and y are compared on the way."""
    given = x.copy(), y.copy()
    with own_generator_only("batches"):
        pairs = all_pairs(batches, given, (x, y), batch_size, rng)
    demand(pairs, NOTHING)
    for name, array, old in zip("xy", given, (x, y), strict=True):
        demand(
            np.array_equal(array, old),
            f"batches changes the caller's {name} in place: shuffle the numbers of the "
            "rows, order = rng.permutation(len(x)), and take x[order[...]]",
        )
    for rows, targets in pairs:
        demand(
            np.array_equal(rows, targets), "x and y come apart: use one order for both"
        )
    return [[int(i) for i in targets] for _, targets in pairs]


def all_pairs(
    batches: Callable[..., Any],
    given: tuple[Array, Array],
    whole: tuple[Array, Array],
    batch_size: int,
    rng: np.random.Generator,
) -> list[tuple[Array, Array]]:
    """What the learner's function yields: numbers of examples, of x and of y."""
    x, y = whole
    with learner_code("batches", x=x, y=y):
        made = batches(*given, batch_size, rng)
    demand(made is not None, NOTHING)
    demand(
        not isinstance(made, tuple | np.ndarray),
        f"batches returns {kind_of(made)} and ends: {TOGETHER}, inside the loop",
    )
    pairs = []
    with learner_code("batches", x=x, y=y):
        for pair in made:
            pairs.append(one_pair(pair, x, y))
            if len(pairs) > 4 * len(x):
                raise CheckFailed(f"batches never ends: an epoch has {len(x)} examples")
    return pairs


def one_pair(pair: Any, x: Array, y: Array) -> tuple[Array, Array]:
    """The numbers of the examples in one batch: those of x, and those of y."""
    demand(
        isinstance(pair, tuple | list) and len(pair) == 2,
        f"batches yields {kind_of(pair)}: {TOGETHER}",
    )
    a = np.asarray(pair[0])
    b = np.asarray(pair[1])
    turned = a.shape[1:] == y.shape[1:] and b.shape[1:] == x.shape[1:]
    demand(
        not (a.ndim and b.ndim and turned), "batches yields y before x: x comes first"
    )
    for name, part, whole in (("x", a, x), ("y", b, y)):
        wanted = ", ".join(["N", *map(str, whole.shape[1:])])
        demand(
            part.ndim and part.shape[1:] == whole.shape[1:],
            f"a batch of {name} has shape {part.shape}, expected ({wanted}): a batch "
            f"has N rows of {name}, as they are",
        )
        demand(
            part.dtype == whole.dtype,
            f"a batch of {name} is {part.dtype}, {name} is {whole.dtype}: keep the "
            "dtype",
        )
    return (a[:, 0, 0] / 4).astype(int), b


def check_sizes(epoch: Epoch, batch_size: int) -> None:
    """None too large, none empty."""
    sizes = [len(batch) for batch in epoch]
    demand(
        max(sizes) <= batch_size,
        f"a batch has more than {batch_size} examples, the batch_size: it has "
        f"{max(sizes)}",
    )
    demand(min(sizes), f"a batch is empty: the sizes are {listed(sizes)}")


def check_once(epoch: Epoch, n: int) -> None:
    """Every example once."""
    seen = [i for batch in epoch for i in batch]
    missing = n - len(set(seen))
    again = len(seen) - len(set(seen))
    demand(
        not (missing and again),
        "some examples appear twice in an epoch and others never: draw a permutation, "
        "without replacement",
    )
    alike = len({len(batch) for batch in epoch}) == 1
    left = "the last, smaller batch counts too"
    gaps = "each batch begins where the one before has ended"
    demand(
        not missing,
        f"{missing} of {n} examples never appear in an epoch: "
        f"{left if alike and missing < len(epoch[0]) else gaps}",
    )
    filled = alike and again < len(epoch[0])
    demand(
        not (again and filled),
        f"{again} examples appear twice in an epoch, to fill up the last batch: the "
        "last batch has only what is left",
    )
    several = len({i for i in seen if seen.count(i) > 1})
    demand(not again, f"{several} examples appear more than once in an epoch")


def check_full(sizes: list[int], right: list[int]) -> None:
    """Full batches, and the rest in the last."""
    demand(
        sizes == right,
        f"the batches have sizes {listed(sizes)}, expected {listed(right)}: all but "
        "the last are full, batch_size examples each",
    )


def check_order(first: Epoch, second: Epoch, again: Epoch) -> None:
    """A new order in each epoch, of the examples and not of the batches, from rng."""
    order, later, repeated = (
        [i for batch in epoch for i in batch] for epoch in (first, second, again)
    )
    demand(
        order != sorted(order),
        "the examples are never shuffled: use rng.permutation(len(x))",
    )
    demand(
        order != later,
        "every epoch has the same order: shuffle anew in each, with rng",
    )
    demand(
        np.mean(np.abs(np.diff(order)) == 1) <= 0.6,
        "only the order of the batches is shuffled, not the examples",
    )
    together, later_together = (
        {frozenset(batch) for batch in epoch} for epoch in (first, second)
    )
    demand(
        together != later_together,
        "the same examples come together in every epoch: shuffle all of them before "
        "you cut, not inside each batch",
    )
    demand(
        order == repeated,
        "the order does not come from rng: the same seed must give the same order",
    )


def listed(sizes: list[int]) -> str:
    told = ", ".join(map(str, sizes[:8]))
    return told if len(sizes) <= 8 else f"{told}, ..."
