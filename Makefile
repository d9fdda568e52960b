# `make` alone lists the targets. Needs GNU make and a Python >= 3.11; everything else is installed into .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
PORT ?= 8000
# Each candidate is started once: the shim of a version manager may exist for a version that is not installed.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	"$$p" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { command -v "$$p"; break; }; done)

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
LOCKS := $(addprefix requirements/,dev.txt docs.txt embedded.txt http.txt ws.txt)
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ── environment ─────────────────────────────────────────────────────────────────────────────────────────────
# lock(name): create .venv if needed, then install the packages of a lock file, with verified hashes.
define lock
	@test -n "$(PYTHON)" || { echo "error: no Python >= 3.11 with ensurepip found; install one (Debian: apt-get install" \
		"python3 python3-venv) or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "error: PYTHON=$(PYTHON) is not a working Python >= 3.11" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || { echo "creating $(VENV) with $(PYTHON)"; "$(PYTHON)" -m venv --clear $(VENV); }
	@set -o pipefail; lock=requirements/$(1).txt; total=$$(grep -c '^[a-z0-9].*==' $$lock); \
		echo "installing the $$total packages of $$lock into $(VENV); the first time this takes minutes"; \
		$(subst --quiet ,,$(PIP)) install --progress-bar off --no-deps --require-hashes -r $$lock \
		| awk -v total=$$total -v terminal=$$(test -t 1 && echo 1) -f tools/progress.awk
	@touch $@
endef

# install(name of the lock): install the packages of a lock file, the project, and the Python client, which `manage.py
# drive` uses. No image has the client.
define install
	$(call lock,$(1))
	@echo "installing the project itself, editable: changes of its sources need no new installation"
	@$(PIP) install --no-deps --no-build-isolation --editable . --editable clients/python
	@$(PIP) check
endef

.PHONY: setup
setup: $(VENV)/.dev ## create .venv with everything needed to develop and test
	@echo "$(VENV) is ready: make run serves the demo, make test runs the tests, make alone lists all targets"

$(VENV)/.dev: requirements/dev.txt pyproject.toml clients/python/pyproject.toml
	$(call install,dev)
	@touch $(VENV)/.embedded $(VENV)/.docs

$(VENV)/.embedded: requirements/embedded.txt pyproject.toml clients/python/pyproject.toml
	$(call install,embedded)

# A separate lock file, with the same versions as the others, so that it can be installed into the same environment.
$(VENV)/.docs: requirements/docs.txt
	$(call lock,docs)

.PHONY: lock
lock: $(VENV)/.dev ## compile the lock files from requirements/*.in (UPGRADE=1 takes the newest releases)
	cd requirements && ../$(UV_COMPILE) $(if $(UPGRADE),--upgrade) dev.in --output-file dev.txt
	cd clients/python && ../../$(UV_COMPILE) $(if $(UPGRADE),--upgrade) --constraint ../../requirements/dev.txt pyproject.toml requirements-dev.in --output-file requirements-dev.txt
	cd requirements && for lock in audit bench docs embedded http otlp-grpc ws; do ../$(UV_COMPILE) --constraint dev.txt $$lock.in --output-file $$lock.txt; done

.PHONY: clean
clean: ## remove .venv and everything generated
	rm -rf $(VENV) operator/.venv .cache build dist htmlcov .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# ── run ─────────────────────────────────────────────────────────────────────────────────────────────────────
.PHONY: run
run: $(VENV)/.embedded ## serve HTTP and WebSocket on 127.0.0.1:8000 with demo data (PORT=8001 for another port)
	@DEBUG=$${DEBUG:-1} exec $(BIN)/python manage.py serve --port $(PORT)

.PHONY: dev
dev: $(VENV)/.embedded ## like run, but restart when a source file changes, with the same data
	@DEBUG=$${DEBUG:-1} exec $(BIN)/python manage.py serve --port $(PORT) --reload

PROMETHEUS_PORT ?= 9090

.PHONY: observe
observe: $(VENV)/.dev ## watch the demo (started if need be) with Prometheus and all alerts, on http://127.0.0.1:9090
	@exec $(BIN)/python -m observability.observe --port $(PORT) --prometheus-port $(PROMETHEUS_PORT)

# ── test ────────────────────────────────────────────────────────────────────────────────────────────────────
PYTEST := $(BIN)/python -m pytest
# Parallel test processes; each starts its own servers. Tests wait for conditions during half of their time.
JOBS ?= 3
# The tests on a cluster have other targets: make e2e-smoke, e2e, e2e-full.
TESTS := tests --ignore=tests/e2e

# tested(options for pytest): run the Python tests, and at the same time those of the operator and of the clients, whose
# output follows at the end.
define tested
	@$(BIN)/python -m tests.support.tools
	@mkdir -p .cache
	@$(MAKE) --no-print-directory --keep-going ARGS= test-operator test-js test-python-client >.cache/test-others.log 2>&1 & others=$$!; \
	trap 'kill $$others 2>/dev/null' INT TERM; \
	echo "the tests of the operator and of the clients run beside these; their output is in .cache/test-others.log"; \
	status=0; $(PYTEST) $(TESTS) --numprocesses $(JOBS) $(1) $(ARGS) || status=$$?; \
	wait $$others || status=1; cat .cache/test-others.log; exit $$status
endef

.PHONY: test
test: export VARIANTS := 0
test: $(VENV)/.dev operator/.venv/.dev ## run the tests for a contribution: all but the slow ones, on real servers
	$(call tested,-m "not slow and not variant")

.PHONY: test-all
test-all: $(VENV)/.dev operator/.venv/.dev ## run every test: soaks, long faults, live alerts, every variant (VARIANTS=0: without those that repeat a test)
	$(call tested,$(if $(filter 0,$(VARIANTS)),-m "not variant"))

.PHONY: coverage
coverage: $(VENV)/.dev ## the same with line and branch coverage; takes a third more processor time
	@rm -f .coverage .coverage.*
	@status=0; $(MAKE) --no-print-directory test-all PYTEST="$(BIN)/coverage run -m pytest" || status=$$?; \
		$(BIN)/coverage combine --quiet && $(BIN)/coverage report; exit $$status

.PHONY: test-unit
test-unit: $(VENV)/.dev ## run the tests that need no other process
	$(PYTEST) tests/unit tests/services --numprocesses 2 $(ARGS)

.PHONY: test-integration
test-integration: $(VENV)/.dev ## run the tests against real servers
	$(PYTEST) tests/integration $(ARGS)

.PHONY: test-operator
test-operator: operator/.venv/.dev ## run the operator's tests (those on a cluster need KUBECONFIG)
	cd operator && .venv/bin/python -m pytest -c pyproject.toml -q $(ARGS)

.PHONY: simulate
simulate: operator/.venv/.dev ## compare the operator with HPA and KEDA on a trace (ARGS="--generate flash-crowd --out crowd.svg")
	@PYTHONPATH=operator operator/.venv/bin/python -m tools.simulate $(ARGS)

# The operator has a lock and an environment of its own: its image has no Django, and the others no kopf.
operator/.venv/.dev: operator/requirements-dev.txt
	@$(BIN)/python -c '' 2>/dev/null || $(MAKE) --no-print-directory setup
	@$(BIN)/python -m venv --clear operator/.venv
	@operator/.venv/bin/python -m pip --quiet --disable-pip-version-check install --no-deps --require-hashes -r $<
	@touch $@

# npm writes this file last.
JS_PACKAGES := clients/js/node_modules/.package-lock.json
$(JS_PACKAGES): clients/js/package-lock.json clients/js/package.json
	@cd clients/js && npm ci --silent --no-audit --no-fund
	@touch $@

.PHONY: test-js
test-js: $(JS_PACKAGES) ## run the JavaScript client's checks and tests (needs Node.js >= 20)
	@cd clients/js && npm run --silent check && npm run --silent size && npm test

.PHONY: test-python-client
test-python-client: clients/python/.venv/.dev ## run the Python client's checks and tests
	@cd clients/python && .venv/bin/ruff check -q . && .venv/bin/ruff format -q --check . && .venv/bin/mypy && .venv/bin/python -m pytest -q $(ARGS)

clients/python/.venv/.dev: clients/python/requirements-dev.txt
	@$(BIN)/python -c '' 2>/dev/null || $(MAKE) --no-print-directory setup
	@$(BIN)/python -m venv --clear clients/python/.venv
	@clients/python/.venv/bin/python -m pip --quiet --disable-pip-version-check install --no-deps --require-hashes -r $<
	@touch $@

NODES ?= 20 22 24
.PHONY: test-dart
test-dart: ## run the Dart client's checks and tests (needs a Dart SDK >= 3.4)
	@command -v dart > /dev/null || { echo "error: no dart on the PATH: install the Dart SDK (https://dart.dev/get-dart)" >&2; exit 1; }
	cd clients/dart && dart pub get && dart analyze --fatal-infos && dart test

.PHONY: test-js-nodes
test-js-nodes: $(JS_PACKAGES) ## run the JavaScript client's tests on each Node.js of NODES (npm package `node`)
	@cd clients/js && for node in $(NODES); do \
		npx --yes --package=node@$$node -- sh -c 'node --version && node --test --test-reporter=dot test/*.test.js' || exit; done

.PHONY: test-js-faults
test-js-faults: $(VENV)/.dev ## run the JavaScript client 200 times (RUNS, SEED) through a faulty proxy against a real server
	RUNS=$(or $(RUNS),200) SEED=$(or $(SEED),1) $(PYTEST) tests/integration/test_js_client.py $(ARGS)

.PHONY: test-python-faults
test-python-faults: $(VENV)/.dev ## run the Python client 200 times (RUNS, SEED) through a faulty proxy against a real server
	RUNS=$(or $(RUNS),200) SEED=$(or $(SEED),1) $(PYTEST) tests/integration/test_python_client.py $(ARGS)

.PHONY: test-browser
test-browser: $(VENV)/.dev ## run the tests in headless Chromium; screenshots go to .cache/screenshots (SCREENSHOTS=folder)
	$(PYTEST) tests/browser $(ARGS)

.PHONY: accept-fresh-clone
accept-fresh-clone: $(VENV)/.dev ## clone, `make run`, press the button in Chromium: the marker has to move within 10 s
	@$(BIN)/python -m tests.browser.fresh_clone

.PHONY: accept-react
accept-react: $(VENV)/.dev ## build the guide's React app with Vite and Next.js, and use it in Chromium; bundle the one for React Native (needs npm's registry)
	ACCEPT_REACT=1 $(PYTEST) tests/browser/test_react_guide.py $(ARGS)

.PHONY: js
js: test-js

# ── measure ─────────────────────────────────────────────────────────────────────────────────────────────────
.PHONY: bench
bench: $(VENV)/.bench ## measure this server beside its peers; writes bench/results.md (needs Go, and Node.js for Socket.IO; ARGS=--help)
	$(BIN)/python -m bench $(ARGS)

.PHONY: bench-quick
bench-quick: $(VENV)/.bench ## the same in a few minutes, for development; writes .cache/bench/quick/
	$(BIN)/python -m bench --quick $(ARGS)

.PHONY: map-frames
map-frames: $(VENV)/.dev ## measure the dispatcher's map with 2,000 moving markers in headless Chromium (ARGS=--help)
	@$(BIN)/python -m tests.browser.map_frames $(ARGS)

$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	@$(PIP) install --no-deps --require-hashes -r requirements/bench.txt
	@touch $@

# ── check ───────────────────────────────────────────────────────────────────────────────────────────────────
.PHONY: check
check: $(VENV)/.dev ## formatting, lint, types, layers, and that generated files are up to date
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory check-operator
	@$(MAKE) --no-print-directory drift

.PHONY: audit
audit: $(VENV)/.audit ## report known vulnerabilities of all locked dependencies (needs a network, and npm for JavaScript)
	@$(BIN)/python -m tools.audit

$(VENV)/.audit: requirements/audit.txt $(VENV)/.dev
	@$(PIP) install --no-deps --require-hashes -r requirements/audit.txt
	@touch $@

.PHONY: check-operator
check-operator: operator/.venv/.dev ## lint and types of the operator, in its own environment
	cd operator && .venv/bin/ruff format --check . ../tools/simulate && .venv/bin/ruff check . ../tools/simulate && .venv/bin/mypy

.PHONY: drift
drift: drift-documents ## check that migrations match the models, and generated documents the code
	DEBUG=1 $(BIN)/python manage.py makemigrations --check --dry-run

.PHONY: drift-documents
drift-documents: $(VENV)/.dev ## the part of `make drift` that takes seconds: generated documents, and the version
	@$(BIN)/python -m tools.version
	@$(BIN)/python -m observability.render --check
	@$(BIN)/python -m tools.diagrams --check
	@$(call same,docs/configuration.md,tools.configuration)
	@$(call same,docs/metrics.md,tools.metrics)
	@$(call same,docs/asyncapi.json,hunarmitra.protocol.asyncapi)
	@$(call same,clients/js/src/events.d.ts,tools.typescript)

# same(file, module that prints it): compare a generated file with the module's output.
define same
$(BIN)/python -m $(2) | diff -u $(1) - || { echo "error: $(1) is out of date: run make generated" >&2; exit 1; }
endef

.PHONY: docs-configuration
docs-configuration: $(VENV)/.dev ## generate docs/configuration.md from hunarmitra/config/environment.py
	$(BIN)/python -m tools.configuration > docs/configuration.md

.PHONY: docs-metrics
docs-metrics: $(VENV)/.dev ## generate docs/metrics.md from the catalogue of metrics and the operator's
	$(BIN)/python -m tools.metrics > docs/metrics.md

.PHONY: generated
generated: docs-configuration docs-metrics diagrams observability ## generate every document that comes from code, and the JavaScript client's types
	$(BIN)/python -m hunarmitra.protocol.asyncapi > docs/asyncapi.json
	$(BIN)/python -m tools.typescript > clients/js/src/events.d.ts

.PHONY: diagrams
diagrams: $(VENV)/.dev ## draw docs/pictures/*.svg from the *.toml beside them
	$(BIN)/python -m tools.diagrams

.PHONY: observability
observability: $(VENV)/.dev ## generate the rules, inhibitions and dashboards from observability/
	$(BIN)/python -m observability.render

.PHONY: fix
fix: $(VENV)/.dev ## format, and repair what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# ── documentation ───────────────────────────────────────────────────────────────────────────────────────────
# The theme warns of MkDocs 2 at each start; docs/adr/0015-mkdocs-material.md explains the consequences.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

.PHONY: docs
docs: $(VENV)/.docs ## build the documentation site, which needs no server and no network, and print where it is
	@$(MKDOCS) build --strict
	@echo "Open $(CURDIR)/build/site/index.html in a browser."

.PHONY: docs-serve
docs-serve: $(VENV)/.docs ## show the documentation site while writing it, on 127.0.0.1:8100 (DOCS_PORT=8200 for another)
	@$(MKDOCS) serve --strict --dev-addr 127.0.0.1:$(or $(DOCS_PORT),8100)

# ── images and Kubernetes ───────────────────────────────────────────────────────────────────────────────────
# IMAGE_BUILD is called as `$(IMAGE_BUILD) -t NAME -f DOCKERFILE CONTEXT`, which docker, podman and buildah accept. The
# chart uses these names and tags. For podman and buildah this needs IMAGE_PREFIX=docker.io/library/.
IMAGE_BUILD ?= docker build
IMAGE_PREFIX ?=
IMAGE_TAG ?= $(shell sed -n 's/^appVersion: *//p' charts/hunarmitra/Chart.yaml)
KIND_CLUSTER ?= kind
# The image that the three are built from, e.g. python:3.13-slim@sha256:…; empty for the Dockerfiles' tag.
IMAGE_BASE ?=
# Attestations in the image: all its packages, and how it was built. Only buildx makes them, and only with a builder that
# can store them: docs/releasing.md.
IMAGE_ATTESTATIONS ?= $(if $(filter buildx,$(IMAGE_BUILD)),--sbom=true --provenance=mode=max)
IMAGE_OPTIONS = $(IMAGE_ATTESTATIONS) $(if $(IMAGE_BASE),--build-arg BASE=$(IMAGE_BASE))

.PHONY: sbom
sbom: $(VENV)/.dev ## write the software bill of materials of each image to build/sbom (CycloneDX, from the lock files)
	@$(BIN)/python -m tools.sbom build/sbom

.PHONY: images
images: ## build the three images (IMAGE_BUILD="podman build", IMAGE_PREFIX=registry.example.org/, IMAGE_TAG=1.2.3)
	$(IMAGE_BUILD) $(IMAGE_OPTIONS) -t $(IMAGE_PREFIX)hunarmitra-http:$(IMAGE_TAG) -f services/http/Dockerfile .
	$(IMAGE_BUILD) $(IMAGE_OPTIONS) -t $(IMAGE_PREFIX)hunarmitra-ws:$(IMAGE_TAG) -f services/ws/Dockerfile .
	$(IMAGE_BUILD) $(IMAGE_OPTIONS) -t $(IMAGE_PREFIX)hunarmitra-operator:$(IMAGE_TAG) -f operator/Dockerfile operator

.PHONY: images-kind
images-kind: images ## build the images and load them into kind (KIND_CLUSTER=kind)
	kind load docker-image --name $(KIND_CLUSTER) $(foreach name,http ws operator,$(IMAGE_PREFIX)hunarmitra-$(name):$(IMAGE_TAG))

.PHONY: chart manifests
chart manifests: $(VENV)/.dev ## write the chart's README, schema and copies, and k8s/ (needs helm), from their sources
	$(BIN)/python charts/generate.py

.PHONY: chart-test
chart-test: $(VENV)/.dev ## test the chart, the manifests and the Dockerfiles (with helm, kubeconform and kubectl if there)
	$(PYTEST) tests/chart $(ARGS)

# A program that creates a cluster if KUBECONFIG is not set; see tests/e2e/run.sh. One test process uses the cluster, the
# other runs the chart's tests.
E2E_CLUSTER ?= $(wildcard ../shared/cluster/cluster)
E2E := PYTHON="$(BIN)/python" E2E_CLUSTER="$(abspath $(E2E_CLUSTER))" tests/e2e/run.sh --numprocesses 2

.PHONY: e2e-smoke
e2e-smoke: $(VENV)/.dev ## install on a cluster: chart tests, the contract through the ingress, one rolling restart
	HM_NODES=1 E2E_WITHOUT_OPERATOR=1 $(E2E) tests/chart tests/e2e/test_smoke.py $(ARGS)

.PHONY: e2e
e2e: $(VENV)/.dev ## e2e-smoke, and rollouts, lost pods, network policies, upgrade, rollback and uninstall
	$(E2E) tests/chart tests/e2e -m "not slow" $(ARGS)

.PHONY: e2e-full
e2e-full: $(VENV)/.dev operator/.venv/.dev ## e2e, and the longer faults, the operator under load, and the operator's tests on the cluster
	E2E_FULL=1 $(E2E) tests/chart tests/e2e $(ARGS)
