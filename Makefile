# `make dev` serves the chat at http://localhost:8000; `make test` checks everything that runs without an account.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first Python that is new enough; name another one with `make PYTHON=python3.13 …`.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
SAM_VENV ?= .venv-sam
SAM := PATH="$(CURDIR)/$(SAM_VENV)/bin:$$PATH" SAM_CLI_TELEMETRY=0 sam

# The page needs Node; the API does not.
NODE := $(shell node -e 'const [major, minor] = process.versions.node.split(".").map(Number); \
	process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null && echo yes)
PAGE := examples/chat/dist/index.html

.PHONY: help
help: ## Say what can be made
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: dev
dev: $(VENV)/.local $(if $(NODE),$(PAGE)) ## Serve the chat on PORT (8000), stored in chat.db unless S2_BASIN or CHAT_LOG is set
	@test -n "$(NODE)" || echo 'The chat page is not built: that needs Node 20.19 or newer. The API runs without it.'
	@exec $(BIN)/python -m functions.local --reload

.PHONY: test
test: lint types unit test-client ## Pass the linter, the type checker and the tests

.PHONY: test-client
test-client: client/dist/index.js $(VENV)/.local ## Check the TypeScript client: its types, and its tests
	cd client && npm run --silent lint && npm run --silent typecheck && PYTHON=$(abspath $(BIN))/python npm test --silent

.PHONY: test-browser
test-browser: $(VENV)/.dev $(PAGE) tests/browser/node_modules/.installed ## Pass the tests in Chromium (CHROMIUM=path to name one)
	node --test --test-concurrency=1 $(BROWSER_TESTS)
BROWSER_TESTS ?= tests/browser

.PHONY: test-clients
CLIENTS := $(patsubst tests/clients/%/package.json,%,$(wildcard tests/clients/*/package.json))
test-clients: $(VENV)/.local client/dist/index.js $(CLIENTS:%=tests/clients/%/node_modules/.installed) ## Pass the tests with published clients, under Node (CLIENT=tanstack for one)
	PYTHON=$(abspath $(BIN))/python node --test --test-concurrency=1 \
		$(foreach client,$(or $(CLIENT),$(CLIENTS)),$(wildcard tests/clients/$(client)/*.test.mjs))

.PHONY: test-s2
test-s2: $(VENV)/.dev $(SAM_VENV)/.installed ## Pass the log's and the protocol's tests on S2 Lite, built if it is not there (needs Rust)
	$(BIN)/python scripts/with_s2_lite.py env CHAT_TEST_ENGINE=s2 $(BIN)/pytest tests/log tests/engine \
		tests/web/test_chat.py tests/test_faults.py tests/test_compatibility.py tests/test_modes.py \
		tests/bundle/test_frozen_connections.py

.PHONY: build
build: $(SAM_VENV)/.installed ## Build the functions and their layer into .aws-sam
	$(SAM) build

.PHONY: test-template
test-template: $(VENV)/.dev $(SAM_VENV)/.installed ## Check the template, build it, and try what was built
	$(BIN)/pytest tests/template

.PHONY: lock
lock: $(SAM_VENV)/.installed ## Lock the newest versions of what the layer holds (lib/requirements.lock)
	$(SAM_VENV)/bin/uv pip compile --quiet --upgrade $(LOCK)

# One lock for every Python, platform and architecture; the hashes name no registry.
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	--extra lambda --no-emit-package lambda-asgi --output-file lib/requirements.lock pyproject.toml

.PHONY: test-lambda
test-lambda: $(VENV)/.dev $(SAM_VENV)/.installed ## Pass the tests of the built functions, as Lambda runs them
	$(BIN)/pytest tests/bundle $(PYTEST)

.PHONY: packages
packages: $(SAM_VENV)/.installed client/dist/index.js ## Build the wheels, source distributions and the npm tarball into dist/
	rm -rf dist
	$(SAM_VENV)/bin/uv build --quiet --out-dir dist .
	$(SAM_VENV)/bin/uv build --quiet --out-dir dist lib/lambda_asgi
	npm pack --silent --pack-destination dist ./client >/dev/null

.PHONY: test-packages
test-packages: $(VENV)/.dev packages ## Install what packages builds into empty projects, and use it there
	$(BIN)/pytest tests/packages $(PYTEST)
	$(if $(wildcard tests/packages/*.test.mjs),node --test tests/packages/*.test.mjs)

.PHONY: simulate
SEEDS ?= 1000
simulate: $(VENV)/.dev ## Try the protocol on SEEDS (1000) simulated histories, on all cores
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

.PHONY: storm
MINUTES ?= 8
storm: $(VENV)/.dev ## Kill, freeze and restart real servers on SQLite and S2 Lite for MINUTES (8), and judge what they did
	$(BIN)/python -m tests.storm --minutes $$(($(MINUTES) / 2)) --engine sqlite
	$(BIN)/python scripts/with_s2_lite.py $(BIN)/python -m tests.storm --minutes $$(($(MINUTES) / 2)) --engine s2

.PHONY: lint
lint: $(VENV)/.dev
	$(BIN)/ruff format --check . scripts/check-deployment
	$(BIN)/ruff check . scripts/check-deployment

.PHONY: types
types: $(VENV)/.dev
	$(BIN)/mypy

.PHONY: unit
unit: $(VENV)/.dev $(SAM_VENV)/.installed tests/node/node_modules/.installed
	$(BIN)/pytest $(or $(PYTEST),--ignore=tests/bundle --ignore=tests/packages)
	$(if $(PYTEST),,cd lib/lambda_asgi && $(abspath $(BIN))/pytest)

.PHONY: bench
bench: $(VENV)/.dev tests/node/node_modules/.installed ## Measure, and print tables
	$(BIN)/python -m benchmarks.fold
	$(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.sqlite_idle

.PHONY: bench-s2
bench-s2: $(VENV)/.dev ## Measure on S2 Lite
	$(BIN)/python scripts/with_s2_lite.py $(BIN)/python -m benchmarks.s2

.PHONY: bench-lambda
bench-lambda: $(VENV)/.dev $(SAM_VENV)/.installed ## Measure cold starts under AWS's emulator
	$(BIN)/python -m benchmarks.cold_start

.PHONY: format
format: $(VENV)/.dev ## Put the code into shape
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: clean
clean: ## Remove what was installed and built, not the chats
	rm -rf $(VENV) $(SAM_VENV) .aws-sam {client,examples/chat}/{node_modules,dist} tests/{node,browser,clients/*}/node_modules \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis

# The page is built anew only when something it is made of has changed.
$(PAGE): examples/chat/node_modules/.installed client/dist/index.js examples/chat/index.html examples/chat/package.json \
		$(wildcard examples/chat/*.ts examples/chat/tsconfig.json) $(shell find examples/chat/src examples/chat/public -type f)
	@scripts/quietly 'Building the chat page' npm run --prefix examples/chat build
	@touch $@

client/dist/index.js: client/node_modules/.installed client/package.json $(wildcard client/tsconfig*.json) $(wildcard client/src/*.ts)
	@scripts/quietly 'Building the client' npm run --prefix client build
	@touch $@

INSTALL := scripts/quietly 'Installing the Python packages' \
	$(BIN)/python -m pip install --disable-pip-version-check --editable lib/lambda_asgi

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed; name it with PYTHON=/path/to/python3.'; exit 1; }
	@scripts/quietly 'Making a virtual environment in $(VENV)' $(PYTHON) -m venv $(VENV)

$(VENV)/.local: pyproject.toml lib/lambda_asgi/pyproject.toml | $(BIN)/python
	@$(INSTALL) --editable '.[local]'
	@touch $@

$(VENV)/.dev: pyproject.toml lib/lambda_asgi/pyproject.toml | $(BIN)/python
	@$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.local

$(SAM_VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed; name it with PYTHON=/path/to/python3.'; exit 1; }
	@test -x $(SAM_VENV)/bin/python || $(PYTHON) -m venv $(SAM_VENV)
	@scripts/quietly 'Installing uv' $(SAM_VENV)/bin/python -m pip install --disable-pip-version-check 'uv>=0.9'
	@scripts/quietly 'Installing the SAM command line' \
		$(SAM_VENV)/bin/uv pip install --python $(SAM_VENV)/bin/python --group sam
	@touch $@

%/node_modules/.installed: %/package-lock.json
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo 'Node 20 or newer is needed.'; exit 1; }
	@scripts/quietly 'Installing the npm packages of $*' npm ci --prefix $*
	@touch $@
