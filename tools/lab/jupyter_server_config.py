"""How the course's JupyterLab saves: opening a notebook changes nothing in its file.

JupyterLab writes the kernel's name and Python's version into every notebook that it
opens. The file's own stay, so that `git status` shows only what somebody has written.
install.sh puts this file and overrides.json into the environment.
"""

import json
import warnings
from pathlib import Path

OWN = ("kernelspec", "language_info")


def keep_the_files_own(model, path, contents_manager, **_):
    """Before a notebook is saved: give it back what its file says of the kernel."""
    if model["type"] != "notebook":
        return
    file = Path(contents_manager.root_dir, path)
    try:
        before = json.loads(file.read_text(encoding="utf-8"))["metadata"]
    except (OSError, ValueError, KeyError):
        return  # a new notebook
    metadata = model["content"]["metadata"]
    metadata.update({key: before[key] for key in OWN if key in before})


# Jupyter reads this file twice, and would warn of its own first reading.
warnings.filterwarnings("ignore", message="Overriding existing pre_save_hook")
c.FileContentsManager.pre_save_hook = keep_the_files_own  # noqa: F821
