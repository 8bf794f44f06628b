# SPDX-License-Identifier: Apache-2.0
# The front door. Every target installs what it misses (tools/setup), says what it does, and asks nothing.
# Only relative paths are used here, so the folder may have spaces in its name.
.DEFAULT_GOAL := help
.PHONY: help run build test check bench fmt lint docs clean setup
MAKEFLAGS += --no-print-directory
ARGS ?=

help: ## this list
	@echo "Souk: a marketplace back end in C. Targets (ARGS=\"...\" is passed on):"
	@sed -n 's/^\([a-z][a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r a b; do printf '%-14s %s\n' "$$a" "$$b"; done

run: ## install what is missing, build, serve on http://127.0.0.1:8080; ARGS="--port 9000"
	@tools/setup run && tools/build && exec build/souk run $(ARGS)

build: ## the program, at build/souk
	@tools/setup run && tools/build

test: ## everything: both compilers, sanitizers, services, black box, fuzzing, lint (under 30 minutes)
	@tools/setup test && tools/test full $(ARGS)

check: ## the quick part of it (under 3 minutes); ARGS="--only unit" for one stage
	@tools/setup test && tools/test check $(ARGS)

bench: ## measure; writes bench/RESULTS.md's figures with the commands that made them
	@tools/setup bench && tools/build && exec bench/run $(ARGS)

fmt: ## put whitespace right everywhere, and clang-format the C lines changed since HEAD
	@tools/setup test && tools/lint --fix && git clang-format -q -f --binary clang-format --extensions c HEAD

lint: ## the rules of STYLE.md that a program can check
	@tools/setup test && tools/lint

docs: ## make api/ and the generated pages of docs/ anew
	@tools/setup run && tools/build && tools/docs

setup: ## only install what building, running and testing need
	@tools/setup test

clean: ## remove build/; the data under .souk/ stays
	rm -rf build
