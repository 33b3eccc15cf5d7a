# Two commands are all a newcomer needs: `make demo`, `make test`. Both set everything up by themselves.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

export DBT_SEND_ANONYMOUS_USAGE_STATS = false
export DO_NOT_TRACK = 1
# Where this is set, every process would compile all of our modules anew, and pytest rewrite every test.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help setup demo test test-nightly test-fast check witness format sync dev serve lock clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## virtual environment with the locked packages

# uv itself comes from the same hashed lock; it installs ten times faster than pip and compiles the
# bytecode once (without that every process would compile what it imports: 13 s instead of 5 for suites).
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tieout needs Python 3.11 or newer (set PYTHON=...)"; exit 1; }
	@echo "setting up .venv (once; a minute or two on a cold cache)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@awk '/^uv==/ {on=1} on {print} on && !/\\$$/ {exit}' requirements.txt > .venv/uv.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r .venv/uv.txt
	@VIRTUAL_ENV=.venv UV_COMPILE_BYTECODE=1 $(BIN)/uv pip install -q --require-hashes -r requirements.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## run everything on the sample company
	@$(BIN)/tieout demo

serve: $(READY)  ## open the SQL door (psql, BI tools)
	@$(BIN)/tieout serve

test: $(READY) check  ## everything that must hold before a change lands
	@$(BIN)/python -m pytest -n 2 -m "not nightly"

test-nightly: $(READY)  ## what takes minutes and rarely breaks: a rollout system by system
	@$(BIN)/python -m pytest -m nightly

test-fast: $(READY)  ## unit and contract tests without servers: what to run while writing
	@$(BIN)/python -m pytest -n 2 -m "not slow and not nightly" tests/unit tests/contract

check: $(READY)  ## format, lint, types, import rules, generated files
	@$(BIN)/ruff format --check --quiet . || { echo "repeat with: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/sqlfmt --check --quiet dbt_project examples || { echo "repeat with: make format"; exit 1; }
	@$(BIN)/ty check --quiet
	@$(BIN)/lint-imports > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@$(BIN)/tieout sync --check
	@echo "format, lint, types, import rules and generated files hold"

witness: $(READY)  ## the vendors' own SDKs talk to the emulators (installs them beside .venv, from the registry)
	@test -x .witness/bin/python || $(BIN)/python -m venv .witness
	@VIRTUAL_ENV=.witness $(BIN)/uv pip install -q -r tests/witness.txt
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$(.witness/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/product.pth"
	@.witness/bin/python -m pytest -q -p no:cacheprovider -k "sdk or independent_client" tests/unit/test_emulator_kingdee_sdk.py tests/unit/test_emulator_feishu_sdk.py tests/unit/test_emulator_sap.py tests/unit/test_emulator_salesforce.py

format: $(READY)  ## lay out Python and SQL
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .
	@$(BIN)/sqlfmt --quiet dbt_project examples

sync: $(READY)  ## write what is generated from contracts, metrics and identities
	@$(BIN)/tieout sync

dev: $(READY)  ## Dagster's pages at http://127.0.0.1:3000, with the sample company's systems running
	@$(BIN)/tieout dev

lock: $(READY)  ## resolve requirements.in into requirements.txt, with hashes
	@$(BIN)/uv pip compile -q --generate-hashes --no-header --universal --python-version 3.11 requirements.in -o requirements.txt

clean:  ## delete what can be made again (not the virtual environment)
	@rm -rf var dbt_project/target dbt_project/logs
