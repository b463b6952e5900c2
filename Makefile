# `make help` lists the targets.
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help install demo serve lint format test bench screenshots clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

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

lint: install ## ruff, mypy --strict, import-linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## put the code in the house's form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: lint ## the whole suite
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

clean: ## remove the environment
	rm -rf $(VENV)
