"""What a wrong step of an optimizer looks like.

The same idea as for gradients: walk once with each known mistake, and see which walk is
the learner's.
"""

import copy
import inspect
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np

from ._failures import CheckFailed, learner_code
from ._support import Array
from .optimizers import SGD, Adam

Rule: TypeAlias = Callable[[Any], Any]

STATELESS = (
    "The steps before were right: something is not kept in state from step to step."
)


def walk(
    optimizer: Any,
    gradients: Sequence[Array],
    rates: Sequence[float] | Array | None = None,
) -> list[Array]:
    """The steps that a copy of the optimizer takes, for each parameter.

    `gradients` holds one array (steps, ...) for each parameter; `rates` multiply its
    learning rate, step by step.
    """
    name = type(optimizer).__name__
    optimizer = copy.deepcopy(optimizer)
    lr = optimizer.lr
    parameters = [start(g[0]) for g in gradients]
    states: list[dict] = [{} for _ in gradients]
    taken: list[list[Array]] = [[] for _ in gradients]
    for t in range(len(gradients[0])):
        optimizer.lr = lr * (1 if rates is None else float(rates[t]))
        for p, g, state, steps in zip(
            parameters, gradients, states, taken, strict=True
        ):
            before = p.copy()
            handed = g[t].copy()
            with (
                learner_code(f"{name}: update", p=p, g=handed),
                np.errstate(all="ignore"),
            ):
                optimizer.update(p, handed, state)
            if not np.array_equal(handed, g[t]):
                raise CheckFailed(
                    f"{name}: update changes its input g in place: others still need "
                    "it. Work on a copy."
                )
            steps.append(p - before)
    if len(gradients[0]) > 1 and not np.any(taken[0]):
        letter = next(iter(inspect.signature(optimizer.update).parameters))
        raise CheckFailed(
            f"{name}: {letter} never changes. Update it in place: {letter} -= ..., "
            f"not {letter} = {letter} - ..."
        )
    return [np.array(steps) for steps in taken]


def start(g: Array) -> Array:
    """Where a walk begins."""
    return np.linspace(0.5, 1.5, g.size).reshape(g.shape)


def diagnose_step(
    mine: Any, reference: Any, t: int, ours: Array, theirs: Array, gradients: Array
) -> tuple[str, bool]:
    """Words for what went wrong in step t, and whether they name a mistake."""
    step = ours[t]
    right = theirs[t]
    if np.allclose(step, -right):
        return "It has the wrong sign: it walks uphill.", True
    if words := known_slip(reference, ours, gradients):
        return words, True
    if not np.isfinite(step).all():
        return (
            "It holds NaN or infinity: a division by 0, or the root of a negative "
            "number. Does the step number start at 1, and v from g**2?",
            True,
        )
    if t == 0:
        return first_step(mine, reference, step, right, gradients)
    return later_step(mine, reference, ours, theirs)


def known_slip(reference: Any, ours: Array, gradients: Array) -> str:
    """The mistake that walks exactly as the learner's optimizer does."""
    for kind, slips in ((Adam, adam_slips), (SGD, momentum_slips)):
        if isinstance(reference, kind):
            for words, slip in slips(reference):
                with np.errstate(all="ignore"):
                    guess = walk_along(slip, reference, gradients)
                if np.allclose(ours, guess, 1e-9, 1e-13, equal_nan=True):
                    return words
    return ""


def first_step(
    mine: Any, reference: Any, step: Array, right: Array, gradients: Array
) -> tuple[str, bool]:
    """The rate, a factor, or a term that the library has not."""
    doubled, expected = (walk(o, [gradients[:1]], [2])[0][0] for o in (mine, reference))
    if np.allclose(expected, 2 * right) and not np.allclose(doubled, 2 * step):
        return (
            "Part of the step ignores the learning rate: doubling lr does not double "
            "it, or does more.",
            True,
        )
    factor = float(np.vdot(step, right) / np.vdot(right, right))
    if np.allclose(step, factor * right, atol=1e-12):
        return (
            f"It is {factor:.4g} times the right step: a constant factor is off.",
            True,
        )
    rest = step - right
    g = gradients[0]
    for name, a in (("p", start(g)), ("g", g), ("g**2", g * g)):
        part = float(np.vdot(rest, a) / np.vdot(a, a))
        if np.allclose(rest, part * a, atol=1e-12):
            sign = "plus" if part > 0 else "minus"
            told = f"It is the right step {sign} {abs(part):.4g} times {name}."
            return f"{told} That term is not the library's.", True
    return "The very first step differs: compare the equation term by term.", False


