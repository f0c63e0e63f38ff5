"""The README's pictures are figures of the committed notebooks."""

import sys

import pytest

import gallery


def test_pictures_are_the_notebooks_figures(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gallery.py", "--check"])
    gallery.main()


def test_a_stale_picture_is_named(monkeypatch, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "notebooks").symlink_to(gallery.ROOT / "notebooks")
    name = next(iter(gallery.PICTURES))
    (tmp_path / "docs" / f"{name}.png").write_bytes(b"old")
    monkeypatch.setattr(gallery, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["gallery.py", "--check"])
    with pytest.raises(SystemExit, match=f"stale: docs/{name}.png"):
        gallery.main()


def test_a_missing_cell_is_named():
    with pytest.raises(
        SystemExit, match=r"01_nn.ipynb has no figure 0 in a cell 'nowhere'"
    ):
        gallery.picture("01_nn", "nowhere", 0)
