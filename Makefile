# Everything happens in .venv, with packages from PyPI at the versions of constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
DEV := $(VENV)/developed
LOG := $(VENV)/install.log

.PHONY: demo test check clean
.NOTPARALLEL:

demo: $(STAMP)
	@$(BIN)/emamba demo

test: $(DEV)
	@$(BIN)/pytest -n auto --dist loadgroup

check: $(DEV)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/pyright --pythonpath $(BIN)/python

# Runs stay: they are the user's.
clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -prune -exec rm -rf {} +

# pip writes to a log whose last line is shown every few seconds: neither silence nor pages of names.
$(STAMP): WHAT := .
$(STAMP): SIZE := 1.5
$(DEV): WHAT := .[dev]
$(DEV): SIZE := 2.9
$(STAMP) $(DEV): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "emamba needs Python 3.11 or newer: install one, then run 'make PYTHON=<its path>'"; exit 1; }
	@command -v g++ >/dev/null || { echo "g++ is missing: apt-get install g++ (or your system's equivalent)"; exit 1; }
	@test -x $(BIN)/pip || { echo "creating $(VENV)"; $(PYTHON) -m venv $(VENV); } \
	    || { rm -rf $(VENV); echo "cannot create $(VENV): apt-get install python3-venv"; exit 1; }
	@echo "installing ($(SIZE) GB on disk, 4 GB more where pip finds a CUDA build of PyTorch; log in $(LOG))"
	@$(BIN)/pip install --no-compile --progress-bar off -e '$(WHAT)' -c constraints.txt >$(LOG) 2>&1 & pip=$$!; \
	    trap 'kill $$pip; exit 130' INT TERM; seconds=0; \
	    while kill -0 $$pip 2>/dev/null; do \
	        sleep 5; seconds=$$((seconds + 5)); \
	        printf '%4d s  %s\n' $$seconds "$$(grep -v WARNING $(LOG) | tail -n 1 | cut -c 1-70)"; \
	    done; \
	    wait $$pip || { tail -n 20 $(LOG); echo "installation failed: see $(LOG)"; exit 1; }
	@touch $(STAMP) $@
