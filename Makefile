# Two commands: `make demo` shows the whole program on real data, `make test` proves it. Each sets itself up in ./.venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test
.DEFAULT_GOAL := demo

demo: $(VENV)/.demo
	$(BIN)/python pipelines/segment.py data_samples/hippocampus --workspace workspace --time-budget 4m

# One thread a worker: two workers with as many threads as cores each get in each other's way.
test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto

# torch first and alone: an open range of another package would otherwise pull a build with several GB of CUDA.
$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.test: $(VENV)/.demo
	$(BIN)/pip install --quiet -c constraints.txt -e '.[test]'
	touch $@
