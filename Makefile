# The commands of this repository. CMake builds (see CMakeLists.txt and CMakePresets.json); this file says
# what people want to do.
#
#     make run       set the machine up, build, load your package manager's index and ask it questions
#     make test      set up, build, run all tests; the last line is "N passed, N failed"
#     make test-long what takes longer: random queries against PostgreSQL and DuckDB (SEED=n)
#     make           build; the program is build/trefoil
#     make check     what must hold before a change lands: format, layers, tidy, build, test
#     make golden    record the answers of tests/golden anew; read the diff before you commit it
#     make slt       run sqllogictest files: FILES="one.test a-folder"; JOBS=2 runs two at a time
#     make asan      the C++ tests under address and undefined-behaviour sanitizers
#     make tsan      the C++ tests of the rooms below the bridge under the thread sanitizer
#     make bench     benchmarks, and the comparison with other databases
#     make format    bring all sources into form
#     make install PREFIX=/usr/local
#     make clean     remove the build folders (the Rust bridge stays in your cache folder)

PREFIX ?= /usr/local
BUILD := build
SOURCES = $(shell git ls-files -- 'src/*.cpp' 'src/*.h' 'include/*.h' 'tests/*.cpp' 'tests/*.c' \
    'tests/*.h' 'examples/*.cpp' 'examples/*.c' 'bench/*.cpp' 'bench/*.h')
TSAN_ROOMS := base arrow csv learned storage catalog index table plan access
say = @echo "== $(1)"

.PHONY: all build setup setup-dev run test check format check-format layers tidy lint headers golden slt test-long \
    asan tsan bench install clean

all: build

setup:
	$(call say,looking for what the build needs)
	@tools/setup.sh

setup-dev:
	$(call say,looking for what the checks need)
	@tools/setup.sh --dev

build:
	$(call say,building $(BUILD)/trefoil)
	@cmake --preset default --log-level=WARNING >/dev/null
	@cmake --build $(BUILD)

run: setup
	$(call say,building the program and the example)
	@cmake --preset default --log-level=WARNING >/dev/null
	@cmake --build $(BUILD) --target trefoil_program example_packages
	$(call say,your package manager as a database)
	@$(BUILD)/examples/packages

test: setup build
	$(call say,running the tests)
	@python3 tools/test.py $(BUILD)

SEED ?= 1000
test-long: test
	$(call say,6000 random queries against PostgreSQL and DuckDB)
	@tools/python.sh tests/differential/run.py --library $(BUILD)/lib/libtrefoil.so --queries 6000 --seed $(SEED)
	$(call say,100000 random conditions with indexes and without)
	@TREFOIL_TREES=100000 TREFOIL_SEED=$(SEED) $(BUILD)/tests/agreement_index_predicates
	$(call say,the answers to TPC-H at scale factor 1 beside those of DuckDB)
	@tools/setup.sh --bench
	@tools/python.sh tests/tpch/run.py --program $(BUILD)/trefoil --scale 1

check: setup-dev check-format layers tidy build headers lint
	$(call say,running the tests)
	@python3 tools/test.py $(BUILD)

format: setup-dev
	$(call say,bringing $(words $(SOURCES)) files into form)
	@clang-format-19 -i $(SOURCES)
	@cd bridge && cargo fmt

check-format: setup-dev
	$(call say,checking the form of $(words $(SOURCES)) files)
	@clang-format-19 --dry-run -Werror $(SOURCES) || { echo "cure: make format"; exit 1; }
	@cd bridge && { cargo fmt --check >/dev/null || { echo "bridge/: cure: make format"; exit 1; }; }

layers:
	$(call say,checking that rooms include only what src/LAYERS allows)
	@python3 tools/layers.py

tidy:
	$(call say,checking the habits of docs and sources)
	@python3 tools/tidy.py

headers: build
	$(call say,checking that every header compiles alone)
	@cmake --build $(BUILD) --target all_verify_interface_header_sets

lint: build
	$(call say,clang-tidy over what changed since its last clean run: seconds per file)
	@python3 tools/lint.py $(BUILD)

golden: build
	$(call say,recording the golden answers anew)
	@python3 tools/golden.py --driver $(BUILD)/tests/golden_driver --record
	@git --no-pager diff --stat -- tests/golden

FILES ?= tests/slt/scripts
JOBS ?= 1
slt: build
	$(call say,running sqllogictest files)
	@$(BUILD)/tests/slt --jobs $(JOBS) $(FILES)

asan: setup-dev
	$(call say,building the tests with address and undefined-behaviour sanitizers)
	@cmake --preset asan --log-level=WARNING >/dev/null
	@cmake --build --preset asan
	$(call say,running the C++ tests)
	@python3 tools/test.py build-asan --cpp-only

# The thread sanitizer sees no lock that Rust takes, so it is of use below the bridge only.
tsan: setup-dev
	$(call say,building the tests with the thread sanitizer)
	@cmake --preset tsan --log-level=WARNING >/dev/null
	@cmake --build --preset tsan --target $(TSAN_ROOMS:%=%_test)
	$(call say,running the C++ tests)
	@python3 tools/test.py build-tsan --cpp-only $(TSAN_ROOMS)

bench:
	$(call say,looking for the rivals)
	@tools/setup.sh --bench
	$(call say,building the benchmarks)
	@cmake --preset bench --log-level=WARNING >/dev/null
	@cmake --build --preset bench
	$(call say,running the benchmarks)
	@python3 tools/bench.py build-bench

install: build
	$(call say,installing to $(PREFIX))
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	rm -rf build build-*
