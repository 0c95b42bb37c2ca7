# Two commands do everything on a machine with Python 3.11 and make: `make demo`, `make test`.
# Each target sets up what it needs, and nothing twice.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
PEERS  := .venv-bench
OLD    := .venv-duckdb1.2
PYMC   := .venv-bench-pymc
PYTHON312 ?= 3.12
SETUP  := $(VENV)/.installed
export AIRFLOW_HOME ?= $(CURDIR)/.airflow

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-long test-old-client lint format bench bench-ingest bench-clv bench-recommend bench-rfm bench-uplift bench-linkage bench-quality bench-night airflow lock wheel clean

# Faults, integrity and security.
.PHONY: test-faults fuzz scorecard audit coverage mutation bench-erase
AUDIT  := .venv-audit
COVER  := .venv-coverage

help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(SETUP) ## make .venv from the lock

# The interpreter may be called python3 or python only; ask each whether it is new enough.
$(VENV)/bin/python:
	@for p in $(PYTHON) python3 python; do \
	  if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    exec $$p -m venv $(VENV); fi; done; \
	echo "Python 3.11 or newer is needed (make PYTHON=/path/to/python3.11)"; exit 1

$(SETUP): requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: $(SETUP)   ## generate a store, run its nights, say where everything lies
	$(BIN)/cdp demo

test: $(SETUP) $(OLD)/.installed ## all tests but the slow ones
	$(BIN)/pytest --numprocesses auto --dist loadfile -m "not slow"

test-slow: $(SETUP) ## integration, crash and quality suites
	$(BIN)/pytest --numprocesses auto --dist loadfile -m "slow and not long"

test-long: $(SETUP) ## what tries more of the same, for a machine that is idle at night
	$(BIN)/pytest --numprocesses auto --dist loadfile -m long

test-faults: $(SETUP) ## nights killed, starved and doubled; FAULT_ROUNDS=20 for hundreds of kills, FAULT_SEED=2 for others
	$(BIN)/pytest --numprocesses auto --dist loadfile tests/faults

MINUTES ?= 30
fuzz: $(SETUP)   ## mangled files, settings and declarations; MINUTES=30, FUZZ_SEED=2 for others
	FUZZ_SECONDS=$$(($(MINUTES) * 20)) $(BIN)/pytest tests/hostile/test_fuzzing.py

scorecard: $(SETUP) ## the promises of trust, each with its figure; OPTIONS=--all
	$(BIN)/python -m tests.scorecard $(OPTIONS)

$(COVER)/.installed: requirements/coverage.txt | $(SETUP)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target $(COVER) --require-hashes -r requirements/coverage.txt
	@touch $@

# Of the unit tests alone, in one process: what only whole nights run is not counted.
COVERED ?= tests/unit tests/declarations tests/sql
COVERAGE = PYTHONPATH=$(COVER) $(BIN)/python -m coverage
coverage: $(COVER)/.installed ## branch coverage of the unit tests, core 100 %; COVERED=tests for all tests
	$(COVERAGE) run -m pytest -p no:xdist -m "not slow" $(COVERED)
	$(COVERAGE) report --skip-covered --include="cdp_pipeline/core/*" --fail-under=100
	$(COVERAGE) report --skip-covered

mutation: $(SETUP) ## small mistakes put into critical modules: how many their tests find; MODULES="lock consent"
	$(BIN)/python -m tests.mutation $(MODULES)

$(AUDIT)/.installed: requirements/audit.txt | $(SETUP)
	$(BIN)/python -m venv --without-pip $(AUDIT)
	$(BIN)/uv pip install --quiet --python $(AUDIT)/bin/python --require-hashes -r requirements/audit.txt
	@touch $@

# Copyleft of libraries is named where it stands: text-unidecode also under the Artistic License,
# asyncssh also under EPL; paramiko (LGPL) and both are optional or for tests.
audit: $(AUDIT)/.installed ## security lint, licences, bill of materials (dist/sbom.cdx.json)
	$(BIN)/ruff check --select S .
	$(AUDIT)/bin/pip-licenses --python=$(BIN)/python --from=mixed --partial-match \
	  --fail-on="AGPL;Affero;SSPL;BUSL;Commercial;Proprietary" --format=markdown --order=license
	mkdir -p dist
	$(AUDIT)/bin/cyclonedx-py environment --of JSON --output-reproducible -o dist/sbom.cdx.json $(BIN)/python

$(OLD)/.installed: requirements/old-client.txt | $(SETUP)
	$(BIN)/python -m venv --without-pip $(OLD)
	$(BIN)/uv pip install --quiet --python $(OLD)/bin/python --require-hashes -r requirements/old-client.txt
	@touch $@

