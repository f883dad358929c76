# Everything a person or a machine does here is a target of this file; .github/workflows and
# .ci/run call these and nothing else. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Where setup puts Rust on a machine that had none: the run that installs it goes straight on.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

# Where `make run` serves, and what else it hands to the server: make run ARGS="--shards 2".
PORT ?= 6379
ARGS ?=
# How long each fuzz target runs: a taste in `make test`, longer in `make fuzz`.
FUZZ_SECONDS ?= 60
FUZZ_TASTE_SECONDS ?= 5
# Which run of the simulator to replay, or how many to make, from which on.
SEED ?=
SEEDS ?= 2000
FIRST ?= 1
# What these two take: scripts/bench/run.py --help, scripts/conformance/run.py --help.
BENCH_ARGS ?=
CONFORMANCE_ARGS ?=
# Whom the conformance suites judge: self, or redis (7.4.1, fetched).
TARGET ?= self

.PHONY: help setup setup-build server run build docker compose compose-down test check lint fmt clippy unit doctest scripttest fuzz-taste sim sim-nightly \
	tidy fuzz bench serializability conformance deny docs hooks clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## install what the other targets need (quick when all is there)
	@scripts/setup.sh test

setup-build:
	@scripts/setup.sh build

server: setup-build
	cargo build --release --locked --bin stoa-server

run: server ## build in release mode and serve on 127.0.0.1:6379
	exec target/release/stoa-server --bind 127.0.0.1 --port $(PORT) $(ARGS)

build: setup-build ## build everything in release mode
	cargo build --release --locked --workspace

# The unit tests come last, so that what a reader sees at the end is the verdict on all of them.
test: setup lint scripttest doctest fuzz-taste unit ## everything that has to be green

check: setup lint tidy ## what needs no running of the product: format, lints, house rules

lint: setup-build fmt clippy ## format and lints

fmt: ## is everything formatted?
	cargo fmt --all --check

clippy: ## lints, none let through
	cargo clippy --locked --workspace --all-targets -- -D warnings

tidy: ## the house rules
	cargo nextest run --locked -p stoa-tidy

unit: ## unit, model and integration tests
	cargo nextest run --locked --workspace

doctest: ## the examples in the documentation
	cargo test --locked --doc --workspace

scripttest: ## the scripts' own tests
	@scripts/scripttest.sh

sim: setup-build ## judge 2,000 runs of the simulator, or replay one: make sim SEED=7
	cargo run --quiet --locked -p stoa-sim --example trials -- $(or $(SEED),--seeds $(SEEDS) --first $(FIRST))

sim-nightly: setup-build ## judge 200,000 runs of the simulator
	cargo run --quiet --locked -p stoa-sim --example trials -- --seeds 200000 --first $(FIRST)

fuzz-taste: ## every fuzz target for a moment
	@scripts/fuzz.sh $(FUZZ_TASTE_SECONDS)

fuzz: setup-build ## every fuzz target for FUZZ_SECONDS (60)
	@scripts/fuzz.sh $(FUZZ_SECONDS)

bench: setup server ## our server against the servers people use: make bench BENCH_ARGS=--quick
	python3 scripts/bench/run.py $(BENCH_ARGS)

serializability: server ## is the running server strictly serializable? SEED= TXNS= SHARDS="1 2 3 8"
	cargo run --quiet --locked -p stoa-conformance --bin serializability

conformance: $(if $(filter redis,$(TARGET)),,server) ## suites that others wrote: CONFORMANCE_ARGS="--suite tcl"; TARGET=redis asks Redis the same
	@scripts/setup.sh conformance
	python3 scripts/conformance/run.py --target $(TARGET) $(CONFORMANCE_ARGS)

docker: ## build the image stoa, with server and client
	docker build -f deploy/Dockerfile -t stoa .

compose: docker ## serve from a container on 127.0.0.1:6379, io_uring allowed (stop: make compose-down)
	docker compose -f deploy/compose.yaml up -d --wait

compose-down: ## stop that container; its keys are gone
	docker compose -f deploy/compose.yaml down

deny: setup-build ## licences, duplicate versions, sources and advisories of what we depend on
	@scripts/deny.sh

# A crate that pages are made from has examples/docs.rs, which writes them; its tests say when they
# are out of date.
docs: ## write the generated pages anew, then the API documentation
	@for example in crates/*/examples/docs.rs; do \
		crate=$${example#crates/}; \
		cargo run --locked -q -p "stoa-$${crate%%/*}" --example docs; \
	done
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

hooks: ## run format, lints and unit tests before every commit
	git config core.hooksPath scripts/hooks

clean: ## remove everything built
	cargo clean
