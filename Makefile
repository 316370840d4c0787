# Three commands: `make demo`, `make test` and `make bench`. Each does all of its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EDITORS := .cache/vscode
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## What there is
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: $(VENV)/.ready  ## The main job, watchable; EVONIC=DIR takes a real Evonic (it is left as it was found)
	@$(BIN)/evonic-lsp demo $(if $(EVONIC),--evonic '$(EVONIC)')

test: lint editors  ## Everything: lint, types, tests, real editors; EVONIC_ROOT=DIR adds a real Evonic
	$(BIN)/python -m pytest $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory test-old-python

lint: $(VENV)/.ready  ## ruff and mypy
	$(BIN)/ruff check evonic_lsp tests
	$(BIN)/ruff format --check evonic_lsp tests
	$(BIN)/mypy

bench: $(VENV)/.ready  ## Every figure of the README, measured and, with EVONIC=DIR, written; BENCH_ARGS=--quick is quick
	@$(MAKE) --silent .cache/bench/.ready \
	  || echo "SKIPPED: watchfiles and jurigged cannot be had from PyPI, so they are not compared with" >&2
	$(BIN)/python tests/benchmarks/run.py $(if $(EVONIC),--evonic '$(EVONIC)') $(BENCH_ARGS)

format: $(VENV)/.ready  ## What lint would complain about, where that can be done
	$(BIN)/ruff check --fix evonic_lsp tests
	$(BIN)/ruff format evonic_lsp tests

editors: $(VENV)/.ready
	@if command -v npm > /dev/null; then tests/vscode/setup.sh $(EDITORS); \
	else echo "SKIPPED: no npm, so the VS Code tests have nothing to run in (install Node.js 20)"; fi

# What is installed into Evonic must run on the oldest Python that Evonic promises.
OLD_PYTHON ?= $(shell for each in python3.8 $(HOME)/.pyenv/versions/3.8.*/bin/python; do \
  $$each -c pass 2> /dev/null && echo $$each && break; done)
test-old-python:
	@if [ -n "$(OLD_PYTHON)" ]; then $(MAKE) --no-print-directory .cache/old-python/.ready; \
	  PYTHONPATH=. .cache/old-python/bin/python -m pytest -c /dev/null --rootdir . --noconftest -q -p no:cacheprovider tests/bridge; \
	else echo "SKIPPED: no Python 3.8 here, so the bridge's tests ran on $$($(BIN)/python -V) only"; fi

.cache/old-python/.ready: pyproject.toml
	rm -rf .cache/old-python
	$(OLD_PYTHON) -m venv .cache/old-python
	.cache/old-python/bin/pip install --quiet 'flask>=2,<4' 'pytest>=8' 'hypothesis>=6'
	touch $@

# Beside the environment and not in it: nothing but the benchmarks may meet them.
.cache/bench/.ready: tests/benchmarks/requirements.txt
	@rm -rf .cache/bench
	@$(BIN)/pip install --quiet --target .cache/bench --requirement $<
	@touch $@

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -m venv $(VENV) 2> /dev/null || { rm -rf $(VENV); \
	  echo "Debian's Python lacks venv: installing python3-venv"; \
	  apt-get install -y -qq python3-venv > /dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv > /dev/null; }; \
	  $(PYTHON) -m venv $(VENV); }
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

clean:  ## Removes what the other targets have made
	rm -rf $(VENV) .cache build dist editors/vscode/node_modules editors/vscode/dist

.PHONY: help demo test bench lint format editors test-old-python clean
