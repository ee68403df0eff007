# Everything that a person or a pipeline runs. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Set-up may install tools after make has started: commands find them, and what
# Pulumi needs, through this.
WITH := setup/with.sh

# Steps of set-up say how long they took, and the last one how long all of them.
STEP := setup/timed.sh
STARTED := $(shell date +%s)

# The ssh that `make remote` has made is found first.
ifneq ($(wildcard build/remote/ssh),)
export PATH := $(CURDIR)/build/remote:$(PATH)
endif

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

## --- the machine ---

.PHONY: setup engine pulumi base-images stack-tool swarm
setup: engine pulumi base-images stack-tool ## get what is missing: Docker engine, Pulumi, base images, the command `stack`

engine: ## a Docker engine that answers
	@$(STEP) "Docker engine" setup/engine.sh

pulumi: ## Pulumi's CLI, Go language host and plugins
	@$(STEP) "Go, Pulumi and its plugins" setup/pulumi.sh >/dev/null

stack-tool: ## the operator's tool, `stack`, in a folder of the PATH; setup/stack.sh remove takes it away
	@$(STEP) "the command stack" setup/stack.sh

base-images: engine ## all the images that ours are built from and those of the monitoring, or stand-ins
	@$(STEP) "base images" setup/base-images.sh

swarm: engine ## a Swarm manager; offers `docker swarm init`, never joins or leaves
	@setup/swarm.sh

.PHONY: remote remote-forget
remote: ## an ssh for the engine that DOCKER_HOST=ssh://... names, of DEPLOY_SSH_KEY and DEPLOY_KNOWN_HOSTS: for pipelines
	@setup/remote.sh

remote-forget: ## takes it away
	@setup/remote.sh forget

## --- the stacks ---

.PHONY: dev prod up new preview-comment
dev: engine pulumi stack-tool ## set the machine up for the dev stack, and bring that up
	@$(STEP) "base images" setup/base-images.sh for dev
	@$(STEP) "the stack dev" $(WITH) setup/state.sh exec dev pulumi up --stack dev --yes --skip-preview
	@$(WITH) setup/endpoints.sh dev $(STARTED)

prod: ## the same for prod; shows the changes and asks; YES=yes, or CI set: does not ask
	@$(MAKE) up STACK=prod

STACK ?= prod
up: engine pulumi stack-tool ## the same for STACK, as for prod; its file: Pulumi.STACK.yaml, which `make new` makes
	@if grep -Eqs "^ *tarot:runtime: *[\"']?swarm" Pulumi.$(STACK).yaml; then setup/swarm.sh; fi
	@$(STEP) "base images" setup/base-images.sh for $(STACK)
	@$(STEP) "the stack $(STACK)" $(WITH) setup/state.sh exec $(STACK) pulumi up --stack $(STACK) $(if $(CI)$(YES),--yes)
	@$(WITH) setup/endpoints.sh $(STACK) $(STARTED)

new: pulumi ## a file for STACK=..., made of FROM=prod's, with ports, subnets and volumes that nobody has; EDGE=prod HOST=shop.example.com: behind another stack
	@$(if $(filter command line environment,$(origin STACK)),,$(error make new wants STACK=...))
	@$(WITH) go run ./cmd/stack new $(STACK) $(if $(FROM),--from $(FROM)) $(if $(EDGE),--edge $(EDGE)) $(if $(HOST),--host $(HOST))

.PHONY: env-new env-list env-expire
env-new: pulumi ## a stack for a time: NAME=pr-7 TTL=72h, MEMORY=2g FROM=prod; goes by `make env-expire` with all that it has stored
	@$(if $(NAME),,$(error make env-new wants NAME=...))
	@$(WITH) go run ./cmd/stack env new "$$NAME" --ttl $(if $(TTL),"$$TTL",72h) $(if $(FROM),--from "$$FROM") $(if $(MEMORY),--memory "$$MEMORY")

env-list: ## the stacks that are there for a time; JSON=yes for scripts
	@$(WITH) go run ./cmd/stack env list $(if $(JSON),--json)

