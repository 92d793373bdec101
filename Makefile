# `make` lists the commands. Each one sets up what it needs in .venv, once.
#
#   make test PYTHON=python3.12                    use another Python (remembered for the next commands)
#   make test PYTHON=python3.12 VENV=.venv-3.12    use another Python, and keep .venv as it is
#   make run PORT=8080                             serve on another port

VENV := .venv
PORT ?= 8000
PYTEST_ARGS ?=

# Some tests start a Python, which would compile the package each time; each worker would compile the tests.
unexport PYTHONDONTWRITEBYTECODE

CHOSEN := $(shell cat $(VENV)/.python 2>/dev/null)
ifeq ($(origin PYTHON),undefined)
PYTHON := $(or $(CHOSEN),python3)
endif

BIN := $(VENV)/bin
PY := "$(CURDIR)/$(BIN)/python"
PIP := $(PY) -m pip --disable-pip-version-check install --quiet
BOOKSHOP := examples/bookshop
DATABASE := $(BOOKSHOP)/db.sqlite3

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL: # one pip at a time in .venv
.PHONY: help run test test-long coverage lint bench bench-http plots soak docs clean

help:
	@echo "make run        serve the example on http://127.0.0.1:$(PORT)/ (PORT=...)"
	@echo "make test       run the tests (PYTEST_ARGS=...)"
	@echo "make test-long  run them in all their cases"
	@echo "make coverage   run the tests and measure them; fails below 100%, lines and branches"
	@echo "make lint       ruff, mypy, pyright and the import rules"
	@echo "make bench      run the benchmarks (BENCH_ARGS=...)"
	@echo "make bench-http run whole servers against each other over HTTP (BENCH_ARGS=...)"
	@echo "make plots      draw the figures of the two for the documentation"
	@echo "make soak       run a server under load for ten minutes (BENCH_ARGS=...)"
	@echo "make docs       build the documentation into site/"
	@echo "make clean      remove all that these commands made"
	@echo
	@echo "PYTHON=python3.12 chooses the Python that .venv is made with (3.11 or newer);"
	@echo "VENV=.venv-3.12 keeps an environment of another beside it."

# --- set-up ---------------------------------------------------------------------------------------------------------

# Reads well on any Python, however old.
define CHECK_PYTHON
import sys
again = "Choose another Python: make $(or $(firstword $(MAKECMDGOALS)),test) PYTHON=python3.12"
if sys.version_info < (3, 11):
    sys.exit("restflow needs Python 3.11 or newer, and $(PYTHON) is %d.%d.%d.\n%s" % (sys.version_info[:3] + (again,)))
for module in "venv", "ensurepip":
    try:
        __import__(module)
    except ImportError:
        sys.exit("$(PYTHON) lacks the module %s, which makes virtual environments.\nOn Debian and Ubuntu: apt install python%d.%d-venv\n%s" % ((module,) + sys.version_info[:2] + (again,)))
endef
export CHECK_PYTHON

# Another Python than the one .venv was made with: make it again.
ifneq ($(CHOSEN),$(PYTHON))
.PHONY: $(VENV)/.python
endif

$(VENV)/.python:
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON) here. Choose another Python: make $(or $(firstword $(MAKECMDGOALS)),test) PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c "$$CHECK_PYTHON"
	@echo "Making $(VENV) with $(PYTHON) ..."
	@"$(PYTHON)" -m venv $(if $(CHOSEN),--clear) $(VENV)
	@$(PIP) --upgrade "pip>=25.1"
	@echo "$(PYTHON)" > $@

# .venv/.test, .venv/.lint, ...: the package and the dependency group of that name are installed.
$(VENV)/.%: $(VENV)/.python pyproject.toml Makefile
	@echo "Installing restflow and its '$*' dependencies ..."
	@$(PIP) --editable . --group $*
	@touch $@

.PRECIOUS: $(VENV)/.%

# --- commands -------------------------------------------------------------------------------------------------------

$(DATABASE): $(shell find $(BOOKSHOP) -path '*/migrations/*.py' -o -path '*/fixtures/*.json' 2>/dev/null) | $(VENV)/.example
	@echo "Filling the example's database ..."
	@cd $(BOOKSHOP) && $(PY) manage.py migrate --verbosity 0
	@cd $(BOOKSHOP) && $(PY) manage.py loaddata bookshop
	@touch $@

run: $(VENV)/.example $(DATABASE)
	@$(PY) -c "import socket; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', $(PORT)))" 2>/dev/null \
		|| { echo "Something serves on port $(PORT) already. Choose another: make run PORT=8001"; exit 1; }
	@echo
	@echo "The bookshop opens at (Ctrl-C closes it):"
	@echo
	@echo "  http://127.0.0.1:$(PORT)/                    the shop: streams, sellers asked at once, events"
	@echo "  http://127.0.0.1:$(PORT)/api/                all addresses"
	@echo "  http://127.0.0.1:$(PORT)/api/books/          the books, a page at a time"
	@echo "  http://127.0.0.1:$(PORT)/api/authors/        the authors"
	@echo "  http://127.0.0.1:$(PORT)/api/books/1/offers/ five sellers, asked at once"
	@echo "  http://127.0.0.1:$(PORT)/api/docs/           try it out"
	@echo
	@cd $(BOOKSHOP) && PORT=$(PORT) exec $(PY) -m uvicorn bookshop.asgi:application --host 127.0.0.1 --port $(PORT)

# The tests of a file stay in one process, which makes what they share once. By default the files with the fewest tests,
# which take the longest, would come last.
PYTEST := $(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder

test: $(VENV)/.test
	@echo "The tests take about eight minutes on two cores."
	@$(PYTEST) $(PYTEST_ARGS)

test-long: $(VENV)/.test
	@echo "The tests in all their cases take about ten minutes on two cores."
	@RESTFLOW_TESTS=long $(PYTEST) $(PYTEST_ARGS)

coverage: $(VENV)/.test
	@echo "The tests take about eleven minutes on two cores, when they are measured."
	@$(PYTEST) --cov=restflow $(PYTEST_ARGS)

lint: $(VENV)/.test $(VENV)/.lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	cd $(BOOKSHOP) && PYTHONPATH=. $(PY) -m mypy
	$(BIN)/pyright --pythonpath $(BIN)/python --project $(BOOKSHOP)
	$(BIN)/lint-imports
	$(PY) -m pytest -q tests/docs/test_types.py # mypy and pyright on the code of the pages

bench: $(VENV)/.bench
	@$(PY) -m benchmarks $(BENCH_ARGS)

bench-http: $(VENV)/.bench-http
	@$(PY) -m benchmarks.http $(BENCH_ARGS)

plots: $(VENV)/.bench
	@$(PY) -m benchmarks.plots $(BENCH_ARGS)

soak: $(VENV)/.bench
	@$(PY) -m benchmarks.soak $(BENCH_ARGS)

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) .venv-* .nox build dist site htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -f $(DATABASE) $(DATABASE)-journal $(DATABASE)-shm $(DATABASE)-wal benchmarks/*.json
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
