# Needs python3 (3.11 or newer, with venv) and make. Everything else goes into .venv; uv is used where it is found.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

ifneq ($(UV),)
CREATE := $(UV) venv --quiet --seed --allow-existing --python $(PYTHON) $(VENV)
INSTALL := UV_COMPILE_BYTECODE=1 $(UV) pip install --quiet --python $(BIN)/python --constraints constraints.txt
else
CREATE := $(PYTHON) -m venv $(VENV)
INSTALL := $(PIP)
endif

.PHONY: help play train test check format coverage fuzz fuzz-inputs package mutants bench bench-peers notebook figures oracle web clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

play: $(VENV)/.run ## open the playground in the browser
	$(BIN)/micrograd-mlp play

train: $(VENV)/.run ## the main job: learn the two moons, leave the pictures in runs/moons
	$(BIN)/micrograd-mlp train moons --out runs/moons

test: $(VENV)/.dev ## all tests
	$(BIN)/python -m pytest --ignore tests/oracle

check: $(VENV)/.dev ## format, lint, strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev ## let ruff format and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The parts that compute, each a module or a package, and the tests that mirror them.
COMPUTE := ops engine nn losses optim compiler
COVERING := $(addprefix tests/,$(addsuffix .py,$(addprefix test_,ops engine nn losses optim anomaly engines training)) compiler)

coverage: $(VENV)/.dev ## lines and branches of what computes that no test goes through; fails below 95 % of a part
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(COVERING)
	$(BIN)/coverage combine --quiet
	for part in $(COMPUTE); do \
		$(BIN)/coverage report --include "*/micrograd_mlp/$$part.py,*/micrograd_mlp/$$part/*" || exit 1; \
	done

fuzz: fuzz-inputs ## those inputs, 10,000 random programs on every backend, 10,000 random networks on every engine; hours
	MICROGRAD_MLP_CACHE= $(BIN)/python tests/compiler/random_programs.py
	MICROGRAD_MLP_CACHE= $(BIN)/python tests/compiler/random_networks.py

fuzz-inputs: $(VENV)/.dev ## 1,000,000 hostile inputs: files, options, expressions, labels, the playground, the command line
	MICROGRAD_MLP_CACHE= $(BIN)/python tests/fuzz/run.py --inputs 1000000 --jobs 2

package: ## the source distribution and the wheel, built and tried as a user meets them, in an empty environment
	$(PYTHON) tests/distributions.py

mutants: $(VENV)/.dev ## a thousand changes of ops, engine and ieee, one at a time: how many the tests notice; half an hour or more
	$(INSTALL) cosmic-ray
	$(BIN)/python tests/mutants.py

bench: $(VENV)/.dev ## speed and memory beside stock micrograd, as ratios of one run; what the compiler makes; training steps
	$(INSTALL) micrograd==0.1.0
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/compiler.py
	$(BIN)/python benchmarks/calls.py
	$(BIN)/python benchmarks/steps.py

bench-peers: $(VENV)/.dev ## training steps beside hand-written C++, JAX, PyTorch and micrograd, which it installs
	$(PIP) torch==2.13.0
	$(INSTALL) jax jaxlib micrograd==0.1.0
	$(BIN)/python benchmarks/steps.py

notebook: $(VENV)/.dev ## write the notebooks from the scripts in notebooks/, and execute them
	$(BIN)/python notebooks/build.py

figures: $(VENV)/.dev ## make the pictures in images/ again; those of pages need chromium, the others come byte for byte
	$(BIN)/python images/make.py
	$(BIN)/python images/explorer.py
	$(BIN)/python images/playground.py

oracle: $(VENV)/.oracle ## parity with PyTorch, HIPS autograd and mpmath
	$(BIN)/python -m pytest tests/oracle

web: ## build the pages in web/ into the package; needs node 20 and npm
	cd web && npm install --no-package-lock --no-audit --no-fund --loglevel error && node build.mjs

clean: ## remove the environment and what runs left behind
	rm -rf $(VENV) runs .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version)'
	$(CREATE)
	$(INSTALL) --editable .
	$(INSTALL) --editable '.[viz]' || echo "No Graphviz for this platform: pictures of graphs will need its dot program."
	$(INSTALL) --editable '.[play]'
	$(INSTALL) --editable '.[native]' || echo "No llvmlite for this platform: compiled functions will run on NumPy."
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(INSTALL) --editable '.[dask,notebook,onnx]' coverage hypothesis mpmath mypy onnxruntime pandas pytest ruff uv_build
	$(INSTALL) playwright || echo "No Playwright for this platform: tests in a browser will be skipped."
	@touch $@

# pip here, whatever found the rest: torch comes as the CPU build that pip's own settings point to.
$(VENV)/.oracle: $(VENV)/.dev
	$(PIP) --editable '.[oracle]' torch
	@touch $@
