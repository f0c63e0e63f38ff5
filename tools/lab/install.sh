#!/bin/sh
# Set up the JupyterLab of an environment for the course.
#
#     tools/lab/install.sh FOLDER        (from the top of the repository)
set -eu

# No questions about news when JupyterLab opens, and no look-ups in a room without network.
mkdir -p "$1/etc/jupyter/labconfig"
echo '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}' \
    >"$1/etc/jupyter/labconfig/page_config.json"
# Long lines wrap on a small screen, and opening a notebook changes nothing in its file.
mkdir -p "$1/share/jupyter/lab/settings"
cp tools/lab/overrides.json "$1/share/jupyter/lab/settings/overrides.json"
cp tools/lab/jupyter_server_config.py "$1/etc/jupyter/jupyter_server_config.py"
