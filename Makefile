# One entry for people and for CI: `make demo`, `make test`, `make lint`, `make lab`, `make bench`.
PYTHON ?= python3
BIN := .venv/bin
# In a container one is root, and JupyterLab would refuse; it listens on loopback, to who has its token.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
UV_FLAGS = --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --upgrade

.PHONY: help setup demo test lint format lab bench lock
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## build .venv from the pinned requirements, unless it is built already
	@$(PYTHON) lib/set_up.py

demo: setup ## the main job, end to end, on the local AWS
	@$(BIN)/python -m ecs_runbook.demo

test: setup ## every test
	@$(BIN)/python -m pytest -q -n auto --dist loadfile

lint: setup ## ruff, mypy, notebooks committed bare
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/nbstripout --verify notebooks/*.ipynb

format: setup ## format code and strip notebooks
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/nbstripout notebooks/*.ipynb

lab: setup ## JupyterLab on the notebooks
	@mkdir -p .venv/share/jupyter/lab/settings
	@echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}' \
		> .venv/share/jupyter/lab/settings/overrides.json
	@$(BIN)/jupyter lab $(AS_ROOT) --ServerApp.root_dir=notebooks

bench: setup ## speed, as ratios in one run
	@$(BIN)/python benchmarks/run.py

lock: ## pin the requirements anew (needs uv)
	uv pip compile $(UV_FLAGS) pyproject.toml --extra local --extra dev --output-file requirements/base.lock
	uv pip compile $(UV_FLAGS) --group terraform --output-file requirements/terraform.lock
