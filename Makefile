# Everything is set up in .venv/ on a machine that has Python 3.10 or newer, make and g++.
PYTHON ?= python3
BIN := .venv/bin
CPP := $(wildcard $(foreach room,csrc/* csrc/*/*,$(room)/*.h $(room)/*.cpp))
SOURCES := pyproject.toml CMakeLists.txt $(CPP)

.PHONY: train test lint format benchmarks docs clean

train: .venv/installed  ## Train a 16,384-wide network on the built-in digits, beside dense PyTorch
	$(BIN)/fewfire train digits --width 16384 --epochs 20 --batch-size 256 --compare-dense 40

test: .venv/installed lint  ## Check the style, then run every test
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/clang-format --dry-run --Werror $(CPP)
	$(BIN)/pyright

format: .venv/installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(CPP)

benchmarks: .venv/installed  ## Measure everything that the README claims (about three hours)
	$(BIN)/python benchmarks/run_all.py

docs: .venv/installed  ## Build the site into site/: open site/index.html, or serve it to search it
	$(BIN)/python -m mkdocs build

# PyTorch first, at a fixed version: an open range could take the gigabytes of a CUDA build.
.venv/installed: $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs,openml,parquet,plot,quantum,sklearn,tensorboard,torch]'
	touch $@

clean:
	rm -rf .venv build site
