"""A whole data set explained: one explanation for each input, on several processors.

The work is spread by joblib. Past one machine, set another of its engines around the
call; the explanations stay the same.
"""

import contextlib
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import numpy as np

from ._support import progress_bar, require
from .explanation import Explanation


class ExplanationFailed(RuntimeError):
    """One input of `explain_many` could not be explained.

    `position` is its place among the inputs; `details` is the traceback, as text,
    since the error may have happened on another machine.
    """

    def __init__(self, position: int, reason: str, details: str = ""):
        super().__init__(position, reason, details)
        self.position = position
        self.reason = reason
        self.details = details

    def __str__(self):
        return f"input {self.position}: {self.reason}"


class _Failure(NamedTuple):
    """What went wrong, in words: an exception itself may not travel."""

    reason: str
    details: str


def explain_many(
    explain: Callable[..., Explanation],
    inputs: Iterable[Any],
    *,
    n_jobs: int | None = None,
    seed: int = 0,
    progress: bool = True,
    errors: Literal["raise", "return"] = "raise",
) -> list[Any]:
    """Explain every input, in order; `explain(x, seed=...)` explains one.

    `explain` is most easily a `functools.partial` of `explain_image`, `explain_text` or
    `explain_tabular`, with `progress=False`. Input i gets a seed of its own, made of
    `seed` and i: so the explanations are the same for any `n_jobs` and any engine.

    - `n_jobs`: how many processes, each with one thread, and no more than inputs; -1
      is one for each processor, None is one, or what a `joblib.parallel_config` around
      the call says. That also chooses the engine: with
      `joblib.parallel_config(backend="dask")` the inputs go to a Dask cluster.
    - `errors`: `"raise"` stops at the first input, in order, that fails; with
      `"return"` an `ExplanationFailed` stands in its place, and the others are kept.

    What travels to another process is pickled in memory. Ctrl-C stops all processes;
    when this one is killed, the others end a second later.

    Raises ExplanationFailed, which names the input; RuntimeError when a process dies or
    something cannot travel; ValueError for another seed than 0, 1, ..., other `errors`
    or `n_jobs`; TypeError for a single text, or an `explain` that is no function;
    ImportError without joblib.

    Derived in notebooks/deeper/04_lime.ipynb, section *Which examples to look at*.

    >>> from functools import partial
    >>> from scratchml import explain_text
    >>> def predict(texts):
    ...     p = np.array([0.9 if "good" in text else 0.2 for text in texts])
    ...     return np.column_stack([1 - p, p])
    >>> explain = partial(explain_text, predict, labels=1, progress=False)
    >>> many = explain_many(explain, ["a good film", "good", ""], errors="return")
    >>> [told.top(k=1)[0].name for told in many[:2]]
    ['good', 'good']
    >>> print(many[2])
    input 2: ValueError: explain_text: the text '' has no words to leave out
    """
    import joblib

    _check_arguments(explain, inputs, n_jobs, seed, errors)
    inputs = list(inputs)
    if n_jobs is not None:
        n_jobs = min(n_jobs, max(len(inputs), 1))
    one = joblib.delayed(partial(_explain_one, os.getpid()))
    # An input inside its call: of large arguments Dask keeps one copy, and loses it
    # with the worker that has it.
    calls = (partial(explain, x, seed=_seed(seed, i)) for i, x in enumerate(inputs))
    tasks = (one(call) for call in calls)
    found: list[Any] = []
    with _one_thread_each(), progress_bar(len(inputs), progress) as bar:
        results = _in_order(tasks, n_jobs)
        for position, told in enumerate(results):
            if isinstance(told, _Failure):
                told = ExplanationFailed(position, *told)
                if errors == "raise":
                    _stop(results)
                    raise told
            found.append(told)
            bar.update()
    return found


def _check_arguments(explain, inputs, n_jobs, seed, errors):
    if not callable(explain):
        raise TypeError(
            "explain_many expects a function explain(x, seed=...), "
            f"got {type(explain).__name__}"
        )
    if isinstance(inputs, str | bytes):
        raise TypeError(
            "explain_many expects a list of inputs, got a single text: pass [text]"
        )
    require(
        n_jobs is None or (_is_whole(n_jobs) and n_jobs != 0),
        "explain_many expects n_jobs: a number of processes, -1 (one for each "
        f"processor) or None, got {n_jobs!r}",
    )
    require(
        _is_whole(seed) and seed >= 0,
        f"explain_many expects a seed, an integer from 0 on, got {seed!r}",
    )
    require(
        errors in ("raise", "return"),
        f"explain_many expects errors 'raise' or 'return', got {errors!r}",
    )


def _is_whole(n):
    return isinstance(n, int | np.integer)


def _explain_one(asker, call):
    """An explanation, or in words why there is none. Runs in another process."""
    if os.getppid() == asker:
        _end_with(asker)
    try:
        return call()
    except Exception as error:
        return _Failure(f"{type(error).__name__}: {error}", traceback.format_exc())


@cache
def _end_with(asker):
    """Let this process end with the one that asked, which alone hears Ctrl-C."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=[asker], daemon=True).start()


def _watch(asker):
    while os.getppid() == asker:
        time.sleep(1)
    os._exit(1)  # nobody is left to tell


def _in_order(tasks, n_jobs):
    """Yield what the tasks return, each as soon as it and those before it are done."""
    import joblib

    backend, _ = joblib.parallel.get_active_backend()
    how = "generator" if backend.supports_return_generator else "list"
    try:
        yield from joblib.Parallel(n_jobs, return_as=how)(tasks)
    except Exception as error:  # of the engine: the tasks catch their own
        raise RuntimeError(
            f"explain_many: something got lost between the processes: {error}\n"
            "With n_jobs=1 nothing travels, nor with "
            "joblib.parallel_config(backend='threading')."
        ) from error


def _stop(results):
    """Let nobody go on with inputs that nobody waits for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib counts what it cancels
        results.close()


def _one_thread_each() -> contextlib.AbstractContextManager:
    """Let each of joblib's own processes use one thread: together they fill the cores.

    An engine that the caller has set is left alone.
    """
    import joblib

    backend, _ = joblib.parallel.get_active_backend()
    if type(backend).__name__ != "LokyBackend":
        return contextlib.nullcontext()
    return joblib.parallel_config(backend="loky", inner_max_num_threads=1)


def _seed(seed: int, position: int) -> int:
    """A seed for each input: streams of different positions are unrelated."""
    return int(np.random.SeedSequence([seed, position]).generate_state(1)[0])
