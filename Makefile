# Two commands do all the set-up: `make demo` (base install, no torch) and `make test` (every extra).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
WORK ?= work
RATIO ?=
BACKBONE ?=
DATA ?=
URLS ?=
LANDMARKS ?=
NOTES ?=
ARGS ?=
IN_TWO := $(BIN)/pytest -m "not gpu" --numprocesses 2 --dist loadfile --max-worker-restart 0

.PHONY: demo run train-extra test test-quick check fmt backbone bench-embed clean help

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is too old: Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "no virtual environment could be made; on Debian and Ubuntu run: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	@test -e $(VENV)/.full || echo "installing Cairn into $(VENV) (about 600 MB, once; this takes a minute or two)"
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.full: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing Cairn with every extra into $(VENV) (about 7 GB with torch, once)"
	$(INSTALL) --editable '.[train,onnx,ray,dev]'
	@touch $(VENV)/.base $@

$(VENV)/.train: pyproject.toml constraints.txt | $(BIN)/python
	@test -e $(VENV)/.full || echo "installing the extra 'train' into $(VENV) (about 6 GB with torch, once)"
	$(INSTALL) --editable '.[train]'
	@touch $(VENV)/.base $@

train-extra: $(VENV)/.train ## torch, torchvision and timm: any backbone by name

demo: $(VENV)/.base ## the whole way on an embedded sample: no network, no torch
	$(BIN)/cairn demo $(ARGS)

run: $(VENV)/.base ## the whole way on your own photos: make run DATA=folder, or URLS=list.csv [BACKBONE=name-or-folder]
	@test -n "$(DATA)$(URLS)" || { echo "neither DATA nor URLS is set; a folder of photos or a list of addresses was expected: make run DATA=photos BACKBONE=folder" >&2; exit 2; }
	$(BIN)/cairn run "$(WORK)" $(if $(DATA),--folder "$(DATA)") $(if $(URLS),--urls "$(URLS)") $(if $(RATIO),--ratio $(RATIO)) $(if $(BACKBONE),--backbone "$(BACKBONE)") $(if $(LANDMARKS),--landmarks "$(LANDMARKS)") $(if $(NOTES),--notes "$(NOTES)") $(ARGS)

test: $(VENV)/.full ## every test but those that need a GPU
	@# Two at a time, as two cores allow; a file's tests stay together, for they share what they made.
	@# A test process that dies is a failure, told at once: a new one in its place may wait forever.
	@# In several goes: Ray leaves threads, a signal stack and handlers behind in the process that starts it, and one that
	@# went on with thousands of other tests died of SIGSEGV without a word. What no go names is in the last.
	$(IN_TWO) tests/cli tests/web tests/reports
	$(IN_TWO) tests/pipeline tests/bench
	$(IN_TWO) tests/training
	$(IN_TWO) $(addprefix --ignore tests/,cli web reports pipeline bench training engines)
	$(BIN)/pytest -m "not gpu" tests/engines

test-quick: $(VENV)/.full ## the tests that take no seconds
	@# Collecting the training tests alone imports torch, which takes seconds.
	$(BIN)/pytest -m "not gpu and not slow" --ignore tests/training

check: $(VENV)/.full ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fmt: $(VENV)/.full ## put the format right
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

backbone: $(VENV)/.full ## train the embedded backbone again (about 40 minutes on two cores)
	$(BIN)/python -m cairn.training.embedded src/cairn/models/embedded

clean: ## remove the environment and caches; never your work folders
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