env-expire: pulumi ## removes those whose time is over; NAME=pr-7: that one now
	@$(WITH) go run ./cmd/stack env expire $(if $(NAME),"$$NAME")

.PHONY: releases rollback forward rotate clear-pending
releases: ## what STACK (prod) has run, and can be returned to
	@$(WITH) go run ./cmd/stack releases $(STACK)

rollback: ## return STACK to the release before, or to TO=...
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack rollback $(STACK) $${TO:+"$$TO"}

forward: ## after a rollback: STACK as its file says
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack forward $(STACK)

rotate: ## a new value for SECRET=... of STACK; without it: all its secrets, and what a new value of each restarts
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack rotate $(STACK) $(SECRET)

.PHONY: history lock lock-release
history: ## what was done with STACK: who, when, of which commit, what became of it; LAST=20; JSON=yes for scripts
	@$(WITH) go run ./cmd/stack history $(STACK) $(if $(LAST),--last $(LAST)) $(if $(JSON),--json)

lock: ## who changes STACK at the moment; JSON=yes for scripts
	@$(WITH) go run ./cmd/stack lock status $(STACK) $(if $(JSON),--json)

lock-release: ## frees STACK of somebody whose process is dead, and asks first; TAKE_OVER=yes: does not ask
	@$(WITH) go run ./cmd/stack lock release $(STACK) $(if $(TAKE_OVER),--yes)

clear-pending: ## after a killed `up`: Pulumi forgets the operations that it warns of as pending
	@$(WITH) setup/state.sh exec $(STACK) pulumi refresh --stack $(STACK) --yes --skip-preview --clear-pending-creates

.PHONY: volume-copy
volume-copy: ## FROM=... is copied to TO=... while nothing of STACK writes to it, which then comes up as its file says
	@$(if $(and $(FROM),$(TO)),,$(error make volume-copy wants FROM=... TO=..., two names of volumes))
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack volume-copy $(STACK) $(FROM) $(TO)

.PHONY: volume-move
volume-move: ## after `make destroy`: the volumes of STACK are brought to where volumes.mount wants them
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack volume-move $(STACK)

.PHONY: database-move
database-move: ## all data of STACK go from SQLite to its own PostgreSQL, or with TO=sqlite back, and it asks first; CONTINUE=yes or BACK=yes after one that was interrupted, FORGET=yes removes what was left
	@$(WITH) setup/base-images.sh for $(STACK) $(if $(filter sqlite,$(TO))$(FORGET),,postgres)
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack database move $(STACK) --to $(or $(TO),postgres) $(if $(YES),--yes) $(if $(CONTINUE),--continue) $(if $(BACK),--back) $(if $(FORGET),--forget)

.PHONY: database-upgrade
database-upgrade: ## STACK's own PostgreSQL goes to the newest version, and it asks first; CONTINUE=yes or BACK=yes after one that was interrupted, FORGET=yes removes what was replaced
	@$(WITH) setup/base-images.sh for $(STACK) upgrade
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack database upgrade $(STACK) $(if $(IMAGE),--image $(IMAGE)) $(if $(YES),--yes) $(if $(CONTINUE),--continue) $(if $(BACK),--back) $(if $(FORGET),--forget)

.PHONY: destroy
destroy: ## STACK=... goes, and asks first; its volumes stay where volumes.retain says so
	@$(if $(filter command line environment,$(origin STACK)),,$(error make destroy wants STACK=...))
	@$(WITH) go run ./cmd/stack guests $(STACK)
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack destroy $(STACK) $(if $(CI)$(YES),--yes)

STACKS ?= dev prod
preview-comment: ## what `pulumi preview` says of STACKS (dev prod), as a comment for a pull request
	@$(WITH) go run ./cmd/stack preview-comment build/preview-comment.md $(STACKS)

.PHONY: preview-state preview-fetch nightly
preview-state: ## what STACK is now, without its secrets, for previews of pull requests: build/preview-state
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack preview-state $(STACK)

preview-fetch: ## brings what the last deploy has handed over so; for GitHub Actions
	@$(WITH) go run ./cmd/stack preview-fetch

