# Two commands do everything, each from nothing: `make quickstart` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
VLLM := .venv-vllm/bin
VLLM_STAMP := .venv-vllm/.installed

.PHONY: setup quickstart test test-vllm lint docs docs-serve notebooks notebooks-check constraints clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the pinned environment into .venv (about two minutes)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

quickstart: $(STAMP)
	@$(BIN)/python -m pipelines.run +exp=quickstart

test: $(STAMP)
	@$(BIN)/python -m pytest --numprocesses 2

# vLLM's CPU build, in an environment of its own: it wants other versions of what we both need.
$(VLLM_STAMP): pyproject.toml constraints-vllm.txt
	@test -x $(VLLM)/python || $(PYTHON) -m venv .venv-vllm
	@echo "Installing vLLM's environment into .venv-vllm (about two minutes)"
	@$(VLLM)/pip install --quiet --disable-pip-version-check --no-deps --requirement constraints-vllm.txt
	@$(VLLM)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

test-vllm: $(VLLM_STAMP)
	@OMP_NUM_THREADS=1 $(VLLM)/python -m pytest tests/vllm

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# The notebooks on a finished run, JUDGE_RUN or outputs/latest: run and rendered into docs/notebooks,
# or only run.
notebooks: $(STAMP)
	@$(BIN)/python notebooks/run.py

notebooks-check: $(STAMP)
	@$(BIN)/python notebooks/run.py --check

# The documentation as a site, in site/; the variable silences a notice of mkdocs-material's makers.
docs: $(STAMP)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

docs-serve: $(STAMP)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

# Freezes what is installed now; run it in an environment that was made without constraints.
constraints:
	@{ echo "# The exact versions that CI and the Makefile install (make constraints writes this file again)."; \
	  $(BIN)/pip list --format=freeze --exclude-editable | sed 's/+cpu//' \
	  | grep -viE '^(pip|setuptools|wheel)=='; } > constraints.txt

clean:
	rm -rf .venv .venv-vllm build site *.egg-info .mypy_cache .ruff_cache .pytest_cache
