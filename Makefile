# `make` alone says what there is.
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
SITE := _build/html
PYRIGHT := 1.40.2

# the same pages and the same bits on every run: fixed hashes and dates, one BLAS thread, no progress bars on a page
export PYTHONHASHSEED := 0
export SOURCE_DATE_EPOCH := 1767225600
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1
QUIET := TQDM_DISABLE=1

.PHONY: help book test test-all bounds types hooks release bench lab serve lock clean
help:  ## say what there is
	@echo "backprop_book: what can be made"
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

book: $(SITE)/built  ## build the site: environment, package, chapters executed, pages (strict)
	@echo
	@echo "The site is in $(SITE). Read it with 'make serve', or open $(SITE)/index.html in a browser."

test: book  ## run every test, of what takes long a fixed sample (4 minutes)
	$(QUIET) $(BIN)/python -m pytest

test-all: book types  ## run every test whole, and check the types of the first chapters' modules (20 minutes)
	$(QUIET) TEST_ALL=1 $(BIN)/python -m pytest

bounds: $(VENV)/ready  ## run the source distribution's own tests, at the lowest versions that it promises to work with
	@echo "== environment: _build/bounds, the lowest versions that pyproject.toml allows"
	@rm -rf _build/sdist && $(BIN)/python -m build -q --sdist --no-isolation --outdir _build/sdist . && tar xzf _build/sdist/*.tar.gz -C _build/sdist
	@test -x _build/bounds/bin/python || $(PYTHON) -m venv --without-pip _build/bounds
	@$(BIN)/python -m uv pip install -q --python _build/bounds/bin/python --resolution lowest-direct --reinstall-package backprop_book \
		"backprop_book[fast] @ $$(ls _build/sdist/*.tar.gz)" pytest==8.0 pytest-xdist==3.6 hypothesis==6.100 jsonschema==4.18
	cd _build/sdist/backprop_book-*/ && $(QUIET) ../../bounds/bin/python -m pytest -c /dev/null --rootdir . -p no:cacheprovider -q -n 2 -m "not house" tests

types: $(VENV)/ready  ## check the types of the modules on the learner's road
	@$(BIN)/python -m uv tool run -q --from basedpyright==$(PYRIGHT) basedpyright

hooks: $(VENV)/ready  ## let git export and clean the notebooks, and lint, before each commit
	$(BIN)/pre-commit install

release: book  ## what a release holds, in _build/release: wheel, source distribution, site, notes
	rm -rf _build/release && mkdir -p _build/release
	$(BIN)/python -m build --no-isolation --outdir _build/release . >/dev/null
	cd _build/html && ../../$(BIN)/python -m zipfile -c ../release/backprop_book-site.zip *
	awk '/^## /{n++} n==1' CHANGELOG.md > _build/release/notes.md
	@ls -l _build/release

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
