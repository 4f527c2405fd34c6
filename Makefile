# `make demo` and `make test` set up what they need in .venv; nothing else has to be installed but Python and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint types clean

demo: .venv/demo
	$(BIN)/sightline demo

test: .venv/test lint types
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not gpu"

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/test
	$(BIN)/mypy

.venv/%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[$*]"
	touch $@

clean:
	rm -rf .venv build runs
