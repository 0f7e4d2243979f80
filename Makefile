# Every target sets up .venv by itself; a fresh machine needs Python 3.10 or newer and nothing else.
#   make demo PYTHON=python3.12     takes another interpreter (for a new .venv)

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench bench-micro clean

help:  ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo $(VENV)/.hnswlib  ## build, search and measure an index of real sentence embeddings (writes demo.png)
	@$(PY) -m bench.demo

test: $(VENV)/.test $(VENV)/.hnswlib  ## run the whole test suite, a process a core
	@$(PY) -m pytest -n auto --dist loadfile

lint: $(VENV)/.lint  ## check style and types
	@$(PY) -m ruff check .
	@$(PY) -m mypy

bench: $(VENV)/.bench  ## measure every peer that installs on the small real sets (minutes; writes results/small/index.html)
	@$(PY) -m bench run small --report results/small

bench-micro: $(VENV)/.micro  ## time the kernels
	@$(PY) -m pytest bench/micro --override-ini=addopts=

clean:  ## remove .venv, compiled kernels, results and everything else that a command made
	rm -rf $(VENV) results build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks demo.png
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@sh .ci/make-venv "$(PYTHON)" "$(VENV)"

# One stamp a set of extras: a second call installs nothing, a changed pyproject.toml installs again.
$(VENV)/.demo $(VENV)/.test $(VENV)/.lint $(VENV)/.micro: $(VENV)/.%: pyproject.toml | $(PY)
	@echo "installing vecrecall[$*] into $(VENV)"
	@$(PIP) --editable '.[$*]'
	@touch $@

# Peers are installed one by one: one that cannot be is left out, and the report says so.
$(VENV)/.bench: pyproject.toml | $(PY)
	@$(PIP) --editable .
	@$(PY) -m bench install
	@touch $@

# hnswlib, which the demo and some tests compare with, is built from source; where that fails they go on without it.
$(VENV)/.hnswlib: | $(PY)
	@echo "installing hnswlib, to compare with (compiled here, about half a minute)"
	@$(PIP) hnswlib >/dev/null 2>&1 || echo "hnswlib cannot be installed here (it needs a C++ compiler); going on without it"
	@touch $@
