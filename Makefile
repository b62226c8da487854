# Needs Python 3.11 or newer, make and git; everything else goes into .venv.
#
#   make demo    judge the bundled pair of tables and say where the report is
#   make test    the fast tests
#   make slow    the slow tests
#   make lint    ruff: rules and layout; schemas and a linter for the GitHub action
#   make types   mypy, strict
#   make clean   remove .venv and what was built
#
# Another Python: make test PYTHON=python3.13

ifndef PYTHON
PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
  "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; done)
endif

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test slow lint types clean

# A failing verdict (1) or an incomplete one (3) is a result, so only what could not be judged stops make.
demo: .venv/ready
	@$(BIN)/synthgate demo || { code=$$?; [ $$code -eq 1 ] || [ $$code -eq 3 ] || exit $$code; }
	@echo "The pair has two flaws planted in it, and one of its own: synthgate/demo_data/README.md says which."

test: .venv/ready-test
	$(BIN)/python -m pytest -n auto

slow: .venv/ready-test
	$(BIN)/python -m pytest -n auto -m slow

lint: .venv/ready-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions github-action/action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows github-action/examples/*.yml
	$(BIN)/zizmor --offline --quiet github-action/action.yml github-action/examples/*.yml

types: .venv/ready-lint
	$(BIN)/mypy

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis synthgate-report

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "synthgate needs Python 3.11 or newer: name it with make PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

# Stamps: made again when pyproject.toml changes, so that a second call starts at once.
.venv/ready: pyproject.toml | $(BIN)/python
	@echo "installing synthgate into .venv: once, a minute or two"
	@$(PIP) install --editable .
	@touch $@

# The pip that comes with a new environment may be older than --group (25.1).
.venv/ready-test .venv/ready-lint: .venv/ready-%: .venv/ready
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --group $*
	@touch $@
