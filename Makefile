# Data Flow Tracking: `make run` and `make test` do all set-up by themselves.
PYTHON ?= python3
BIN := .venv/bin
CHECK_PYTHON = 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else "Data Flow Tracking needs Python 3.11 or newer and $(PYTHON) is %d.%d: name another, such as make PYTHON=python3.11 run." % v[:2])'

.PHONY: run test lint browser clean

run: .venv/run.stamp
	@exec $(BIN)/python manage.py up

test: .venv/dev.stamp
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not browser" $(TESTS)

browser: .venv/dev.stamp
	$(BIN)/python -m pytest -q -m browser $(TESTS)

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11 (on Debian: apt-get install python3 python3-venv)." >&2; exit 1; }
	@$(PYTHON) -c $(CHECK_PYTHON)
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv module is missing: on Debian run apt-get install python3-venv, then make again." >&2; exit 1; }

.venv/run.stamp: .venv/bin/python pyproject.toml constraints.txt tracking/core/_native.c tracking/core/_tally.c
	@echo "Installing packages …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded]'
	@touch $@

.venv/dev.stamp: .venv/bin/python pyproject.toml constraints.txt tracking/core/_native.c tracking/core/_tally.c
	@echo "Installing packages …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,dev]'
	@touch .venv/run.stamp $@

clean:
	rm -rf .venv *.egg-info
