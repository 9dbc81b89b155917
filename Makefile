# All that these tasks need is Python 3.11 or newer and make: each one sets up what it uses, once, in .venv.

VENV ?= .venv
BIN := $(VENV)/bin
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
TYPED := src tests $(wildcard plugins/*/src plugins/*/tests)
EXAMPLES := README.md docs src $(wildcard plugins/*/README.md plugins/*/src)

# The newest tested Python that can make environments; name another with `make PYTHON=python3.12 …`.
SUITS := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	$$python -c '$(SUITS)' 2>/dev/null && echo $$python && break; done)

EXTRAS := .[all,contract]
INSTALL = $(BIN)/python -m pip install -qq --disable-pip-version-check
PYTEST := $(BIN)/pytest --numprocesses auto --dist loadfile
NEWEST := build/newest
PINNED := --constraint constraints.txt --build-constraint constraints.txt

.PHONY: help demo test soak chaos check bench format reference surface constraints clean

help: ## list the tasks
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(VENV)/installed ## show a delivery's whole way, offline and signed; choose with PROVIDER=slack
	@$(BIN)/speckitty-connectors demo $(PROVIDER:%=--provider %)

test: $(VENV)/with-dev ## run the tests of core, plugins and documentation; choose some with ARGS="tests/inbox -k refused"
	@$(PYTEST) -m "not soak and not chaos" $(ARGS)

soak: $(VENV)/with-dev ## run the long tests: processes are killed, thousands of cases tried, the tests themselves tested
	@$(PYTEST) --dist worksteal -m soak $(ARGS)

chaos: $(VENV)/with-dev ## let everything go wrong at once, for SECONDS=600, on a PostgreSQL of its own
	@SPECKITTY_CHAOS_SECONDS=$(or $(SECONDS),600) $(BIN)/pytest -q -m chaos --log-cli-level=INFO tests/chaos $(ARGS)

check: $(VENV)/with-dev ## hold the rules: format, lint, types, layers, examples
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy $(TYPED)
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/pytest -q $(EXAMPLES) tests/repository

bench: $(VENV)/with-bench ## measure; never part of the tests
	@$(BIN)/python bench/run.py $(ARGS)

format: $(VENV)/with-dev ## format, and fix what the linter can fix
	@$(BIN)/ruff format --quiet
	@$(BIN)/ruff check --fix --quiet

reference: $(VENV)/with-dev ## write what is made of docstrings: docs/api.md, docs/contract, the stub for type checkers
	@PYTHONPATH=tests $(BIN)/python -m testbed.public_api
	@PYTHONPATH=tests $(BIN)/python -m testbed.contract_pages

surface: $(VENV)/with-dev ## record the shape of the plugin contract under its version
	@PYTHONPATH=tests $(BIN)/python -m testbed.contract_surface

constraints: ## pin the newest versions of everything in constraints.txt
	@$(MAKE) --no-print-directory VENV=$(NEWEST) PINNED= $(NEWEST)/with-dev $(NEWEST)/with-bench
	@{ grep '^#' constraints.txt; $(NEWEST)/bin/python -m pip freeze --all --exclude-editable --exclude setuptools; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt && rm -r $(NEWEST)

clean: ## remove the environment and what tools left behind
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Each environment notes what it has; the note is older than these files only when one of them changed.
$(VENV)/installed: constraints.txt pyproject.toml $(PLUGINS:%=%/pyproject.toml)
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv found: install it (Debian: python3-venv), or name it with make PYTHON=…" >&2; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON) …"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --constraint constraints.txt 'pip>=25.3'
	@$(INSTALL) $(PINNED) --editable '$(EXTRAS)' $(PLUGINS:%=--editable %)
	@touch $@

$(VENV)/with-%: $(VENV)/installed
	@echo "Adding the tools of the group $* …"
	@$(INSTALL) $(PINNED) --group $*
	@touch $@
