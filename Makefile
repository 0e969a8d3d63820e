# Named tasks; `make` alone lists them. Everything a task needs is installed by it.
.DEFAULT_GOAL := help
SHELL := /bin/sh

BIN := .venv/bin
FOLDERS := crds cli operator pulumi services lab tests

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: bootstrap ## the platform on this machine, filled, and a race of 100 buyers for 16 seats with its verdict
	$(BIN)/ticketly up
	$(BIN)/ticketly seed
	$(BIN)/ticketly race --buyers 100 --seats 16
	@echo "The platform goes on running: ticketly status, ticketly down (in $(BIN))."

.PHONY: test
test: bootstrap-all ## every check and every test
# compiled meanwhile, at low priority; what goes wrong there is told when the tests ask for it again
	@{ $(BIN)/python -m ticketly_lab build; $(BIN)/python -m ticketly_lab tools helm pulumi; } >/dev/null 2>&1 &
	$(MAKE) lint
	$(BIN)/pytest -m "not kubernetes and not engine"
	$(BIN)/pytest -m "kubernetes or engine"

.PHONY: cluster-demo
cluster-demo: bootstrap ## a platform on a Kubernetes control plane, applied and waited for (KEEP=1 leaves it running)
	$(BIN)/python -m ticketly_lab demo $(if $(KEEP),--keep)

.PHONY: lint
lint: bootstrap-all ## style, types, import rules, lock file
	$(BIN)/ruff check $(FOLDERS)
	$(BIN)/ruff format --check $(FOLDERS)
	$(BIN)/mypy
	$(BIN)/lint-imports
	UV_PYTHON_DOWNLOADS=never $(BIN)/uv lock --check

.PHONY: up
up: bootstrap ## start the platform
	$(BIN)/ticketly up

.PHONY: down
down: bootstrap ## stop the platform
	$(BIN)/ticketly down

.PHONY: fmt
fmt: bootstrap-all ## rewrite the code in the agreed style
	$(BIN)/ruff check --fix $(FOLDERS)
	$(BIN)/ruff format $(FOLDERS)

.PHONY: clean
clean: ## delete the environment and every tool's cache in this folder (no data, no downloads)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(FOLDERS) -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: bootstrap
bootstrap: ## install what uv.lock says
	@scripts/bootstrap

.PHONY: bootstrap-all
bootstrap-all:
	@scripts/bootstrap --all-packages
