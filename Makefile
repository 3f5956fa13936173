# Two commands on a fresh machine: `make search` and `make test`. Everything else is for developers.
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
# Published benchmark tables, where they are at hand; tests that need them say so and are skipped elsewhere.
ifneq ($(wildcard ../shared/data),)
export CAMBRIAN_DATA ?= $(abspath ../shared/data)
endif
# Which tests `make unit` runs: all, unless some are named.
TESTS ?=
# Processes that run tests side by side.
WORKERS ?= 2
# Tests write where it costs no time, as to memory if that has 4 GB: a ledger waits for the disk at every trial.
MEMORY := $(shell test -w /dev/shm && df -k --output=avail /dev/shm 2>&1 | awk '$$1 + 0 > 4e6 {print "/dev/shm"}')
export OMP_NUM_THREADS ?= 1
# Tests start hundreds of interpreters, and each would compile what it imports anew.
unit: export PYTHONDONTWRITEBYTECODE :=

.PHONY: search test lint unit reseeded evidence bench gpu site clean

search: .venv/installed
	$(BIN)/cambrian search digits --by-hand

# Side by side: the types are checked on one core, and leave room for tests on the other.
test: .venv/installed
	$(MAKE) --jobs 2 lint unit

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: .venv/installed
	place=$$(mktemp -d $(or $(MEMORY),$${TMPDIR:-/tmp})/cambrian-XXXXXX) && chmod 755 $$place && trap 'rm -rf "$$place"' EXIT && \
	  TMPDIR=$$place $(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not slow" -o tmp_path_retention_policy=failed $(TESTS)

# The statistical and the damage tests with 20 other seeds; what has passed at this commit is not run again.
reseeded: .venv/installed
	$(BIN)/python tests/reseed.py

# The tests that `make test` leaves out, and more kills, draws and cases of some that it has.
evidence: .venv/installed
	$(BIN)/pytest -n 2 -m slow
	CAMBRIAN_KILLS=200 $(BIN)/pytest -n 2 tests/search/test_kills.py tests/search/test_every_call.py \
	  tests/search/test_power_cut.py tests/requests/test_killed.py
	CAMBRIAN_SHARED=20 $(BIN)/pytest -n 2 tests/spaces -k shared
	CAMBRIAN_CASES=all $(BIN)/pytest -n 2 tests/tasks -k loading

# Minutes each; those of hours, and the one that installs its peers, have their commands in RESULTS.md.
bench: .venv/installed
	for name in growth surrogates sampling throughput overhead; do echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done

# On a machine with a CUDA device: its tests and figures in one file, within nine minutes.
gpu: .venv/installed
	$(BIN)/python benchmarks/gpu.py --out gpu.json

# The documents as a site in site/, without a warning; needs what the extra `docs` has.
site: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Not compiled: to compile all that is installed takes as long as to install it, and most is never imported.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
