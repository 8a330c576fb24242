# The front door. `make run` and `make test` do all the set-up they need by themselves.

JOBS ?= 2
PREFIX ?= /usr/local
SEEDS ?= 1000000
MINUTES ?= 30
DESTDIR ?=
BUILD := build/release

# The question reaches the program as it was typed: make must not expand it, and the shell sees it
# only as a quoted variable.
define question
Compare bubble sort, quicksort and merge sort by running time, memory and stability, and say which \
one sorts a list of 10 million records that does not fit into memory.
endef
ifneq ($(value Q),)
override QUESTION := $(value Q)
else
override QUESTION := $(question)
endif
export QUESTION
unexport Q

.PHONY: help setup packages configure build run test check soak soak-serve sanitize threads mutants fuzz bench format \
  tidy install clean weights

help:
	@echo 'make setup            packages, llama.cpp, the program and the models (1.7 GB); safe to repeat'
	@echo 'make run [Q="..."]    answer a question with local models standing in for edge and cloud'
	@echo 'make test             build and run all tests'
	@echo 'make check            sanitizers, thread sanitizer, format, clang-tidy'
	@echo 'make mutants          plant small faults, one at a time: every one must be caught'
	@echo 'make fuzz SECONDS=60  every parser against random bytes, so long each'
	@echo 'make bench            benchmarks'
	@echo 'make soak             SEEDS=$(SEEDS) random runs of every fault in simulation; says how many a second'
	@echo 'make soak-serve       MINUTES=$(MINUTES) of the server under faults, kills and reloads; every promise checked'
	@echo 'make build            the program: $(BUILD)/hybridflow'
	@echo 'make weights          the router'\''s weights anew, from data/routing; build again afterwards'
	@echo 'make install          to PREFIX=$(PREFIX), below DESTDIR if given'
	@echo 'make format | tidy | clean'
	@echo 'JOBS=$(JOBS) says how many things may run at once.'

setup:
	@scripts/setup

packages:
	@scripts/setup --packages-only

configure: packages
	@test -f $(BUILD)/build.ninja || JOBS=$(JOBS) cmake --preset release

build: configure
	@ninja -C $(BUILD) -j$(JOBS) hybridflow

run: setup
	@$(BUILD)/hybridflow ask --lab "$$QUESTION"

test: configure
	@ninja -C $(BUILD) -j$(JOBS)
	@scripts/setup --models smollm2-135m-instruct || \
	  echo 'The tests that need a model are skipped.' >&2
	@scripts/clients > /dev/null || { [ "$$HYBRIDFLOW_CLIENTS" != required ] && \
	  echo 'The tests with clients of others are skipped.' >&2; }
	@cd $(BUILD) && ctest --output-on-failure -j$(JOBS)

check: sanitize threads tidy
	@scripts/format --check

sanitize: packages
	@test -f build/dev/build.ninja || JOBS=$(JOBS) cmake --preset dev
	@ninja -C build/dev -j$(JOBS)
	@cd build/dev && ctest --output-on-failure -j$(JOBS) -LE 'slow|clients'

threads: packages
	@test -f build/tsan/build.ninja || JOBS=$(JOBS) cmake --preset tsan
	@ninja -C build/tsan -j$(JOBS) net_test runtime_test store_test serve_test
	@build/tsan/src/net_test --gtest_brief=1
	@build/tsan/src/runtime_test --gtest_brief=1
	@build/tsan/src/serve_test --gtest_brief=1
	@build/tsan/src/store_test --gtest_brief=1 --gtest_filter='Journal*:LeaseStore*:Reconcile*'

mutants: packages
	@JOBS=$(JOBS) mutants/run $(MUTANTS)

fuzz: packages
	@JOBS=$(JOBS) scripts/fuzz $(or $(SECONDS),60)

bench: configure
	@ninja -C $(BUILD) -j$(JOBS)
	@for bench in $$(find $(BUILD)/bench -maxdepth 1 -name 'hf_bench_*' -type f -perm -u+x | sort); do \
	  echo "== $${bench##*/}"; "$$bench" || exit 1; done

# The same bytes for the same data. The program embeds the file: build again to use it.
weights: build
	@scripts/weights $(BUILD)/hybridflow

soak: build
	@$(BUILD)/hybridflow simulate chaos --seeds 1..$(SEEDS) --jobs $(JOBS)

soak-serve: build
	@HYBRIDFLOW=$(BUILD)/hybridflow python3 tests/soak/serve_soak.py --minutes $(MINUTES)

format: packages
	@scripts/format

tidy: packages
	@JOBS=$(JOBS) scripts/tidy

install: build
	@DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)"

clean:
	@rm -rf build
