# The only door: every target is one line.
LGTM_VERIFY = cargo run --quiet --package scenarios --bin lgtm-verify --

.PHONY: help verify prove test lint bench snapshot accept stack-up stack-down kind-up kind-down image clean-runs test-kind

help: ## Show the targets.
	@grep -E '^[a-z-]+: ##' $(MAKEFILE_LIST) | sed 's/: ## /\t/' | expand -t 14

verify: ## Start the real servers (building them the first time), drive the pipelines, end with a verdict per criterion.
	$(LGTM_VERIFY) run --tag main

prove: ## Break the stack on purpose, one way at a time, and see that exactly the clauses concerned turn red (11 minutes).
	$(LGTM_VERIFY) prove

test: ## Pass all tests; the acceptance run on the real servers is one of them.
	cargo test --workspace

lint: ## Format, clippy, dependencies.
	cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings && cargo deny check bans licenses sources

bench: ## Measure the readers of stored objects beside the limit of the machine.
	cargo bench --package harness-core

snapshot: ## Write down which scenario covers which clause; a change of it is for review.
	$(LGTM_VERIFY) list > reports/coverage.snapshot.txt

accept: ## Accept new criteria and revisions into their lock; a text changed under the same revision is refused.
	$(LGTM_VERIFY) list --accept > target/criteria.lock && mv target/criteria.lock scenarios/criteria/criteria.lock

stack-up: ## Start the stack and leave it up.
	$(LGTM_VERIFY) stack up

stack-down: ## End the stack and remove its data.
	$(LGTM_VERIFY) stack down

kind-up: ## Make a kind cluster with the stack in it, or bring the one that is up to what is wanted.
	$(LGTM_VERIFY) kind up

kind-down: ## Remove the kind cluster and everything that is known about it.
	$(LGTM_VERIFY) kind down

test-kind: kind-up ## Bring the kind cluster up and run every scenario in it, as tests.
	LGTM_TARGET=kind cargo test --package scenarios --test acceptance

image: ## Make an image of the harness in Docker, for the nightly jobs, and print its reference.
	cargo run --quiet --profile image --package scenarios --bin lgtm-verify -- image

clean-runs: ## Remove the recorded runs.
	rm -rf reports/runs
