# One command each; every target does its own set-up. `make help` lists them.
PYTHON ?= python3
BOOT := $(PYTHON) scripts/bootstrap.py
VENV := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup run demo reset train serve dashboard monitor schedule-training run-agent \
        test test-integration lint fmt typecheck check bench lock

help:  ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Setup
setup:  ## make .venv from the lock
	@$(BOOT) install
lock:  ## compile requirements/ and requirements.txt from pyproject.toml
	@$(BOOT) install
	$(VENV)/python scripts/lock.py

##@ Run
run:  ## the whole loop on this machine: serve, monitor, retrain; Ctrl-C stops everything
	@$(BOOT) run
demo:  ## play traffic, a wave of new spam, a broken model; see it healed
	@$(BOOT) demo
train: setup  ## train and register a candidate
	@$(VENV)/python src/train.py
serve: setup  ## serve the champion
	@$(VENV)/python -m autoretrain serve
monitor: setup  ## measure, decide and act, again and again
	@$(VENV)/python src/monitor.py
schedule-training: setup  ## wake when the schedule says so
	@$(VENV)/python src/monitor.py --schedule
dashboard: setup  ## the dashboard
	@$(VENV)/python -m autoretrain dashboard
run-agent: setup  ## ask about the records in plain words
	@$(VENV)/python src/agent.py
reset: setup  ## empty this machine's state after asking
	@$(VENV)/python -m autoretrain reset

##@ Check
test: setup  ## all tests
	@$(VENV)/python -m autoretrain test
test-integration: setup  ## train, deploy, predict, drift, retrain, new model: with real processes
	@$(VENV)/python tests/test_integration.py
lint: setup  ## ruff and the import contracts
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/lint-imports
fmt: setup  ## format the code
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .
typecheck: setup  ## mypy, strict
	$(VENV)/mypy
check: lint typecheck test  ## what CI runs
bench: setup  ## every benchmark, one after another
	@$(VENV)/python -m benchmarks
