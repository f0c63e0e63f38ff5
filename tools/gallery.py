"""Take the README's pictures out of the executed notebooks: `make render` keeps them
the same.

python tools/gallery.py            write docs/*.png
python tools/gallery.py --check    exit 1 and name the pictures that are stale
"""

import base64
import sys

from course import ROOT, read
from scratchml._support import replace_file

# docs/NAME.png: (notebook, id of the cell, which of its figures)
PICTURES = {
    "bugs": ("01_nn", "planted-bugs", 0),
    "vanishing": ("02_rnn", "radius", 0),
    "header": ("02_rnn", "trust", 0),
    "collages": ("deeper/03_cnn", "collages", 0),
    "photograph": ("04_lime", "photograph", 0),
}


def picture(stem, cell_id, number):
    """The bytes of one figure; a clear error when the notebook has no such cell or
    figure.
    """
    for cell in read(ROOT / "notebooks" / f"{stem}.ipynb").cells:
        if cell.id == cell_id:
            data = [o.get("data", {}) for o in cell.outputs]
            figures = [d["image/png"] for d in data if "image/png" in d]
            if number < len(figures):
                return base64.b64decode(figures[number])
    raise SystemExit(
        f"notebooks/{stem}.ipynb has no figure {number} in a cell {cell_id!r}"
    )


def main():
    stale = []
    for name, place in PICTURES.items():
        path, data = ROOT / "docs" / f"{name}.png", picture(*place)
        if not path.exists() or path.read_bytes() != data:
            stale.append(f"docs/{name}.png")
            if "--check" not in sys.argv:
                path.parent.mkdir(exist_ok=True)
                replace_file(path, lambda file, data=data: file.write(data))
    if stale and "--check" in sys.argv:
        raise SystemExit(f"stale: {', '.join(stale)}; run `make render`")


if __name__ == "__main__":
    main()
