# Nothing but python3 is needed; everything else is prepared outside this folder, in
# $VECTRAHUB_CACHE (else $XDG_CACHE_HOME/vectrahub, else ~/.cache/vectrahub).

PYTHON ?= python3
# What a recipe below runs in: the prepared interpreter, told which host belongs to this checkout.
IN_ENV = VECTRAHUB_HOST="$$($(PYTHON) install.py where json)" "$$($(PYTHON) install.py where python)"
COMFYUI = "$$($(PYTHON) install.py where comfyui)"
CACHE = "$$($(PYTHON) install.py where cache)"

.PHONY: demo test check format lint types contract run host bench bench-vector bench-router bench-omnisvg bench-tiles bench-serving env env-dev chromium constraints

demo: env  ## three pictures become SVGs in a real ComfyUI; results in out/
	@$(IN_ENV) -m demo $(ARGS)

# Two workers, each with a host of its own; a file of tests stays with one. One thread each: the networks are tiny.
test: env-dev chromium  ## all tests, the real host and a real browser included
	@OMP_NUM_THREADS=1 $(IN_ENV) -m pytest -n 2 --dist loadfile $(ARGS)

check: format lint types contract  ## all four, one after the other; make -k check does not stop at the first

format: env-dev
	@$(IN_ENV) -m ruff format --check .

lint: env-dev
	@$(IN_ENV) -m ruff check .

types: env-dev
	@PYRIGHT_PYTHON_CACHE_DIR=$(CACHE)/pyright PYRIGHT_PYTHON_IGNORE_WARNINGS=1 PYTHONPATH=$(COMFYUI) \
		$(IN_ENV) -m pyright --pythonpath "$$($(PYTHON) install.py where python)"

contract: env-dev
	@$(IN_ENV) -m pytest tests/contract

run: env  ## make run ARGS="vectorize my.png -o my.svg"
	@$(IN_ENV) -m vectrahub_client $(ARGS)

host: env  ## ComfyUI with the pack in a browser
	@$(PYTHON) install.py serve

bench: bench-vector bench-router bench-omnisvg bench-tiles bench-serving

bench-vector: env-dev
	@$(IN_ENV) -m benchmarks.vector $(ARGS)

bench-router: env-dev
	@$(IN_ENV) -m benchmarks.router $(ARGS)

bench-omnisvg: env-dev  ## ARGS=--gpu for the full sizes
	@$(IN_ENV) -m benchmarks.omnisvg $(ARGS)

bench-tiles: env-dev  ## split and blend against the host's own nodes
	@$(IN_ENV) -m benchmarks.tiles $(ARGS)

bench-serving: env-dev  ## what a job of the API costs beyond its nodes, and how quick probes stay
	@$(IN_ENV) -m benchmarks.serving $(ARGS)

env: python-venv
	@$(PYTHON) install.py host > /dev/null

env-dev: python-venv
	@$(PYTHON) install.py host --dev > /dev/null

# Debian's python3 comes without the module that makes environments.
.PHONY: python-venv
python-venv:
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null || command -v uv > /dev/null || .ci/apt-install python3-venv

chromium:
	@command -v chromium > /dev/null || .ci/apt-install chromium

constraints: env-dev  ## newer versions for the private host; the torch trio stays
	@grep -E '^torch(vision|audio)?==' constraints.txt > $(CACHE)/torch.txt
	@echo 'open_clip_torch>=2.30,<4' > $(CACHE)/extras.txt
	@sed -n '/^#/p' constraints.txt > $(CACHE)/constraints.txt
	@uv pip compile --quiet --upgrade --universal --python-version 3.10 --no-python-downloads --no-annotate --no-header \
		--constraint $(CACHE)/torch.txt requirements.txt requirements-dev.txt $(CACHE)/extras.txt \
		$(COMFYUI)/requirements.txt >> $(CACHE)/constraints.txt
	@mv $(CACHE)/constraints.txt constraints.txt