def later_step(
    mine: Any, reference: Any, ours: Array, theirs: Array
) -> tuple[str, bool]:
    """The first steps were right."""
    walked, wanted = (-walk(o, [np.ones((3, 1))])[0][:, 0] for o in (mine, reference))
    steady = np.allclose(wanted, wanted[0], rtol=1e-4)
    if steady and walked[1] > 1.01 * wanted[0]:
        return (
            f"A constant gradient 1 gives the steps {told(walked)} instead of "
            f"{wanted[0]:.4f} each: the bias correction needs the step number as its "
            "exponent, 1 - beta**k at step k.",
            True,
        )
    return f"{STATELESS} Or it is not updated as it should be.", False


def told(steps: Array) -> str:
    return ", ".join(f"{step:.4f}" for step in steps)


def walk_along(slip: Rule, reference: Any, gradients: Array) -> Array:
    """The steps of a rule that sees lr, g, k, p and what it has kept itself."""
    s = SimpleNamespace(o=reference, lr=reference.lr, p=start(gradients[0]))
    s.m = s.q = s.v = np.zeros_like(s.p)
    steps = []
    for s.k, s.g in enumerate(gradients, 1):
        step = -slip(s) + 0 * s.p
        s.p = s.p + step
        steps.append(step)
    return np.array(steps)


# -------------------------------------------------------------------------------- Adam


def moments(s: Any) -> None:
    """m and q as they should be."""
    s.m = s.o.beta1 * s.m + (1 - s.o.beta1) * s.g
    s.q = s.o.beta2 * s.q + (1 - s.o.beta2) * s.g**2


def step(s: Any, m: Any = None, q: Any = None, k: int | None = None) -> Any:
    """The step as it should be, or from other m, q and k."""
    m = s.m if m is None else m
    q = s.q if q is None else q
    k = k or s.k
    m_hat = m / (1 - s.o.beta1**k)
    q_hat = q / (1 - s.o.beta2**k)
    return s.lr * m_hat / (np.sqrt(q_hat) + s.o.eps)


