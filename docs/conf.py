"""How Sphinx builds the site: the committed notebooks, nothing run again.

tools/site.py copies everything into one folder first, and this file with it; it also
writes course.json, which says where the repository is and which section derives what.
"""

import json
import re
from pathlib import Path

from sphinx.util import logging

logger = logging.getLogger(__name__)
course = json.loads((Path(__file__).parent / "course.json").read_text())

project = "From scratch to ML"
author = "The From scratch to ML authors"
copyright = "2026, the From scratch to ML authors"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "live", "slides"]
templates_path = ["_templates"]

# Notebooks: as they are committed.
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_text_lexer = "none"
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # a section may begin below level 2

# Formulas: from the site itself.
mathjax_path = "mathjax/tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}}

# Docstrings quote code between single backticks.
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
maximum_signature_line_length = 70

html_theme = "sphinx_book_theme"
owner, name = course["repository"].split("/")[-2:]
html_baseurl = f"https://{owner}.github.io/{name}/"
html_context = {"default_mode": "auto", "site": html_baseurl}
html_title = "From scratch to ML"
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_favicon = "_static/favicon.svg"
html_extra_path = ["extra"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "repository_url": course["repository"],
    "repository_branch": course["branch"],
    "path_to_docs": "",
    "use_repository_button": True,
    "use_download_button": True,
    "launch_buttons": {
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com",
        "notebook_interface": "jupyterlab",
    },
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "navbar_persistent": [],  # or a second search field stands above the page
}

DERIVED = re.compile(r"notebooks/([\w/]+)\.ipynb`*,\s+sections?\s+\*([^*]+)\*")


def link_sections(app, what, name, obj, options, lines):
    """Turn "Derived in notebooks/01_nn.ipynb, section *Loss*" into a link."""

    def linked(match):
        notebook, section = match[1], " ".join(match[2].split())
        anchor = course["anchors"].get(notebook, {}).get(section)
        if anchor is None:
            logger.warning("%s: %s has no section %r", name, notebook, section)
            return match[0]
        target = f"../notebooks/{notebook}.html#{anchor}"
        return f"`{notebook}, {section} <{target}>`__"

    lines[:] = DERIVED.sub(linked, "\n".join(lines)).split("\n")


def setup(app):
    app.connect("autodoc-process-docstring", link_sections)
