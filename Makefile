# denc: everything a person runs. `make` alone lists the targets.
PYTHON  ?= python3
VENV    ?= .venv
BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip install -qq --disable-pip-version-check
SOURCE  ?=
OUT     ?= runs/quality
METRICS ?=
SECONDS ?=
TARGETS ?=
# auto: torch only from a wheel that pip finds locally; yes: from the registry, with what it brings; no: without
TORCH   ?= auto
.DEFAULT_GOAL := help
.PHONY: help setup setup-train setup-fuzz test test-pythons check fuzz net peers soak demo bench-quality bench-speed bench-ablate clean torch-if-local

help: ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.demo ## both programs live on this machine, measured; SOURCE=clip.mp4 for your own video
	$(BIN)/python -m benches.demo $(if $(SOURCE),--source '$(SOURCE)')

setup: $(VENV)/.dev ## make the virtual environment with everything that tests and checks need

setup-train: setup ## add torch as the registry gives it: for training, and for the tests that need it
	$(PIP) -e '.[train]'

test: setup torch-if-local ## all tests; those that need torch say so when it is not here
	$(BIN)/python -m pytest

test-pythons: ## the tests that need no torch, on Python 3.10 and 3.12 (the two JetPacks)
	tests/pythons.sh

fuzz: setup-fuzz ## coverage-guided fuzzing of TARGETS=a,b (all) for SECONDS=600; goes on in runs/fuzz
	$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),600) --targets '$(TARGETS)'

setup-fuzz: setup
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(PIP) -e '.[fuzz]'

check: setup torch-if-local ## ruff, mypy strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@if $(BIN)/python -c 'import torch' 2>/dev/null; then echo mypy; $(BIN)/mypy; else \
	  echo "mypy, less the files that import torch, which is not installed"; \
	  $(BIN)/mypy --exclude 'engines/(networks|training)/|perceptual\.py|runtimes/torch\.py'; fi
	$(BIN)/lint-imports

bench-quality: setup ## quality per bit on MANIFEST=clips.yaml, into OUT=folder
	@test -n '$(MANIFEST)' || { echo 'give MANIFEST=clips.yaml (docs/guide.md says what is in it)'; exit 2; }
	$(BIN)/denc-bench quality --manifest '$(MANIFEST)' --out '$(OUT)' $(if $(METRICS),--metrics '$(METRICS)')

bench-speed: $(VENV)/.demo ## time per stage and memory on this machine
	$(BIN)/denc-bench speed --live

bench-ablate: setup ## what each part of denc gives, on MANIFEST=clips.yaml, into OUT=folder
	@test -n '$(MANIFEST)' || { echo 'give MANIFEST=clips.yaml (docs/guide.md says what is in it)'; exit 2; }
	$(BIN)/denc-bench ablate --manifest '$(MANIFEST)' --out '$(OUT)' $(if $(METRICS),--metrics '$(METRICS)')

net: $(VENV)/.demo ## bad networks, beside stock aiortc; SCENARIOS='loss-5 blackout-2' SECONDS=20 for less
	$(BIN)/python -m tests.net $(if $(SCENARIOS),--scenarios $(SCENARIOS)) $(if $(SECONDS),--seconds $(SECONDS))

peers: setup ## other people's WebRTC programs with denc: installs what it can, then runs tests/peers
	tests/peers/install.sh
	$(BIN)/python -m pytest tests/peers -rs

soak: $(VENV)/.demo ## both programs for 8 h (SECONDS=900 for less), or through RECONNECTS=100 of each kind: what grows?
	$(BIN)/python -m tests.soak $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RECONNECTS),--reconnects $(RECONNECTS))

clean: ## remove the virtual environments and what the demo made
	rm -rf $(VENV) .venv-* demo build *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "denc needs Python 3.10 or newer; $(PYTHON) is older: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[bench]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.demo

# The registry's torch brings gigabytes of CUDA: tests take it only where a wheel lies in pip's find-links.
torch-if-local: setup
	@case '$(TORCH)' in no) ;; yes) $(PIP) -e '.[train]' ;; *) \
	  $(BIN)/python -c 'import torch' 2>/dev/null || \
	  if $(PIP) --no-index --no-deps torch==2.13.0 2>/dev/null; then $(PIP) -e '.[train]'; else \
	    echo 'no local torch wheel: tests that need torch are skipped (make setup-train installs it)'; fi ;; esac
