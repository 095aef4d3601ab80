# Works on a fresh Debian or Ubuntu that has only python3 (with venv and pip) and make.
SHELL := /bin/bash
PYTHON ?= python3
SUITE ?= store
UV := .venv/bin/uv
export RAY_ENABLE_UV_RUN_RUNTIME_ENV := 0
# Tests start hundreds of processes: with compiled modules each of them is a second faster.
unexport PYTHONDONTWRITEBYTECODE
RUN := $(UV) run --frozen --no-sync
SERVICES := .venv/bin/python scripts/services

.PHONY: help setup heavy services demo test lint check bench words vendor docs

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

setup: .venv/.ready  ## make .venv with uv and the locked packages

heavy: setup .venv/.heavy  ## torch, tensorflow and transformers too (3 GB): what the slow tests use

.venv/.heavy: pyproject.toml uv.lock
	$(UV) sync --frozen -q --inexact --group heavy
	.venv/bin/python -m pip install -q --disable-pip-version-check 'torch==2.13.0'
	@touch $@

.venv/.ready: pyproject.toml uv.lock
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@test -x $(UV) || .venv/bin/python -m pip install -q --disable-pip-version-check uv
	$(UV) sync --frozen -q --inexact
	@touch $@

services: setup  ## databases and object stores for tests: install, start (scripts/services stop)
	$(SERVICES) install
	$(SERVICES) start

demo: setup  ## the main job on real models, told step by step
	$(RUN) python scripts/demo.py

test: heavy  ## everything CI runs
	$(SERVICES) install
	$(MAKE) --no-print-directory lint
	$(RUN) pytest -n 2 --durations=40; status=$$?; $(SERVICES) stop --unused; exit $$status

lint: setup
	$(RUN) ruff check -q src tests scripts scripts/services
	$(RUN) ruff format -q --check src tests scripts scripts/services
	$(RUN) mypy
	$(RUN) lint-imports --no-cache

check: lint  ## lint, types, layers and the fast tests: under a minute
	$(RUN) pytest -n 2 -m "not slow" -q

bench: setup  ## measure against the peers; SUITE=store
	$(RUN) python -m tests.benchmarks.$(SUITE) $(ARGS)

words: setup  ## collect the sentences of pages for translation, and compile the translations
	$(RUN) python scripts/words.py

vendor: setup  ## fetch the scripts that pages use again, and check them against their hashes
	$(RUN) python scripts/vendor.py

docs: setup  ## regenerate the reference pages from the code
	$(RUN) python scripts/reference.py
