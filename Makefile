# SPDX-License-Identifier: Apache-2.0
# Every job is one word; `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help setup libraries formatter build test check format lint architecture compile \
  kernels cross sanitize address thread demo demo-model experiment unsafe sizes clean

# Every import must be a declared dependency: the floors of the house are kept by the build.
BUILD := swift build -c release --explicit-target-dependency-import-check error
SANITIZE := swift test --disable-xctest --explicit-target-dependency-import-check error

# Pinned in Tools/scripts/setup.sh; the one on PATH is used when it is the same version.
VENV := $(CURDIR)/.build/formatter
CLANG_FORMAT = $(or $(wildcard $(VENV)/bin/clang-format),clang-format)

SWIFT_FILES = $(shell git ls-files --cached --others --exclude-standard '*.swift')
C_FILES = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h' '*.inc')

DEMO_MODEL := Models/demo.sea

help: ## List the jobs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: libraries formatter ## Install missing Debian packages and the pinned C formatter

libraries:
	@Tools/scripts/setup.sh libraries

formatter:
	@Tools/scripts/setup.sh formatter $(VENV)

build: libraries ## Build sea and sea-tools into .build/release
	$(BUILD)

test: check ## Check format and architecture, build with warnings as errors, run all tests
	swift test -c release --skip-build --disable-xctest

check: lint architecture compile ## Everything of `test` but running the tests

lint: formatter
	swift format lint --strict --parallel $(SWIFT_FILES)
	$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)

architecture:
	Tools/scripts/check_architecture.sh

compile: libraries
	$(BUILD) --build-tests

kernels: ## Compare every kernel of this machine with the reference, without the package
	Tools/scripts/kernels.sh native

cross: ## The same, and the ARM kernels under an emulator
	@Tools/scripts/setup.sh cross
	Tools/scripts/kernels.sh cross

format: formatter ## Format all Swift and C files in place
	swift format format --in-place --parallel $(SWIFT_FILES)
	$(CLANG_FORMAT) -i $(C_FILES)

sanitize: address thread ## Run all tests under the address and the thread sanitizer

# Separate folders: objects built for one sanitizer do not link with those of another.
address: libraries
	$(SANITIZE) --sanitize=address --scratch-path .build/address

thread: libraries
	$(SANITIZE) --sanitize=thread --scratch-path .build/thread

demo: build ## Ask the demo model about pictures it never saw
	@Tools/scripts/demo.sh $(DEMO_MODEL)

demo-model: build ## Train the demo model again, from nothing; goes on where it was stopped
	Tools/scripts/demo_model.sh .build/demo-model $(DEMO_MODEL)

experiment: build ## SEA against no SEA, from what demo-model leaves; goes on where it was stopped
	Tools/scripts/experiment.py --base .build/demo-model --out .build/experiment

unsafe: ## Count the uses of `unsafe` by file
	@git grep -cwE 'unsafe' -- 'Sources/*.swift' 'Tools/*.swift' | sort -t: -k2 -rn

sizes: build ## Sizes of the executables, whole and stripped
	@for name in sea sea-tools; do \
	  file=.build/release/$$name; bare=$$(mktemp); \
	  strip -o $$bare $$file; \
	  printf '%-10s %9d bytes  %9d stripped\n' $$name $$(stat -c %s $$file) $$(stat -c %s $$bare); \
	  rm -f $$bare; \
	done

clean: ## Remove everything that was built
	rm -rf .build