nightly: ## drift and known vulnerabilities of STACK, as build/nightly.md
	@$(WITH) setup/state.sh exec $(STACK) setup/stack-run.sh nightly $(STACK) build/nightly.md

.PHONY: images-update
images-update: ## what STACK's image tags mean now, as digests in its file; IMAGE="nginx.image python:3.11-slim": of these alone
	@$(WITH) go run ./cmd/stack images update $(STACK) $(IMAGE)

.PHONY: status audit logs run
status: ## what runs in STACK, and whether it is well; JSON=yes for scripts
	@$(WITH) go run ./cmd/stack status $(STACK) $(if $(JSON),--json)

audit: ## what runs in STACK, held against the CIS Docker Benchmark; JSON=yes for scripts
	@$(WITH) go run ./cmd/stack audit $(STACK) $(if $(JSON),--json)

.PHONY: preflight
preflight: ## the checklist before a deploy of STACK, as each `up` goes through it; JSON=yes for scripts
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack preflight $(STACK) $(if $(JSON),--json)

.PHONY: verify
verify: ## the checklist after a deploy of STACK: asks what users ask; JSON=yes for scripts
	@$(WITH) go run ./cmd/stack verify $(STACK) $(if $(JSON),--json)

.PHONY: drift
drift: ## what somebody has changed by hand in STACK; JSON=yes for scripts; ALERT=yes: tells the stack's receivers
	@$(WITH) go run ./cmd/stack drift $(STACK) $(if $(JSON),--json) $(if $(ALERT),--alert)

.PHONY: doctor
doctor: ## what is wrong with STACK, and what to do; ALL=yes what is well, too; JSON=yes for scripts
	@$(WITH) go run ./cmd/stack doctor $(STACK) $(if $(ALL),--all) $(if $(JSON),--json)

.PHONY: scan sbom scanner vulncheck
scan: scanner ## known vulnerabilities in what STACK runs, or in RELEASE=...; JSON=yes for scripts
	@$(WITH) go run ./cmd/stack scan $(STACK) $(RELEASE) $(if $(JSON),--json)

sbom: ## what the image that STACK runs is made of, as CycloneDX; RELEASE=... of another one, SERVICE=... of a service's own image
	@$(WITH) go run ./cmd/stack sbom $(STACK) $(RELEASE) $(if $(SERVICE),--service $(SERVICE))

scanner: ## grype, which looks for known vulnerabilities, built from the Go module proxy, once
	@setup/scanner.sh

vulncheck: ## known vulnerabilities in what this project's own programs call
	@$(WITH) scripts/vulncheck.sh

.PHONY: firewall firewall-list firewall-remove
firewall: ## this machine refuses whoever STACK's nginx.allowFrom does not name; DRY_RUN=yes prints the rules; takes root
	@$(WITH) go run ./cmd/stack firewall $(STACK) $(if $(DRY_RUN),--dry-run)

firewall-list: ## the rules that this machine has of STACK's
	@$(WITH) go run ./cmd/stack firewall $(STACK) --list

firewall-remove: ## takes them away
	@$(WITH) go run ./cmd/stack firewall $(STACK) --remove

logs: ## STACK's logs as they come; SERVICE=backend SINCE=10m LEVEL=error REQUEST=<id> FOLLOW=no
	@$(WITH) go run ./cmd/stack logs $(STACK) $(if $(SERVICE),--service $(SERVICE)) $(if $(SINCE),--since $(SINCE)) \
	  $(if $(LEVEL),--level $(LEVEL)) $(if $(REQUEST),--request $(REQUEST)) $(if $(FOLLOW),--follow=$(if $(filter no false 0,$(FOLLOW)),false,true))

run: ## runs SCHEDULE=... of STACK at once, shows what it prints, and ends as it ends
	@$(if $(SCHEDULE),,$(error make run wants SCHEDULE=...))
	@$(WITH) go run ./cmd/stack run-schedule $(STACK) $(SCHEDULE)

