# `make help` lists the targets.
VENV := .venv
BIN := $(VENV)/bin
ON_BOTH := $(addprefix tests/,attacks/test_at_once.py attacks/test_two_writers.py attacks/test_zero_bytes.py attacks/test_sequences.py \
  attacks/test_stale_moments.py backup/test_idle.py cli/test_db.py platform test_migrations.py entries reviews appeals identity)
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

.PHONY: help install demo serve lint format test test-postgresql test-all bench screenshots openapi check-bare-root audit audit-code audit-packages sbom clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

install: $(VENV)/.installed ## make .venv with the locked packages and wardlist itself

$(VENV)/.installed: requirements.lock pyproject.toml
	python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

demo: install ## the main job end to end; KEEP=1 leaves it running
	@KEEP=$(KEEP) $(BIN)/python deploy/demo/run.py

serve: install ## run the service on WARDLIST_HOME (default ./var)
	$(BIN)/wardlist init
	$(BIN)/wardlist serve

bench: install ## measure; writes bench/results.md (ONLY="polling nginx" for some sections)
	$(BIN)/python -m bench.run $(ONLY)

screenshots: install ## every page at 360 and 1440 px, as docs/screenshots/*.png
	$(BIN)/python -m tests.web.screenshots

openapi: install ## the API as docs/openapi.json
	$(BIN)/python -m tests.openapi_file

lint: install ## ruff, mypy --strict, import-linter, bandit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r app deploy

format: install ## put the code in the house's form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: lint ## most of the suite on SQLite, then a draw of it on PostgreSQL, in 12 minutes (docs/testing.md)
	WARDLIST_TEST_PART=quick WARDLIST_TEST_EVERY=20 $(PYTEST)
	WARDLIST_TEST_PART=database WARDLIST_TEST_EVERY=16 WARDLIST_TEST_DATABASE=postgresql $(PYTEST) $(ON_BOTH)

test-postgresql: install ## the whole suite on PostgreSQL
	WARDLIST_TEST_DATABASE=postgresql $(PYTEST)

test-all: lint ## the whole suite on both databases: over an hour
	$(PYTEST)
	WARDLIST_TEST_DATABASE=postgresql $(PYTEST)

check-bare-root: install ## the README's commands for a server in a new Debian 12 (as root, with debootstrap and systemd-nspawn)
	$(BIN)/python -m tests.deploy.operator_section

# pip-audit asks PyPI's advisories; AUDIT_FLAGS="-s osv" asks OSV's. Without an answer for each package it fails. Where neither is
# reached, ADVISORIES=deploy/advisories.jsonl answers from that file, and says as of when; OSV's all.zip for PyPI does too.
audit: audit-code audit-packages ## known weaknesses in code and locked packages (exceptions: deploy/audit-exceptions.txt)

audit-code: install
	$(BIN)/bandit -q -c pyproject.toml -r app deploy

audit-packages: install ## the packages alone; ADVISORIES=deploy/advisories.jsonl without the network
	$(if $(ADVISORIES),$(BIN)/python deploy/advisories.py $(ADVISORIES) --) $(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements.lock $(AUDIT_FLAGS) \
	  $$(sed -n 's/^\([A-Z][A-Za-z0-9-]*\) .*/--ignore-vuln \1/p' deploy/audit-exceptions.txt)

sbom: install ## what wardlist is made of, as CycloneDX 1.6 in build/sbom.json
	mkdir -p build
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --validate --of JSON \
	  -o build/sbom.json requirements.lock

clean: ## remove the environment
	rm -rf $(VENV)