def adam_slips(o: Any) -> list[tuple[str, Rule]]:
    """Words, and a step that has this mistake."""
    b1 = o.beta1
    b2 = o.beta2
    eps = o.eps
    first = (1 - b1) / np.sqrt(1 - b2)

    def with_moments(rule: Rule) -> Rule:
        def stepped(s: Any) -> Any:
            moments(s)
            return rule(s)

        return stepped

    def with_step(new: Callable[[Any], tuple[Any, Any]]) -> Rule:
        def stepped(s: Any) -> Any:
            s.m, s.q = new(s)
            return step(s)

        return stepped

    in_steps = {
        "eps stands inside the root: it is sqrt(q_hat) + eps.": lambda s: (
            s.lr * m_hat(s) / np.sqrt(q_hat(s) + eps)
        ),
        "eps is added after the division: brackets, / (np.sqrt(q_hat) + eps).": (
            lambda s: s.lr * m_hat(s) / np.sqrt(q_hat(s)) + eps
        ),
        "eps is added after the division, and to the step: brackets, / (np.sqrt(q_hat) "
        "+ eps).": lambda s: s.lr * (m_hat(s) / np.sqrt(q_hat(s)) + eps),
        "eps is missing: / (np.sqrt(q_hat) + eps), or a gradient of 0 gives NaN.": (
            lambda s: s.lr * m_hat(s) / np.sqrt(q_hat(s))
        ),
        f"There is no bias correction at all: the first step is {first:.4g} times too "
        f"large, (1 - beta1) / sqrt(1 - beta2). Divide m by 1 - beta1**k and q by "
        "1 - beta2**k.": lambda s: s.lr * s.m / (np.sqrt(s.q) + eps),
        "m is corrected and q is not corrected: divide q by 1 - beta2**k.": lambda s: (
            s.lr * m_hat(s) / (np.sqrt(s.q) + eps)
        ),
        "q is corrected and m is not corrected: divide m by 1 - beta1**k.": lambda s: (
            s.lr * s.m / (np.sqrt(q_hat(s)) + eps)
        ),
        "The correction has beta * k: k is the exponent, 1 - beta**k.": lambda s: (
            s.lr * s.m / (1 - b1 * s.k) / (np.sqrt(s.q / (1 - b2 * s.k)) + eps)
        ),
        "The correction has (1 - beta)**k: it is 1 - beta**k.": lambda s: (
            s.lr * s.m / (1 - b1) ** s.k / (np.sqrt(s.q / (1 - b2) ** s.k) + eps)
        ),
        "g stands where m belongs: the step goes along the mean of the gradients.": (
            lambda s: s.lr * s.g / (np.sqrt(q_hat(s)) + eps)
        ),
        "g stands where m belongs, corrected.": lambda s: step(s, m=s.g),
        "The root is missing: / (np.sqrt(q_hat) + eps).": lambda s: (
            s.lr * m_hat(s) / (q_hat(s) + eps)
        ),
        "The two corrections are exchanged: m has beta1, q has beta2.": lambda s: (
            s.lr * s.m / (1 - b2**s.k) / (np.sqrt(s.q / (1 - b1**s.k)) + eps)
        ),
        "The corrections multiply: divide m by 1 - beta1**k and q by 1 - beta2**k.": (
            lambda s: s.lr * s.m * (1 - b1**s.k) / (np.sqrt(s.q * (1 - b2**s.k)) + eps)
        ),
        "The step number is one too large in the correction: is k counted twice?": (
            lambda s: step(s, k=s.k + 1)
        ),
        "The step number counts double in the correction: is k counted twice?": (
            lambda s: step(s, k=2 * s.k)
        ),
    }
    in_moments = {
        "beta1 and beta2 are exchanged in m and q.": lambda s: (
            b2 * s.m + (1 - b2) * s.g,
            b1 * s.q + (1 - b1) * s.g**2,
        ),
        "q is made from g: it needs g**2, else the root gives NaN.": lambda s: (
            b1 * s.m + (1 - b1) * s.g,
            b2 * s.q + (1 - b2) * s.g,
        ),
        "m lacks its 1 - beta1 (the first step is 10 times too large): m is a mean, "
        "beta1 * m + (1 - beta1) * g.": lambda s: (
            b1 * s.m + s.g,
            b2 * s.q + (1 - b2) * s.g**2,
        ),
        "q lacks its 1 - beta2: q is a mean, beta2 * q + (1 - beta2) * g**2.": (
            lambda s: (b1 * s.m + (1 - b1) * s.g, b2 * s.q + s.g**2)
        ),
        "q has only the new g**2: the old q is not kept, beta2 * q + ...": lambda s: (
            b1 * s.m + (1 - b1) * s.g,
            (1 - b2) * s.g**2,
        ),
        "m has only the new g: the old m is not kept, beta1 * m + ...": lambda s: (
            (1 - b1) * s.g,
            b2 * s.q + (1 - b2) * s.g**2,
        ),
        "m has 1 - beta2 where 1 - beta1 belongs.": lambda s: (
            b1 * s.m + (1 - b2) * s.g,
            b2 * s.q + (1 - b2) * s.g**2,
        ),
        "q has 1 - beta1 where 1 - beta2 belongs.": lambda s: (
            b1 * s.m + (1 - b1) * s.g,
            b2 * s.q + (1 - b1) * s.g**2,
        ),
        "q has beta1 where beta2 belongs.": lambda s: (
            b1 * s.m + (1 - b1) * s.g,
            b1 * s.q + (1 - b1) * s.g**2,
        ),
        "m has beta2 where beta1 belongs.": lambda s: (
            b2 * s.m + (1 - b2) * s.g,
            b2 * s.q + (1 - b2) * s.g**2,
        ),
        "beta1 and 1 - beta1, beta2 and 1 - beta2 are exchanged.": lambda s: (
            (1 - b1) * s.m + b1 * s.g,
            (1 - b2) * s.q + b2 * s.g**2,
        ),
        "m and q are not multiplied by beta before the new part is added.": lambda s: (
            s.m + (1 - b1) * s.g,
            s.q + (1 - b2) * s.g**2,
        ),
    }
    slips = [(words, with_moments(rule)) for words, rule in in_steps.items()]
    slips += [(words, with_step(new)) for words, new in in_moments.items()]
    return [*slips, *orders(o)]


