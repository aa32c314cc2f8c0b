# `make run` and `make test` do all of their own set-up on a fresh Debian 12 or 13 machine.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test check lint types mutants bench lock clean
