# What can be done here. `make` alone lists it.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.PHONY: help demo test drill lint bench matrix large completions man image install clean

IMAGE ?= goodcache-redis:local

help: ## list these verbs
	@grep -E '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 22

demo: ## make a real six-node cluster here, fill, check, tune, drill, break, heal, back it up, restore it into another shape
	@tests/tools.sh compiler server
	@tests/demo.sh

test: ## run every test, on real servers and a real Docker Engine (installs what is missing)
	@tests/run.sh

drill: ## make a local cluster, kill one of its masters under load, judge that, as CI does (target/drill.xml)
	@tests/tools.sh compiler server
	@tests/ci-drill.sh

lint: ## check the format, the lints and the documentation
	@tests/tools.sh compiler
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

bench: ## measure side by side with redis-cli --cluster (some minutes)
	@tests/tools.sh compiler server
	cargo bench --locked --bench bench

matrix: ## run the version-sensitive tests over every server version that can be had
	@tests/tools.sh compiler server nextest pip
	@tests/matrix.sh

large: ## back up and restore a list and a string longer than any command may be (a minute or two, 3 GiB of memory)
	@tests/tools.sh compiler server nextest
	cargo nextest run --locked --run-ignored only -E 'test(/larger_than/)'

completions: ## write the shell completions into completions/
	cargo run --locked --quiet -- generate completions completions

man: ## write the manual pages into target/man
	cargo run --locked --quiet -- generate man target/man

image: ## make a small Docker image of the redis-server of this machine (IMAGE=name:tag)
	@tests/tools.sh server busybox docker
	@tests/image.sh $(IMAGE)

install: ## build and install goodcache into ~/.cargo/bin
	@tests/tools.sh compiler
	cargo install --locked --path .
	@echo "completions for bash, zsh and fish are in completions/; 'make man' writes manual pages"

clean: ## remove all that was built
	cargo clean
