# One command each; every target does its own set-up. `make help` lists them.
PYTHON ?= python3
BOOT := $(PYTHON) scripts/bootstrap.py
VENV := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup run demo reset train serve dashboard monitor schedule-training run-agent \
        test test-integration lint fmt typecheck check bench docs film lock release-check license-check audit \
        docker-up docker-down docker-build kind-up kind-cluster kind-deploy kind-reload kind-demo kind-down e2e e2e-full e2e-chart readme

# What the cluster is made of. KIND_NODE_IMAGE empty: kind's own. KIND_ADDONS: a command that gets the cluster's name and
# adds what a new one lacks; empty: the Ingress controller of INGRESS_MANIFEST.
export KIND_NODE_IMAGE ?=
export KIND_CONFIG ?= manifests/kind/cluster.yaml
export KIND_ADDONS ?=
export INGRESS_MANIFEST ?= https://raw.githubusercontent.com/projectcontour/contour/v1.33.5/examples/render/contour.yaml
export POSTGRES_IMAGE ?= postgres:17
export PROMETHEUS_IMAGE ?= prom/prometheus:v2.53.3

help:  ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Setup
setup:  ## make .venv from the lock: what running, testing and changing it needs
	@$(BOOT) install
.PHONY: to-run
to-run:
	@$(BOOT) install-to-run
lock:  ## compile requirements/ and requirements.txt from pyproject.toml
	@$(BOOT) install
	$(VENV)/python scripts/lock.py

##@ Run
run:  ## the whole loop on this machine: serve, monitor, retrain; Ctrl-C stops everything
	@$(BOOT) run
demo:  ## play traffic, a wave of new spam, a broken model; see it healed
	@$(BOOT) demo
train: to-run  ## train and register a candidate
	@$(VENV)/python src/train.py
serve: to-run  ## serve the champion
	@$(VENV)/python -m autoretrain serve
monitor: to-run  ## measure, decide and act, again and again
	@$(VENV)/python src/monitor.py
schedule-training: to-run  ## wake when the schedule says so
	@$(VENV)/python src/monitor.py --schedule
dashboard: to-run  ## the dashboard
	@$(VENV)/python -m autoretrain dashboard
run-agent: to-run  ## ask about the records in plain words
	@$(VENV)/python src/agent.py
reset: to-run  ## empty this machine's state after asking
	@$(VENV)/python -m autoretrain reset

##@ With Docker alone
# What .env says of these images holds, unless somebody set them for make.
COMPOSE = env $(foreach name,POSTGRES_IMAGE PROMETHEUS_IMAGE,$(if $(filter file,$(origin $(name))),-u $(name))) docker compose
docker-up:  ## build and start everything in containers, wait for a trained model; docker-down keeps what it learnt
	@$(COMPOSE) up --build --detach --wait || { $(COMPOSE) logs --tail=20 agent-scheduler; exit 1; }
	@echo "API        http://$$($(COMPOSE) port fastapi-serving 8000)/docs"
	@echo "Dashboard  http://$$($(COMPOSE) port streamlit-dashboard 8501)"
	@echo "MLflow     http://$$($(COMPOSE) port mlflow-server 5000)"
	@echo "Prometheus http://$$($(COMPOSE) port prometheus 9090)"
docker-down:  ## stop and remove the containers; `docker compose down --volumes` removes models, labels and decisions, too
	@$(COMPOSE) down

##@ On a cluster
docker-build: setup  ## build the four images
	@$(VENV)/python scripts/kind.py build
kind-up: setup  ## from nothing to a served model in a kind cluster of its own
	@$(VENV)/python scripts/kind.py up
kind-cluster: setup  ## only the cluster
	@$(VENV)/python scripts/kind.py cluster
kind-deploy: setup  ## install the manifests, apply the sample, wait until it is Ready
	@$(VENV)/python scripts/kind.py deploy
kind-reload: setup  ## build and load the images again, start the Pods anew
	@$(VENV)/python scripts/kind.py reload
kind-demo: setup  ## a wave of new spam on the cluster; see it healed
	@$(VENV)/python scripts/kind_demo.py
kind-down: setup  ## delete the cluster
	@$(VENV)/python scripts/kind.py down
e2e: setup  ## the stories on the kind cluster, those of CI
	$(VENV)/pytest -p no:randomly -v -m "cluster and not full and not chart" tests/e2e
e2e-full: setup  ## all stories, kills and faults; the cluster must have two nodes
	$(VENV)/pytest -p no:randomly -v -m "cluster and not chart" tests/e2e
e2e-chart: setup  ## the stories of the Helm chart, on a cluster that has no operator yet
	$(VENV)/pytest -p no:randomly -v -m chart tests/e2e

##@ Check
test: setup  ## all tests
	@$(VENV)/python -m autoretrain test
readme: setup  ## each way to install of the README, in a clean clone; takes its ports and makes a kind cluster
	$(VENV)/pytest -p no:randomly -v -m readme tests/readme
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
release-check: setup  ## one version everywhere; TAG=v1.2.3: that one, with its heading in the changelog
	@$(VENV)/python scripts/release_check.py --tag "$(TAG)"
license-check: setup  ## no image carries a licence that we can't ship
	@$(VENV)/python scripts/license_check.py
audit: setup  ## known vulnerabilities of what the locks name
	$(VENV)/uv tool run pip-audit==2.10.1 --disable-pip --require-hashes --requirement requirements/dev.txt
docs: setup  ## build the site of docs/ into site/; it loads nothing from elsewhere
	@NO_MKDOCS_2_WARNING=1 $(VENV)/python -m mkdocs build --quiet
	@echo "site/index.html, or: $(VENV)/python -m mkdocs serve"
film: setup  ## run the demo, film it, take the pictures of docs/ anew; needs Chromium, ffmpeg and curl, takes 15 minutes
	@$(VENV)/python -m scripts.film $(PARTS)
bench: setup  ## every benchmark, one after another
	@$(VENV)/python -m benchmarks
