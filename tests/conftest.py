"""Fixtures that several test files use."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    """A generator that always starts the same."""
    return np.random.default_rng(0)


@pytest.fixture
def no_proxy(monkeypatch):
    """Whatever the network here is like, the mirrors of these tests are next door."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty place for complete data sets."""
    monkeypatch.setenv("SCRATCHML_DATA", str(tmp_path / "sets"))
    return tmp_path / "sets"
