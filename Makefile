# Everything is set up in .venv/ on a machine that has Python 3.10 or newer, make and g++.
PYTHON ?= python3
BIN := .venv/bin
CPP := $(wildcard $(foreach room,csrc/* csrc/*/*,$(room)/*.h $(room)/*.cpp))
SOURCES := pyproject.toml CMakeLists.txt $(CPP)
# An editable install knows the Python modules by name, so it is made again where their set is another.
MODULES := $(sort $(shell find src -name '*.py'))
INSTALLED := .venv/installed-$(firstword $(shell echo $(MODULES) | cksum))

.PHONY: train test lint format benchmarks docs clean

train: $(INSTALLED)  ## Train a 16,384-wide network on the built-in digits, beside dense PyTorch
	$(BIN)/fewfire train digits --width 16384 --epochs 20 --batch-size 256 --compare-dense 40

# Each of the two workers has one core, so NumPy's threads would only wait for each other.
test: $(INSTALLED) lint  ## Check the style, then run every test
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/clang-format --dry-run --Werror $(CPP)
	$(BIN)/pyright

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(CPP)

benchmarks: $(INSTALLED)  ## Measure everything that the README claims (about three hours)
	$(BIN)/python benchmarks/run_all.py

docs: $(INSTALLED)  ## Build the site into site/: open site/index.html, or serve it to search it
	$(BIN)/python -m mkdocs build

# PyTorch first, at a fixed version: an open range could take the gigabytes of a CUDA build.
$(INSTALLED): $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs,openml,parquet,plot,quantum,sklearn,tensorboard,torch]'
	rm -f .venv/installed*
	touch $@

clean:
	rm -rf .venv build site
