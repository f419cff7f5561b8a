# Everything works with Python 3.11+ (with its venv module) and make; `make e2e` also needs Go.
# The environment is `.venv`, made on the first use and renewed when pyproject.toml changes.

.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
STAMP := .venv/.installed
# pytest-xdist workers: two halve the time on two cores, more gain nothing there.
WORKERS ?= 2
# Hypothesis' profile in `make soak`: new examples each time; `long` takes the same ones again.
PROFILE ?= explore
# Minutes of `make load`.
MINUTES ?= 20
# The peers are installed beside the package in an environment of their own.
BENCH := .venv-bench

.PHONY: help setup check format test soak mutate demo e2e servers load upstream bench wheel interpreters lowest clean

help: ## show this list
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/make \1	\2/p' Makefile

$(STAMP): pyproject.toml integrations/django/pyproject.toml tools/environment.py tools/find-python
	@python=$$(sh tools/find-python) && "$$python" tools/environment.py .venv

$(BENCH)/.installed: pyproject.toml integrations/django/pyproject.toml tools/environment.py tools/find-python
	@python=$$(sh tools/find-python) && "$$python" tools/environment.py $(BENCH) bench

setup: $(STAMP) ## make .venv with the package and what its development needs

check: $(STAMP) ## formatting, lint, types, import contracts, public names, version
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/guard.py

format: $(STAMP) ## apply the formatting and the safe lint fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: $(STAMP) ## every test that needs no other program
	$(BIN)/python -m pytest -n $(WORKERS)

soak: $(STAMP) ## the long form of what make test does briefly: ten million requests, stress with more events and seeds
	$(BIN)/python tools/soak.py
	SOAK=1 HYPOTHESIS_PROFILE=$(PROFILE) $(BIN)/python -m pytest -m soak --timeout=600 -n $(WORKERS)

mutate: $(STAMP) ## mutation testing of units, recorder and evaluation; ONLY=slo_otel/units.py for a part of it
	$(BIN)/python tools/mutate.py $(ONLY)

demo: $(STAMP) ## the payments service under traffic, with a live table; ends within a minute
	@$(BIN)/python examples/payments/demo.py

e2e: $(STAMP) ## the tests against a real OpenTelemetry Collector (needs Go)
	@$(BIN)/python tools/collector.py
	$(BIN)/python -m pytest -m e2e tests/e2e

servers: $(STAMP) ## every server, every exit, on real processes, and the tables of docs/servers.md; needs a C compiler; four minutes
	@$(BIN)/python tools/servers.py $(ONLY)

load: $(STAMP) ## load on servers whose workers are recycled while a real Collector comes and goes; MINUTES=20; needs Go
	@$(BIN)/python tools/collector.py
	@cd tools && ../$(BIN)/python -m load --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

upstream: $(STAMP) ## the frameworks' own test suites, bare and around our middleware, ten minutes; ONLY="django flask"
	@cd tools && ../$(BIN)/python -m upstream $(foreach suite,$(ONLY),--suite $(suite))

bench: $(BENCH)/.installed ## ours and the peers on the same work, about ten minutes; QUICK=1, ONLY="record calls", OUT=x.json
	$(BENCH)/bin/python -m benchmarks run $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(OUT),--out $(OUT))

wheel: $(STAMP) ## build every sdist and wheel, install each in new environments, try them
	$(BIN)/python tools/wheel.py

interpreters: $(STAMP) ## the tests on every other supported interpreter found
	$(BIN)/python tools/interpreters.py

lowest: $(STAMP) ## the tests with the lowest versions that pyproject.toml declares; ONLY=tests/cli for a part of them
	$(BIN)/python tools/lowest.py $(ONLY)

clean: ## remove what the targets made
	rm -rf .venv $(BENCH) .cache build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis
