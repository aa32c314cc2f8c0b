# `make run` and `make test` do all of their own set-up on a Debian 12 or 13 machine.
SHELL := /bin/bash
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: run test check lint types mutants table soak boot trixie bench lock clean venv install-service uninstall-service

# The main job on this machine alone: exim (or a recorded sample), a zone file, a name server on loopback.
run: $(STAMP)
	@$(BIN)/dnssync demo

# Everything; parts that need exim or BIND are installed where that is allowed, else named as left out.
test: $(STAMP)
	@./tests/prepare
	$(BIN)/pytest -q

check: lint types test

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

# Small breakages of the deciding code; each must make a test fail.
mutants: $(STAMP)
	$(BIN)/python tests/mutants.py

# The table of docs/providers.md, measured anew.
table: $(STAMP)
	@./tests/prepare
	$(BIN)/python -m tests.providers.table

# Two thousand lives of keys of each kind, hour by hour; days of work. `tests/soak.py LIVES MINUTES` stops sooner.
soak: $(STAMP)
	$(BIN)/python tests/soak.py
	$(BIN)/python tests/soak_zones.py

# The installed service under a real systemd in namespaces of its own; root, two minutes.
boot:
	@./tests/boot

# The tables of the providers with the name servers of Debian 13, unpacked here; ten minutes, and a Debian mirror.
trixie: $(STAMP)
	@./tests/trixie

# Every bench, and the tables of docs/performance.md; hours. BENCH_RUNS=1 BENCH_ZONES=10,100 make it shorter.
bench: $(STAMP)
	@./tests/prepare
	$(BIN)/pip install -q --disable-pip-version-check -e '.[bench]'
	$(BIN)/python bench/startup.py
	$(BIN)/python bench/providers.py
	$(BIN)/python bench/rotation.py
	$(BIN)/python bench/check_speed.py
	$(BIN)/python bench/check.py
	$(BIN)/python bench/page.py

# Exact versions of everything, from the bounds in pyproject.toml.
lock: $(STAMP)
	$(BIN)/pip install -q pip-tools
	$(BIN)/pip-compile -q --upgrade --allow-unsafe --generate-hashes --strip-extras --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --extra dev --extra postgresql --extra test \
	  --output-file requirements.lock pyproject.toml

# dnssync in /opt/dnssync and its unit; PROVIDER=gandi writes a first configuration too, DESTDIR=/folder is for packages.
install-service:
	@DESTDIR='$(DESTDIR)' PROVIDER='$(PROVIDER)' ./systemd/install install

# The same undone; configuration, secrets, keys and state stay. Stops where exim's macros stand, unless MACROS=keep.
uninstall-service:
	@DESTDIR='$(DESTDIR)' MACROS='$(MACROS)' ./systemd/install uninstall

venv: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@./tests/prepare python
	python3 -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $(STAMP)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