test-old-client: $(OLD)/.installed ## the published file in DuckDB 1.2
	$(BIN)/pytest tests/integration/test_old_client.py

lint: $(SETUP)   ## style, types, layers, SQL, declarations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 2 sql
	$(BIN)/cdp check

format: $(SETUP) ## format Python and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(SETUP)  ## side-by-side measurements against named peers
	$(BIN)/python -m benchmarks

$(PEERS)/.installed: requirements/bench.txt pyproject.toml | $(SETUP)
	$(BIN)/python -m venv --without-pip $(PEERS)
	$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python --require-hashes -r requirements/bench.txt
	@touch $@

bench-linkage: $(PEERS)/.installed ## linkage beside Splink, recordlinkage and custmatch; OPTIONS=--quick
	$(PEERS)/bin/python -m benchmarks linkage $(OPTIONS)

bench-ingest: $(PEERS)/.installed ## landing a 1 GB file beside bare copies; OPTIONS=--quick
	$(PEERS)/bin/python -m benchmarks ingest $(OPTIONS)

bench-quality: $(SETUP) ## the gate on ten million rows beside pandas; OPTIONS=--quick
	$(BIN)/python -m benchmarks quality $(OPTIONS)

bench-erase: $(SETUP) ## a thousand people erased from five million sales; OPTIONS=--quick
	$(BIN)/python -m benchmarks erase $(OPTIONS)

bench-night: $(SETUP) ## an initial load and nights beside the bare copy; OPTIONS=--quick
	$(BIN)/python -m benchmarks night $(OPTIONS)

# pymc-marketing runs on Python 3.12 and newer only; uv finds or fetches one, or PYTHON312 names it.
$(PYMC)/.installed: requirements/bench-pymc.txt | $(SETUP)
	$(BIN)/uv venv --quiet --clear --python $(PYTHON312) $(PYMC)
	$(BIN)/uv pip install --quiet --python $(PYMC)/bin/python --require-hashes -r requirements/bench-pymc.txt
	@touch $@

bench-clv: $(PEERS)/.installed $(PYMC)/.installed ## customer value beside lifetimes and pymc-marketing; OPTIONS=--full
	$(PEERS)/bin/python -m benchmarks clv $(OPTIONS)

bench-recommend: $(PEERS)/.installed ## recommendations beside implicit, scikit-learn and mlxtend; OPTIONS="--uci FOLDER"
	$(PEERS)/bin/python -m benchmarks recommend $(OPTIONS)

bench-uplift: $(PEERS)/.installed ## what holdouts show where nothing was done; OPTIONS="--draws 400"
	$(PEERS)/bin/python -m benchmarks uplift $(OPTIONS)

bench-rfm: $(PEERS)/.installed ## RFM beside pandas, polars and lifetimes; OPTIONS="--lines 20000000"
	$(PEERS)/bin/python -m benchmarks rfm $(OPTIONS)

airflow: $(SETUP) ## Airflow on this machine with the DAGs of this folder (SQLite, for trying)
	$(BIN)/airflow db migrate
	$(BIN)/airflow pools set cdp_warehouse 1 "one writer of the warehouse"
	AIRFLOW__CORE__DAGS_FOLDER=$(CURDIR)/dags AIRFLOW__CORE__LOAD_EXAMPLES=False \
	AIRFLOW__CORE__PARALLELISM=4 AIRFLOW__API__HOST=127.0.0.1 $(BIN)/airflow standalone

lock: $(SETUP)   ## resolve the requirements again, with hashes
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  pyproject.toml -o requirements/base.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  pyproject.toml --extra airflow --extra s3 --extra sftp -o requirements/airflow.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  pyproject.toml --extra airflow --extra s3 --extra sftp --extra dev -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  pyproject.toml --extra bench --constraint requirements/base.txt -o requirements/bench.txt
	echo 'duckdb>=1.2,<1.3' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
	  --no-annotate - -o requirements/old-client.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	  --python-version 3.12 requirements/bench-pymc.in -o requirements/bench-pymc.txt
	printf 'cyclonedx-bom\npip-licenses\n' | $(BIN)/uv pip compile --quiet --universal --generate-hashes \
	  --no-header --no-annotate - -o requirements/audit.txt
	echo 'coverage' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
	  --no-annotate - -o requirements/coverage.txt
	echo 'uv' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
	  --no-annotate - -o requirements/uv.txt

wheel: $(SETUP)  ## build the wheel, with the starter project inside
	$(BIN)/uv build --wheel --quiet --no-build-isolation --python $(BIN)/python

clean:           ## remove what the targets made, demo data included
	rm -rf $(VENV) $(PEERS) $(OLD) $(PYMC) $(AUDIT) $(COVER) .coverage dist .airflow .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
