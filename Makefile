# `make run` and `make test` need nothing but Python 3.13 and make: they set themselves up.

.DEFAULT_GOAL := help
VENV := .venv
PYTHON ?= $(or $(shell command -v python3.13),python3)
# What is said on this command line (PYTHON=…) is for this Makefile alone, not for those that `sam build` runs.
MAKEOVERRIDES :=
SAMPLE := build/sample.csv
# Apart from the lake that `energy run` uses by itself: sample data and your readings do not mix.
LAKE := build/sample-lake
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

include packaging.mk

.PHONY: help setup run test lint check policy spark spark-setup fuzz kills load backlog faults bench bench-second bench-accuracy clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | column -t -s "$$(printf '\t')"

setup: $(VENV)/.ready  ## make the virtual environment

$(VENV)/.ready: requirements/dev.txt requirements/setup.txt pyproject.toml .python-version
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' || { echo "Python 3.13 is needed; $$($(PYTHON) --version) was found. Name it: make PYTHON=python3.13"; exit 1; }
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --require-hashes -r requirements/setup.txt
	@$(VENV)/bin/uv pip install --quiet --require-hashes -r requirements/dev.txt
	@$(VENV)/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(SAMPLE): $(VENV)/.ready
	@mkdir -p $(@D)
	@energy generate --days 30 --seed 42 --output $@

run: $(SAMPLE)  ## the whole pipeline on sample data, on this machine
	@energy run $(SAMPLE) --lake $(LAKE)

# Two cores are what CI has, and a hostile file may take three gigabytes. A file's tests stay together, since they share
# what they set up; in the order of the folders, since the long ones are not to come last.
WORKERS ?= 2
AT_ONCE = --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

test: setup  ## every test, as in CI (WORKERS=2 files at once)
	@python -m pytest tests $(AT_ONCE)

lint: setup policy  ## format, lint, types, scans of template and code
	@ruff format --check .
	@ruff check .
	@mypy
	@sam validate --lint

check: lint  ## the same and fast tests: some minutes
	@python -m pytest tests/unit tests/functions tests/statemachine/test_definition.py tests/infra -m "not build and not slow" -q \
		$(AT_ONCE)

POLICY_VENV := .venv-policy
$(POLICY_VENV)/.ready: $(VENV)/.ready requirements/policy.txt
	@$(PYTHON) -m venv $(POLICY_VENV)
	@uv pip install --quiet --python $(POLICY_VENV)/bin/python --require-hashes -r requirements/policy.txt
	@touch $@

policy: setup $(POLICY_VENV)/.ready  ## scan the template and the code: checkov, cfn-lint with its extras, asl-validator, bandit
	@python -m tests.infra.policy --checkov $(POLICY_VENV)/bin/checkov

SPARK_VENV := .venv-spark
PYTHON311 ?= $(shell command -v python3.11)
$(SPARK_VENV)/.ready: $(VENV)/.ready requirements/spark.txt
	@[ -n "$(PYTHON311)" ] && $(PYTHON311) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Spark runs on Python 3.11, as on AWS Glue 5.1, and none was found. Name one: make spark-setup PYTHON311=…"; exit 1; }
	@echo "Setting up $(SPARK_VENV) …"
	@uv venv --quiet --no-project --clear --python $(PYTHON311) $(SPARK_VENV)
	@uv pip install --quiet --python $(SPARK_VENV)/bin/python --require-hashes -r requirements/spark.txt
	@touch $@

spark-setup: $(SPARK_VENV)/.ready  ## make the environment in which large uploads are crunched on this machine: PySpark, on Python 3.11

spark: setup spark-setup  ## what Spark makes of files against what the functions make of them, and the branch of the state machine
	@python -m pytest tests/spark -q

FUZZ ?= 2000
fuzz: setup  ## judge mutated files (FUZZ=100000 of them, SEED=1); exit 1 on any defect
	@python -m tests.fuzz --files $(FUZZ) --seed $(or $(SEED),1)

KILLS ?= 200
kills: setup  ## kill functions at work (KILLS=200 times, SEED=1) and compare what is published; exit 1 on any difference
	@python -m tests.storm.kills --kills $(KILLS) --seed $(or $(SEED),1)

LOAD ?= 100
load: setup  ## start executions at once (LOAD=100), then each alone; exit 1 on any difference in what they publish
	@python -m tests.load --executions $(LOAD)

FILES ?= 1000
SITES ?= 1
backlog: setup  ## work off FILES=1000 uploads of SITES=1, killed midway again and again; exit 1 on any lost or there twice
	@python -m tests.backlog --files $(FILES) --sites $(SITES) --seed $(or $(SEED),1)

faults: setup  ## fail every task of the state machine in every way; prints the number of cells
	@python -m pytest tests/faults -q

messages: setup  ## collect what the report can say into its catalogues of translations; exit 1 while one is missing
	@python -m translations

bench: setup  ## compare with the peers, or find the limits (BENCH="--rows 1000000 --only DuckDB", BENCH=--limits)
	@$(MAKE) --no-print-directory spark-setup || echo "The others go on without PySpark."
	@python -m benchmarks.bench $(BENCH)

bench-second: setup  ## how much sooner a second upload is added up that touches one month of twelve
	@python benchmarks/second_upload.py $(BENCH)

bench-accuracy: setup  ## how good forecasts are (SERIES=daily.csv of unique_id, ds, y) and anomalies (HOMES=folder of hourly CSVs)
	@python -m benchmarks.accuracy $(if $(SERIES),--series "$(SERIES)") $(if $(HOMES),--homes "$(HOMES)") $(BENCH)

clean:  ## remove what was built (keeps your lake)
	@rm -rf .aws-sam build .pytest_cache .mypy_cache .ruff_cache
