# `make` lists what there is to do. Every target builds the environment it needs, once.

PYTHON ?=
VENV ?= .venv
PEERS ?= .venv-peers
BROWSER ?= .venv-browser
SITE ?= .venv-site
MUTATION ?= .venv-mutation
PYODIDE ?=
LAB_FLAGS ?=
PYTEST_FLAGS ?=
ONLY ?=
export PYTHON

NOTEBOOKS := $(wildcard notebooks/*.ipynb notebooks/deeper/*.ipynb)
# The matrices of the course are small: a second thread gains little, and costs much when the cores
# are shared, because it waits by spinning.
CALM := OPENBLAS_NUM_THREADS=1
# Two processes on two cores, each with whole files: a notebook runs from its first cell.
TOGETHER := -n 2 --dist loadfile
QUIET := TQDM_DISABLE=1 SCRATCHML_STILL=1 $(CALM)
# JupyterLab refuses the administrator, which is what everybody is inside a container.
ROOT_FLAG := $(if $(filter 0,$(shell id -u)),--allow-root)

COMPILE := uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--no-header --no-annotate --no-emit-index-url

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help update lab test test-browser test-site coverage measure mutation full bench exercises render \
	references parity links site pins clean environment test-environment peers browser \
	site-environment mutation-environment

help:  ## list these targets
	@echo "From scratch to ML"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' Makefile | \
		awk -F@ '{ printf "%-20s %s\n", $$1, $$2 }'

lab: environment  ## open the course in JupyterLab (LAB_FLAGS="--no-browser --port 9000" and the like)
	@exec env $(CALM) $(VENV)/bin/python -m jupyterlab --ServerApp.root_dir="$(CURDIR)" \
		--LabApp.default_url=/lab/tree/notebooks/00_intro.ipynb $(ROOT_FLAG) $(LAB_FLAGS)

test: test-environment  ## lint, check types, test the library, run every notebook again and compare
	$(VENV)/bin/python -m ruff check --output-format concise .
	$(VENV)/bin/python -m ruff format --check --quiet .
	$(VENV)/bin/python -m mypy
	$(QUIET) $(VENV)/bin/python -m pytest --nbval --doctest-modules $(TOGETHER) \
		$(NOTEBOOKS) tests scratchml $(PYTEST_FLAGS)

test-browser: browser  ## run every notebook in JupyterLab in a real Chromium, answer exercises there
	$(QUIET) $(BROWSER)/bin/python tests/browser/rehearse.py $(ONLY)

test-site: browser  ## look at build/site in a real Chromium, every outside host blocked (after make site)
	$(BROWSER)/bin/python tests/browser/site.py $(ONLY)
	$(BROWSER)/bin/python tests/browser/live.py --page build/site/live

coverage: test-environment  ## the lines and branches of scratchml that no test has seen
	$(QUIET) $(VENV)/bin/python -m pytest --cov=scratchml tests $(PYTEST_FLAGS)

measure: test-environment  ## seconds and peak memory of each notebook
	$(QUIET) $(VENV)/bin/python tools/measure.py $(ONLY)

mutation: mutation-environment  ## change one token of the library at a time: does a test notice? (ONLY="--seed 2 text lime")
	$(QUIET) $(MUTATION)/bin/python tools/mutation.py $(ONLY)

full: test-environment  ## run the notebooks on the complete data sets, print one table of results
	SCRATCHML_FULL=1 $(QUIET) $(VENV)/bin/python tools/full.py $(ONLY)

bench: peers  ## measure the speed against PyTorch and lime, print one table
	$(PEERS)/bin/python benchmarks/run.py

parity: peers  ## compare every number with PyTorch itself, write docs/results/parity.md (make test uses frozen values)
	$(PEERS)/bin/python -m pytest tests/test_parity.py tests/test_convolution_parity.py \
		tests/test_interop.py tests/test_squeezenet.py tests/test_data_parallel.py tests/test_many.py $(PYTEST_FLAGS)
	$(PEERS)/bin/python tools/parity_table.py

references: peers  ## freeze the other libraries' values anew for make test (ONLY="rnn cnn")
	PYTHONPATH=tools $(PEERS)/bin/python -m references $(ONLY)

update: environment  ## fetch the newest course; what you have written is kept
	$(VENV)/bin/python tools/update.py

exercises: environment  ## write the exercise copies of the notebooks
	$(VENV)/bin/python tools/exercises.py

site: site-environment  ## build pages, slides and the live page in build/site (PYODIDE=folder: its Python from there)
	$(SITE)/bin/python tools/site.py $(if $(PYODIDE),--pyodide "$(PYODIDE)")

links: environment  ## carry the address, the course table, the schedule and the results to where they are shown
	$(VENV)/bin/python tools/links.py

render: test-environment  ## run the notebooks in place (ONLY=notebooks/01_nn.ipynb), then exercises, pictures, the live page's weights
	$(VENV)/bin/python tools/links.py
	$(VENV)/bin/python tools/render.py $(ONLY)
	$(VENV)/bin/python tools/exercises.py
	$(VENV)/bin/python tools/gallery.py
	$(QUIET) $(VENV)/bin/python tools/live_weights.py

pins:  ## choose new exact versions for requirements.txt and requirements-test.txt (needs uv)
	mkdir -p build
	$(COMPILE) --upgrade --extra course --output-file build/course.txt pyproject.toml
	$(COMPILE) --constraint build/course.txt --extra course --extra test --output-file build/all.txt pyproject.toml
	{ sed -n '/^#/p' requirements.txt && cat build/course.txt; } > build/requirements.txt
	{ sed -n '/^#/p' requirements-test.txt && grep -vxFf build/course.txt build/all.txt; } > build/requirements-test.txt
	mv build/requirements.txt build/requirements-test.txt .

clean:  ## remove environments and everything made (not data/downloads, not your answers)
	rm -rf $(VENV) $(PEERS) $(BROWSER) $(SITE) $(MUTATION) build .pytest_cache .ruff_cache .hypothesis .coverage *.egg-info
	find . \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -prune -exec rm -rf {} +

environment:
	@sh tools/environment.sh "$(VENV)" requirements.txt

test-environment:
	@sh tools/environment.sh "$(VENV)" requirements.txt requirements-test.txt

peers:
	@sh tools/environment.sh "$(PEERS)" requirements.txt requirements-test.txt requirements-peers.txt

mutation-environment:
	@sh tools/environment.sh "$(MUTATION)" requirements.txt requirements-test.txt requirements-mutation.txt

site-environment:
	@sh tools/environment.sh "$(SITE)" requirements.txt requirements-site.txt

browser:
	@sh tools/environment.sh "$(BROWSER)" requirements.txt requirements-test.txt requirements-browser.txt
