# Everything is set up in .venv/ on a machine that has Python 3.10 or newer, make and g++.
PYTHON ?= python3
BIN := .venv/bin
CPP := $(wildcard $(foreach room,csrc/* csrc/*/*,$(room)/*.h $(room)/*.cpp))
SOURCES := pyproject.toml CMakeLists.txt $(CPP)
# An editable install knows the Python modules by name, so it is made again where their set is another.
MODULES := $(sort $(shell find src -name '*.py'))
INSTALLED := .venv/installed-$(firstword $(shell echo $(MODULES) | cksum))

.PHONY: train test lint format benchmarks docs wheel clean

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

# A wheel per interpreter, which its pip makes of the sdist, as anyone's does. Flags of this shell, such as
# -march=native, would tie it to this machine.
DIST := dist
PYTHONS ?= $(BIN)/python
wheel: export CXXFLAGS :=
wheel: $(INSTALLED)  ## Build the sdist and manylinux wheels into dist/ (PYTHONS="python3.11 python3.12" for several)
	rm -rf $(DIST)
	$(BIN)/python -m build --sdist --outdir $(DIST)
	for python in $(PYTHONS); do \
	  CXX=$(CXX) $(BIN)/python -m pip --python $$python wheel --no-deps --wheel-dir $(DIST)/unrepaired \
	    $(DIST)/*.tar.gz || exit; \
	done
	PATH=$(abspath $(BIN)):$$PATH $(BIN)/auditwheel repair --wheel-dir $(DIST) $(DIST)/unrepaired/*.whl
	rm -r $(DIST)/unrepaired

# What the set-up says before it stops, where what it needs is not there.
else_say = || { echo "The set-up needs $(1)" >&2; exit 1; }
NEW_ENOUGH := 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))'
FREE_MB := 3000# .venv takes 2,000, the build 350

# PyTorch first, at a fixed version: an open range could take the gigabytes of a CUDA build.
$(INSTALLED): $(SOURCES)
	@test -x $(BIN)/python || $(PYTHON) -c $(NEW_ENOUGH) $(call else_say,Python 3.10 or newer with the module venv. Got \
	  '$(PYTHON)'. Install it (Debian: apt-get install python3-venv) or name another: make PYTHON=python3.12)
	@command -v $(CXX) >/dev/null $(call else_say,a C++17 compiler. Got no '$(CXX)'. Install it (Debian: apt-get \
	  install g++) or name another: make CXX=clang++)
	@test -x $(BIN)/python || test $$(df -Pm . | awk 'END { print $$4 }') -ge $(FREE_MB) $(call else_say,$(FREE_MB) MB \
	  of disk. Got $$(df -Pm . | awk 'END { print $$4 }') free in $(CURDIR). Free some or clone to another disk)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet torch==2.13.0 $(call else_say,a package index that pip can reach: pypi.org or \
	  PIP_INDEX_URL. Got the error above. Connect and run make again: what is there already stays)
	CXX=$(CXX) $(BIN)/python -m pip install --quiet --editable \
	  '.[attacks,dev,docs,openml,parquet,plot,quantum,sklearn,tensorboard,torch]' $(call else_say,a package index for \
	  the packages above and a C++17 compiler for the core. Got the error above. Mend it and run make again)
	rm -f .venv/installed*
	touch $@

clean:
	rm -rf .venv build dist site
