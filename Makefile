# Every target does its own set-up: Python 3.12 or later and make are all that has to be there before.
# PYTHON=/path/to/python chooses the interpreter; otherwise scripts/bootstrap.sh finds one.

HOST ?= 127.0.0.1
PORT ?= 8000
NAME ?= documents
ARGS ?=

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
bin := .venv/bin
checked := src tests scripts examples $(wildcard benchmarks)
typed := src tests scripts examples/shop/shop examples/documents/documents examples/mcp_server/notes $(wildcard benchmarks)

ifdef PYTHON
export PYTHON
endif

.DEFAULT_GOAL := help
.PHONY: help serve example example-test test test-amqp test-nginx faults lint format types arch bar bench bench-peers e2e docs lock clean serve-env dev-env chromium

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: serve-env ## run the server on http://localhost:8000 (HOST=, PORT=)
	@exec $(bin)/portico serve --host "$(HOST)" --port "$(PORT)" $(ARGS)

example: dev-env ## run an example on http://localhost:8000 (NAME=documents, mcp_server or shop)
	@cd examples/$(NAME) && exec ../../$(bin)/portico serve --host "$(HOST)" --port "$(PORT)" $(ARGS)

example-test: dev-env ## run the tests of an example, on SQLite and PostgreSQL
	@cd examples/$(NAME) && exec ../../$(bin)/python -m pytest $(ARGS)

test: dev-env ## run the whole suite on SQLite and PostgreSQL, in parallel (ARGS="-k word")
	@exec $(bin)/python -m pytest -n auto --dist worksteal $(ARGS)

test-amqp: dev-env ## run what needs a RabbitMQ, which it brings along (apt, without root or installing)
	@exec $(bin)/python -m pytest -m "amqp and not slow" $(ARGS)

test-nginx: dev-env ## restart two nodes behind a real nginx, twenty rounds under load
	@exec $(bin)/python -m pytest tests/deploy -m "slow or not slow" $(ARGS)

faults: dev-env ## kill it 10,000 times on each database, and look what is left (ARGS="--points 500")
	@$(bin)/python -m tests.faults $(ARGS)
	@$(bin)/python -m tests.faults.storm
	@PORTICO_TEST_TENANT_REQUESTS=100000 $(bin)/python -m pytest tests/tenants -n auto -q

lint: dev-env ## check style and formatting
	@$(bin)/ruff check $(checked)
	@$(bin)/ruff format --check $(checked)

format: dev-env ## format, and mend what can be mended by itself
	@$(bin)/ruff check --fix-only --quiet $(checked)
	@$(bin)/ruff format $(checked)

types: dev-env ## check the types
	@$(bin)/mypy $(typed)

arch: dev-env ## check who may import whom
	@$(bin)/python scripts/arch.py
	@$(bin)/lint-imports

bar: dev-env ## print which promises have a test, and which have none
	@$(bin)/python -m tests.bar $(ARGS)

bench: dev-env ## measure
	@$(bin)/python -m benchmarks $(ARGS)

bench-peers: dev-env ## measure other authorization servers beside ours (needs npm)
	@$(bin)/python -m benchmarks.peers $(ARGS)

e2e: dev-env chromium ## walk through the pages in a real browser
	@exec $(bin)/python -m pytest tests/e2e -m e2e $(ARGS)

docs: dev-env ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(bin)/mkdocs build --strict --quiet

lock: ## resolve the locked requirements again (UPGRADE=1 takes newer releases)
	@scripts/lock.sh

clean: ## remove the environment and all that was built
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* dist build site

serve-env:
	@scripts/bootstrap.sh serve

dev-env:
	@scripts/bootstrap.sh dev

chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || scripts/install-chromium.sh
