# Everything a developer does here. It needs make and a Python >= 3.11, nothing else; `.venv` holds the rest.
# Paths are relative throughout, so that a folder with a space in its name does no harm.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON := .venv/bin/python
STAMP := .venv/.installed
REQUIREMENTS := requirements.txt requirements-dev.txt
FLASK := $(PYTHON) -m flask --app wsgi
UV := $(PYTHON) -m uv

.PHONY: help setup run demo test check format lint types test-properties test-concurrency migration \
	check-migrations bench requirements

help: ## Show what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## Make .venv and install the pinned requirements (the others do it by themselves)

# Every requirement is pinned, those of requirements too, so nothing is left to resolve: --no-deps. uv takes a few
# seconds where pip takes forty; where it can't reach the package index, pip with its own settings does it.
$(STAMP): $(REQUIREMENTS)
	@exec 9>.setup.lock; if command -v flock >/dev/null; then flock 9; fi; \
	if [ -f $(STAMP) ] && [ $(STAMP) -nt requirements.txt ] && [ $(STAMP) -nt requirements-dev.txt ]; then exit 0; fi; \
	if ! [ -f .venv/.made ] || ! $(PYTHON) -c '' 2>/dev/null; then \
		found=; \
		for python in python3 python3.14 python3.13 python3.12 python3.11; do \
			if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
		done; \
		[ -n "$$found" ] || { echo "Greenpoints needs Python 3.11 or newer; none is on PATH." >&2; exit 1; }; \
		echo "Making .venv with $$($$found --version)"; \
		$$found -m venv --clear .venv || { echo "$$found can't make .venv; on Debian: apt install python3-venv" >&2; exit 1; }; \
		touch .venv/.made; \
	fi; \
	echo "Installing the pinned requirements"; \
	pip="$(PYTHON) -m pip install --no-input --disable-pip-version-check -q --no-deps --only-binary :all:"; \
	$$pip "$$(grep '^uv==' requirements-dev.txt)"; \
	$(UV) pip install --system-certs -q --python $(PYTHON) --no-deps --only-binary :all: \
		-r requirements.txt -r requirements-dev.txt \
	|| $$pip -r requirements.txt -r requirements-dev.txt; \
	touch $(STAMP)

run: setup ## Serve on a free port from 8000 on, with the demo's data, until Ctrl-C
	@exec $(FLASK) run-demo $(ARGS)

demo: setup ## Send the demo's baskets to a running server: make demo ARGS="--days 7"
	@exec $(FLASK) demo $(ARGS)

test: setup ## Run the tests; they bring their own PostgreSQL and Redis
	@exec $(PYTHON) -m pytest $(ARGS)

check: setup ## What CI runs: format, lint, types, import directions, migrations, and the tests last
	@$(PYTHON) -m ruff format --check .
	@$(MAKE) lint
	@$(MAKE) types
	@$(MAKE) check-migrations
	@$(MAKE) test

format: setup ## Format the code
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

lint: setup ## Lint, and prove the import directions
	@$(PYTHON) -m ruff check .
	@.venv/bin/lint-imports

types: setup ## Check the types
	@$(PYTHON) -m mypy

test-properties: setup ## Run the property tests at length, and a month of real baskets with returns
	@TEST_PROFILE=long exec $(PYTHON) -m pytest tests/properties tests/scenarios/test_month_of_returns.py $(ARGS)

test-concurrency: setup ## Run the concurrency tests at length, and kill the web twenty times
	@TEST_PROFILE=long exec $(PYTHON) -m pytest tests/concurrency tests/scenarios/test_kill_nine.py \
		tests/scenarios/test_kill_redemptions.py $(ARGS)

migration: setup ## Write a migration from the models' changes: make migration MESSAGE="add tiers"
	@[ -n "$(MESSAGE)" ] || { echo 'Say what it does: make migration MESSAGE="add tiers"' >&2; exit 1; }
	@$(FLASK) db migration "$(MESSAGE)"
	@$(PYTHON) -m ruff check -q --fix migrations && $(PYTHON) -m ruff format -q migrations

check-migrations: setup ## Up, down and up again with no drift, on PostgreSQL 16 and 18
	@exec $(PYTHON) -m pytest tests/core/test_migrate.py

bench: setup ## Measure awards per second as ratios to pgbench
	@exec $(PYTHON) -m bench $(ARGS)

requirements: setup ## Resolve requirements*.in into requirements*.txt
	@$(UV) pip compile --system-certs -q --universal --python-version 3.11 --no-emit-index-url \
		--custom-compile-command "make requirements" --override requirements-overrides.txt \
		requirements.in -o requirements.txt
	@$(UV) pip compile --system-certs -q --universal --python-version 3.11 --no-emit-index-url \
		--custom-compile-command "make requirements" requirements-dev.in -o requirements-dev.txt