.PHONY: exec console run-once db maintenance-on maintenance-off open top scale
exec: ## runs CMD="..." in a replica of SERVICE (backend) of STACK; REPLICA=2
	@$(if $(CMD),,$(error make exec wants CMD="..."))
	@setup/stack-run.sh exec -s $(STACK) $(if $(REPLICA),--replica $(REPLICA)) $(or $(SERVICE),backend) -- $(CMD)

console: ## a shell, or the application's console, in a replica of SERVICE (backend) of STACK; REPLICA=2
	@setup/stack-run.sh console -s $(STACK) $(if $(REPLICA),--replica $(REPLICA)) $(SERVICE)

run-once: ## runs CMD="..." in a fresh container of SERVICE (backend) of STACK; TIMEOUT=1h
	@$(if $(CMD),,$(error make run-once wants CMD="..."))
	@setup/stack-run.sh run -s $(STACK) $(if $(TIMEOUT),--timeout $(TIMEOUT)) $(or $(SERVICE),backend) -- $(CMD)

db: ## a prompt for SQL on STACK's database, which reads only; WRITE=yes
	@setup/stack-run.sh db -s $(STACK) $(if $(WRITE),--write)

maintenance-on maintenance-off: ## users of STACK get the maintenance page, or are let in again, in seconds
	@setup/stack-run.sh maintenance -s $(STACK) $(@:maintenance-%=%)

open: ## STACK's address in a browser; WHAT=admin
	@setup/stack-run.sh open -s $(STACK) $(WHAT)

top: ## what each replica of STACK uses
	@setup/stack-run.sh top -s $(STACK)

scale: ## REPLICAS=... of SERVICE=backend of STACK: in its file, and by `pulumi up`
	@$(if $(REPLICAS),,$(error make scale wants REPLICAS=...))
	@$(WITH) setup/state.sh exec $(STACK) setup/stack-run.sh scale -s $(STACK) $(or $(SERVICE),backend) $(REPLICAS)

.PHONY: restore-machine
restore-machine: engine pulumi ## on an empty machine, STACK as it was: of its file, the passphrase and the target of its backups
	@if grep -Eqs "^ *tarot:runtime: *[\"']?swarm" Pulumi.$(STACK).yaml; then setup/swarm.sh; fi
	@setup/base-images.sh for $(STACK)
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack restore-machine $(STACK) $(if $(YES),--yes)
	@$(WITH) setup/endpoints.sh $(STACK)

.PHONY: restore restore-list restore-forget backup-verify backup-adopt backup-key
restore: ## brings back what STACK has stored, and asks first; AT=latest, a snapshot or 2026-11-26T14:03:00Z, ONLY=database, files or queue, INTO=folder, CONTINUE=yes or BACK=yes after one that was interrupted
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack restore $(STACK) $(if $(AT),--at $(AT)) $(if $(ONLY),--only $(ONLY)) $(if $(INTO),--into $(INTO)) \
	  $(if $(YES),--yes) $(if $(CONTINUE),--continue) $(if $(BACK),--back)

restore-list: ## what earlier restores of STACK have replaced, and is still kept
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack restore $(STACK) --list

restore-forget: ## removes for good what RUN, a restore of STACK, has replaced
	@$(if $(RUN),,$(error make restore-forget wants RUN=..., one of make restore-list))
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack restore $(STACK) --forget $(RUN)

backup-verify: ## rehearses a restore of STACK's backups now, and ends with 0 where all is right
	@$(WITH) go run ./cmd/stack backup verify $(STACK)

backup-adopt: ## the database of STACK is new on purpose: begins a history beside those that the target has
	@$(WITH) go run ./cmd/stack backup adopt $(STACK)

backup-key: ## shows the key of STACK's backups once, and keeps it, encrypted, in its file
	@$(WITH) setup/state.sh exec $(STACK) go run ./cmd/stack backup key $(STACK)

