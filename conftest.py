"""What all tests share: the same conditions on every machine, whoever runs them.

The notebooks run under strict nbval (`pytest --nbval notebooks/*.ipynb`): each in a
fresh kernel whose folder is its own, every text output compared, pictures (png, jpeg)
not. A cell whose output depends on the machine carries the tag `nbval-ignore-output`
and an assert of its own.
"""

import importlib.util
import os
import tempfile
from pathlib import Path

import hypothesis

ROOT = Path(__file__).resolve().parent

# No tests of pytest: the rehearsal drives a browser, the answers are read by others.
collect_ignore = ["tests/browser", "tests/wrong_answers"]
# The one file that cannot be imported without PyTorch.
if importlib.util.find_spec("torch") is None:
    collect_ignore.append("scratchml/torch_modules.py")

# The kernels inherit these. No progress bars, no sliders; no figures in windows; no
# start-up files, settings or history of the person who runs the tests; scratchml found
# even where it is not installed.
os.environ["TQDM_DISABLE"] = "1"
os.environ["SCRATCHML_STILL"] = "1"
os.environ.pop("MPLBACKEND", None)
_profile = tempfile.TemporaryDirectory(prefix="scratchml-ipython-")
os.environ["IPYTHONDIR"] = _profile.name
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
)

# The same examples each time, and no deadline: a shared machine may be slow.
hypothesis.settings.register_profile("course", deadline=None, derandomize=True)
hypothesis.settings.load_profile("course")

try:
    import matplotlib
except ModuleNotFoundError:  # the tests of the mathematics run without it
    pass
else:
    matplotlib.use("Agg")  # in this process; the kernels draw inline