def orders(o: Any) -> list[tuple[str, Rule]]:
    """Right lines in the wrong order or place."""

    def late(s: Any) -> Any:
        taken = step(s)
        moments(s)
        return taken

    def spoilt(s: Any) -> Any:
        moments(s)
        s.m = m_hat(s)
        s.q = q_hat(s)
        return s.lr * s.m / (np.sqrt(s.q) + o.eps)

    def of_m(s: Any) -> Any:
        s.m = o.beta1 * s.m + (1 - o.beta1) * s.g
        s.q = o.beta2 * s.q + (1 - o.beta2) * s.m**2
        return step(s)

    def old_m(s: Any) -> Any:
        before = s.m
        moments(s)
        return step(s, m=before)

    def exchanged(s: Any) -> Any:
        s.m = o.beta2 * s.m + (1 - o.beta2) * s.g
        s.q = o.beta1 * s.q + (1 - o.beta1) * s.g**2
        m = s.m / (1 - o.beta2**s.k)
        q = s.q / (1 - o.beta1**s.k)
        return s.lr * m / (np.sqrt(q) + o.eps)

    def forgotten(s: Any) -> Any:
        return step(s, m=(1 - o.beta1) * s.g, q=(1 - o.beta2) * s.g**2)

    return [
        ("beta1 and beta2 are exchanged.", exchanged),
        (f"{STATELESS} Change m and q in place: m *= ..., m += ...", forgotten),
        ("p moves before m and q have seen this g: update m and q first.", late),
        (
            "The corrected m and q replace those in state: m_hat and q_hat are new "
            "arrays, m and q are not corrected in place.",
            spoilt,
        ),
        ("q is made from m: it needs g**2.", of_m),
        ("p moves before m has seen this g: update m first.", old_m),
    ]


def m_hat(s: Any) -> Any:
    return s.m / (1 - s.o.beta1**s.k)


def q_hat(s: Any) -> Any:
    return s.q / (1 - s.o.beta2**s.k)


# ---------------------------------------------------------------------------- momentum


def momentum_slips(o: Any) -> list[tuple[str, Rule]]:
    """Words, and a step that has this mistake; none for plain SGD."""
    b = o.momentum

    def rule(new: Rule, taken: Rule) -> Rule:
        def stepped(s: Any) -> Any:
            s.v = new(s)
            return s.lr * taken(s)

        return stepped

    if not b:
        return []
    ahead = {True: lambda s: s.g + b * s.v, False: lambda s: s.v}
    other = "looks ahead" if not o.nesterov else "does not look ahead"
    right = ahead[o.nesterov]
    return [
        (
            f"It {other}: momentum steps along v, Nesterov along g + momentum * v.",
            rule(lambda s: b * s.v + s.g, ahead[not o.nesterov]),
        ),
        (
            "v is a mean here, with 1 - momentum: the library adds g as it is. It is "
            f"{1 - b:.4g} times the right step.",
            rule(lambda s: b * s.v + (1 - b) * s.g, right),
        ),
        ("v is not multiplied by momentum.", rule(lambda s: s.v + s.g, right)),
        (
            "The velocity is not kept in state from step to step: v starts at 0 each "
            "time.",
            lambda s: s.lr * ((1 + b) * s.g if o.nesterov else s.g),
        ),
    ]