.PHONY: import
import: ## Pulumi.STACK.yaml of COMPOSE=docker-compose.yml; STACK=shop, BACKEND=web PROFILE=... KEEP=redis ENV_FILE=...
	@$(if $(COMPOSE),,$(error make import wants COMPOSE=docker-compose.yml, or several files))
	@$(if $(filter command line environment,$(origin STACK)),,$(error make import wants STACK=..., the new stack's name))
	@$(WITH) go run ./cmd/stack import $(COMPOSE) --stack $(STACK) $(if $(BACKEND),--backend $(BACKEND)) \
	  $(foreach name,$(PROFILE),--profile $(name)) $(foreach name,$(KEEP),--keep $(name)) $(foreach file,$(ENV_FILE),--env-file $(file))

.PHONY: test-alert
test-alert: ## sends an alert to whoever is told of STACK's
	@$(WITH) go run ./cmd/stack test-alert $(STACK)

.PHONY: version release-check
version: ## of this project, its commit, the engine, Pulumi and its plugins; JSON=yes for scripts
	@$(WITH) go run ./cmd/stack version $(if $(JSON),--json)

release-check: ## do VERSION, CHANGELOG.md and TAG=v1.4.0 agree? docs/releasing.md
	@$(WITH) go run ./cmd/stack release-check $(if $(TAG),"$$TAG")

## --- the checks ---

.PHONY: test test-unit test-app test-e2e test-long test-thorough lint
test: setup ## lint, unit tests, the application's, dev and prod end to end
	@scripts/test.sh lint unit app core

test-long: setup ## what is longer: releases and faults under load, alerts, what is gone or does not answer
	@scripts/test.sh long

test-thorough: setup ## the same in the other runtime, and each alert by its fault: before a release of this project
	@scripts/test.sh thorough

.PHONY: test-data
test-data: setup ## what is stored, and backed up, through faults, in both runtimes: each id is looked for; DATA_STORM=300 DATA_GONE=3600, in seconds
	@scripts/test.sh data

lint: ## go vet, staticcheck, shellcheck, ruff, actionlint
	@scripts/test.sh lint

test-unit: ## Go tests without an engine, in seconds
	@scripts/test.sh unit

test-app: ## the application's own tests, in its development image
	@scripts/test.sh app

test-e2e: ## dev and prod on the real engine: the end-to-end tests of `make test`
	@scripts/test.sh core

.PHONY: test-rollout
test-rollout: setup ## releases of every kind under load; ROLLOUT_RELEASES=20 ROLLOUT_RATE=200: the long form
	@scripts/test.sh rollout

.PHONY: test-monitoring
test-monitoring: setup ## metrics, dashboards and rules against a real stack; faults that have to be told
	@scripts/test.sh monitoring

.PHONY: test-security
test-security: setup ## doors, strangers, smuggling, certificates, the audit, secrets and networks, on real stacks; takes root
	@scripts/test.sh security

.PHONY: test-engine test-engines
test-engine: setup ## the short form of test-engines: a dev stack, and prod in both runtimes, on one store; takes root
	@scripts/test.sh engines

test-engines: setup ## whole stacks on Debian forky's Docker, beside this engine, with both image stores; takes root
	@scripts/test.sh all-engines

.PHONY: bench bench-rollout bench-monitoring bench-backup bench-idle docs clean
bench: setup ## the figures of docs/benchmarks.md
	@$(WITH) scripts/bench.sh

bench-rollout: setup ## releases under load beside those of other tools; PEERS_RELEASES=5
	@$(WITH) scripts/bench.sh rollout

bench-monitoring: setup ## what the monitoring costs: requests a second, memory, disk
	@$(WITH) scripts/bench.sh monitoring

bench-backup: setup ## what the continuous backup costs, and how long a restore takes: 10 MB, 200 MB, 1 GB
	@$(WITH) scripts/bench.sh backup

bench-idle: setup swarm ## what prod costs while nobody uses it, in processor time; IDLE_SECONDS=300
	@$(WITH) scripts/bench.sh idle

docs: ## what is generated: docs/configuration.md, setup/images.txt, the pictures of the stacks
	@mkdir -p build
	go generate ./internal/config
	go run ./cmd/stack images --all >build/images.txt && mv build/images.txt setup/images.txt
	go run ./cmd/stack picture $(foreach file,README.md README.zh-CN.md docs/architecture.md,--into $(file))

clean: ## what the checks and builds leave in this folder
	rm -rf build .build
