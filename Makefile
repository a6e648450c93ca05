# `make` alone says what there is.
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
SITE := _build/html

# the same pages and the same bits on every run: fixed hashes and dates, one BLAS thread, no progress bars on a page
export PYTHONHASHSEED := 0
export SOURCE_DATE_EPOCH := 1767225600
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1
QUIET := TQDM_DISABLE=1

.PHONY: help book test bounds bench lab serve lock clean
help:  ## say what there is
	@echo "backprop_book: what can be made"
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 16

book: $(SITE)/built  ## build the site: environment, package, chapters executed, pages (strict)
	@echo
	@echo "The site is in $(SITE). Read it with 'make serve', or open $(SITE)/index.html in a browser."

test: book  ## run all that is checked: chapters, tests, package = notebooks, notebooks clean
	$(QUIET) $(BIN)/python -m pytest

bounds: $(VENV)/ready  ## run the tests of the package at the lowest versions that it promises to work with
	@echo "== environment: _build/bounds, the lowest versions that pyproject.toml allows"
	@test -x _build/bounds/bin/python || $(PYTHON) -m venv --without-pip _build/bounds
	@$(BIN)/python -m uv pip install -q --python _build/bounds/bin/python --resolution lowest-direct . pytest==8.0 hypothesis==6.100
	$(QUIET) _build/bounds/bin/python -m pytest -c /dev/null --rootdir . -p no:cacheprovider -m "not house" tests

bench: _build/bench/ready  ## time the book beside other libraries (55 idle minutes): backprop_book/measured.json
	_build/bench/bin/python bench/run.py

_build/bench/ready: bench/requirements.lock
	@echo "== environment: _build/bench, from bench/requirements.lock"
	@test -x _build/bench/bin/python || $(PYTHON) -m venv _build/bench
	@_build/bench/bin/python -m pip install -q --disable-pip-version-check -r bench/requirements.lock
	@touch $@

lab: $(VENV)/ready  ## open the chapters in JupyterLab, MyST rendered
	$(BIN)/jupyter lab nbs

serve: book  ## serve the site on this machine only
	@echo "Stop with Ctrl-C."
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(SITE) $(or $(PORT),8000)

lock:  ## make requirements.lock anew, with today's versions
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install -q --disable-pip-version-check uv
	$(BIN)/python -m uv pip compile -q --upgrade --universal --python-version 3.11 --no-emit-index-url pyproject.toml --group dev -o requirements.lock

clean:  ## remove what was made: the site, the results of executed chapters, the environment
	rm -rf _build $(VENV) *.egg-info .pytest_cache .hypothesis

# the environment: exactly the lock, and this package, editable
$(VENV)/ready: requirements.lock pyproject.toml
	@echo "== environment: $(VENV), from requirements.lock"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install -q --disable-pip-version-check "$$(grep -E '^uv==' requirements.lock)"
	@$(BIN)/python -m uv pip sync -q --python $(BIN)/python requirements.lock
	@$(BIN)/python -m uv pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@

$(SITE)/built: $(VENV)/ready _config.yml _toc.yml $(shell find nbs site backprop_book/*.json backprop_book/*.mplstyle -type f -not -path '*/.*' -not -path '*__pycache__*')
	@echo "== package: exporting the chapters' cells into backprop_book/"
	@$(BIN)/nbdev_export
	@echo "== site: executing the chapters and writing the pages"
	$(QUIET) $(BIN)/jupyter-book build . -W -n --keep-going
	@touch $@
