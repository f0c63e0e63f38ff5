#!/bin/sh
# Build or refresh a virtual environment, or find in a blink that there is nothing to do.
#
#     tools/environment.sh FOLDER REQUIREMENTS...        (from the top of the repository)
#
# A stamp inside FOLDER says what was installed: a line for each file. It goes before the first
# change and comes back after the last one, so an interrupted installation never counts as done.
# More than is wanted does no harm: `make lab` takes what `make test` has built.
# PYTHON chooses the interpreter; without it the first on the PATH that fits is taken.
set -eu
venv=$1
shift
stamp=$venv/.stamp

fail() {
    echo "$*" >&2
    exit 1
}
version_of() { # "3.12", or nothing when there is no such interpreter
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}
fits() { # the pinned packages come ready built for these; a newer Python would have to compile them
    case $1 in 3.11 | 3.12 | 3.13 | 3.14) return 0 ;; *) return 1 ;; esac
}

# The folder counts too: an environment does not survive being moved.
wanted=$({ pwd && sed '/^\[tool/,$d' pyproject.toml && cat tools/lab/*; } | cksum && cksum "$@")
installed= built_with=
if [ -f "$stamp" ] && "$venv/bin/python" -c '' 2>/dev/null; then
    built_with=$(sed 1q "$stamp") installed=$(sed 1d "$stamp")
fi
is_installed() {
    printf '%s\n' "$wanted" | while read -r line; do
        case $installed in *"$line"*) ;; *) exit 1 ;; esac
    done
}
if [ -z "${PYTHON-}" ] && is_installed; then
    exit 0
fi

python=${PYTHON:-python3}
version=$(version_of "$python")
if [ -z "${PYTHON-}" ] && ! fits "$version"; then
    for other in python3.14 python3.13 python3.12 python3.11; do
        if fits "$(version_of $other)"; then
            python=$other version=$(version_of $other)
            break
        fi
    done
fi
if ! fits "$version"; then
    found="$python is Python $version"
    [ -n "$version" ] || found="there is no $python here"
    fail "The course needs Python 3.11 to 3.14, but $found: install one of these (python.org has them)" \
        "and run make again, naming it if need be: make lab PYTHON=python3.14"
fi
if is_installed && [ "$built_with" = "$version" ]; then
    exit 0
fi

uv=$(command -v uv || true)
if [ -z "$uv" ] && ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    fail "$python cannot make virtual environments, its venv module is missing: install it" \
        "(Debian and Ubuntu: sudo apt install python$version-venv), or install uv, and run make again."
fi

# Build on an intact environment of the same Python; anything else starts afresh.
if [ -z "$installed" ] || [ "$built_with" != "$version" ]; then
    if [ -e "$venv" ] && [ ! -e "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv")" ]; then
        fail "$venv is in the way: it is not a virtual environment, so move it and run make again."
    fi
    echo "Building $venv with Python $version, once; this takes a minute or two." >&2
    rm -rf "$venv"
    if [ -n "$uv" ]; then
        "$uv" venv --quiet --python "$(command -v "$python")" "$venv"
    else
        "$python" -m venv "$venv"
    fi
else
    echo "Bringing $venv up to date." >&2
fi
rm -f "$stamp"

quiet=--quiet
if [ -t 2 ]; then quiet=; fi # somebody is watching: show the downloads
if [ -n "$uv" ]; then
    # uv does not read pip's settings: hand on a class room's mirror or folder of wheels.
    if [ -n "${PIP_INDEX_URL-}" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX-$PIP_INDEX_URL}"; fi
    if [ -n "${PIP_NO_INDEX-}" ]; then export UV_NO_INDEX="${UV_NO_INDEX-$PIP_NO_INDEX}"; fi
    if [ -n "${PIP_FIND_LINKS-}" ]; then export UV_FIND_LINKS="${UV_FIND_LINKS-$PIP_FIND_LINKS}"; fi
    install() { "$uv" pip install $quiet --python "$venv/bin/python" "$@"; }
else
    install() { "$venv/bin/python" -m pip install $quiet --disable-pip-version-check "$@"; }
fi
for file in "$@"; do
    set -- "$@" -r "$file"
    shift
done
install "$@"
install --no-deps --editable .
sh tools/lab/install.sh "$venv"

printf '%s\n%s\n' "$version" "$wanted" >"$stamp.new"
mv "$stamp.new" "$stamp"
