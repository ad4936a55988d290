# Every target builds its environment by itself when that is missing or stale.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help env test lint format schema weights bench demo lock clean

help:
	@echo "make env      build .venv from requirements.lock"
	@echo "make test     lint, types, and the test suite"
	@echo "make lint     ruff and mypy"
	@echo "make format   ruff, writing"
	@echo "make schema   write docs/site.schema.json from the settings"
	@echo "make weights  write weights/SHA256SUMS for the weights files that lie there"
	@echo "make bench    measure (needs the clips it names; see benchmarks/README.md)"
	@echo "make demo     the whole pipeline on the simulated demo site; report in demo-report/"
	@echo "make lock     solve requirements.lock anew from pyproject.toml"

env: $(READY)

$(READY): requirements.lock
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	touch $@

test: lint
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(READY)
	$(BIN)/python -c "from pipeline.config import site_schema; print(site_schema(), end='')" > docs/site.schema.json

weights:
	cd weights && sha256sum $$(LC_ALL=C ls | grep -E '\.(pt|safetensors)$$') > SHA256SUMS

bench: $(READY)
	$(BIN)/python benchmarks/end_to_end.py $(BENCH)

demo: $(READY)
	$(BIN)/python run_pipeline.py demo $(DEMO)

lock: $(READY)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
		--no-header --no-annotate --output-file requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
