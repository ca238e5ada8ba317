# denc: everything a person runs. `make` alone lists the targets.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help setup setup-train test check demo clean

help: ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.dev ## make the virtual environment with everything the tests and the demo need

$(VENV)/.dev: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

setup-train: setup ## add torch (CPU or whatever the registry gives) for training and the torch tests
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train]'

check: setup ## ruff, mypy strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup ## all tests
	$(BIN)/python -m pytest

clean: ## remove the virtual environments and what the demo made
	rm -rf $(VENV) .venv-* demo build *.egg-info
