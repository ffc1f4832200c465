# Everything a fresh machine with Go, git and make needs: `make demo` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/sh

include testdata/kube/kube.mk

# Packages under testdata are not matched by ./...
packages := ./... ./testdata/forge ./testdata/forge/openapi ./testdata/forge/graphql ./testdata/cases ./testdata/answers ./testdata/auditpage ./testdata/clocks ./testdata/kube ./testdata/pipeline ./testdata/faults ./testdata/demo ./testdata/runner ./testdata/mutate ./testdata/mutate/rules ./testdata/findings ./testdata/gitserver ./testdata/grants ./testdata/hook ./testdata/webhook ./testdata/oncall ./testdata/scene ./testdata/simulation ./testdata/simulation/cluster ./testdata/sshkey
# What is heavy and only tests need is in modules of its own, so that go.mod lists what the product is made of.
# testdata/browser drives the audit's page in Chromium, where it is installed (apt-get install chromium), and skips it elsewhere.
modules := testdata/monitoring testdata/browser
tools := $(CURDIR)/.cache/tools
version := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
commit := $(shell git rev-parse HEAD 2>/dev/null)
ldflags := -s -w -X main.version=$(version) -X main.commit=$(commit)

# The race detector needs a C compiler; where there is none the tests run without it and say so.
cc := $(shell command -v $$(go env CC) 2>/dev/null)
# What reads texts and shares nothing but behind a lock; to look for races inside took half of the time of the tests. Nothing that
# uses atomics may stand here: what it publishes would look like a race.
unwatched := bytes github.com/santhosh-tekuri/jsonschema/v6 go.yaml.in/yaml/v3 strconv unicode/utf8
race := $(if $(cc),-race $(foreach package,$(unwatched),-gcflags=$(package)=-race=false))
# Rooms where nothing runs beside anything else, their tests neither (TestSerialRooms): there is no race to find, and looking for
# one takes seven times as long.
serial := requests policies policies/codeowners policies/convert policies/rbac sync/plan sync/mapusers
# In virtual time the whole agent runs for hours, whose races the tests of its rooms look for; here that would take minutes.
virtual := testdata/simulation testdata/simulation/cluster
# The longest comes first: what begins after all others would be waited for alone.
raced = ./sync $(filter-out $(addprefix %/pullgrant/,$(serial) $(virtual) sync),$(shell go list $(packages)))
fuzztime := 5s

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | sort | awk -F'|' '{printf "  make %-17s %s\n", $$1, $$2}'

.PHONY: build
build: ## build bin/pullgrant
	@mkdir -p bin
	@echo 'building pullgrant (some minutes the first time, then seconds)'
	CGO_ENABLED=0 go build -trimpath -ldflags '$(ldflags)' -o bin/pullgrant ./cmd/pullgrant

release := https://github.com/pullgrant/pullgrant/releases/download/$(version)

.PHONY: release
release: ## build a release's binaries and their release/checksums
	@mkdir -p bin/release
	@: >bin/release/checksums
	@for target in amd64:X64 arm64:ARM64; do \
		file=pullgrant-linux-$${target%:*}; \
		CGO_ENABLED=0 GOOS=linux GOARCH=$${target%:*} go build -trimpath -ldflags '$(ldflags)' -o bin/release/$$file ./cmd/pullgrant || exit 1; \
		sum=$$(sha256sum bin/release/$$file) || exit 1; \
		echo "$${sum%% *} Linux/$${target#*:} $(release)/$$file" >>bin/release/checksums; \
	done
	@cat bin/release/checksums

.PHONY: demo
demo: kube build ## watch a request go from a pull request to a binding, its expiry and its record
	@echo 'building the demo'
	@go run ./testdata/demo $(if $(rights),-rights)

.PHONY: demo-up
demo-up: kube build ## leave forge, cluster and agent running until Ctrl-C, to try it by hand
	@echo 'building the demo'
	@go run ./testdata/demo -up

.PHONY: test
test: kube build lint $(tools)/act ## run every check and every test
	$(if $(race),,@echo 'no C compiler: the tests run without the race detector')
	go test -shuffle=on -count=1 $(addprefix ./,$(serial) $(virtual))
	@for module in $(modules); do (cd $$module && go test $(race) -shuffle=on -count=1 ./...) || exit 1; done
	go test $(race) -shuffle=on -count=1 -timeout 80m $(raced)
	@$(MAKE) fuzz fuzztime=2s
	$(if $(shell command -v spin),@$(MAKE) model configurations=quick,@echo 'no spin: the model is not searched')

.PHONY: lint
lint: $(tools)/staticcheck $(tools)/actionlint ## check formatting, vet, static analysis, workflows and module files
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these files'; exit 1; }
	go vet $(packages)
	$(tools)/staticcheck $(packages)
	$(tools)/actionlint
	go mod tidy -diff
	go mod verify
	@for module in $(modules); do \
		(cd $$module && go vet ./... && $(tools)/staticcheck ./... && go mod tidy -diff) || exit 1; \
	done

$(tools)/staticcheck: testdata/tools/go.mod
	@mkdir -p $(@D)
	@echo 'building staticcheck (about half a minute the first time)'
	@cd testdata/tools && go build -o $@ honnef.co/go/tools/cmd/staticcheck

$(tools)/actionlint: testdata/tools/go.mod
	@mkdir -p $(@D)
	@echo 'building actionlint (a few seconds)'
	@cd testdata/tools && go build -o $@ github.com/rhysd/actionlint/cmd/actionlint

$(tools)/act: testdata/runner/build/go.mod
	@mkdir -p $(@D)
	@echo 'building act, which runs the workflows (about half a minute the first time)'
	@cd testdata/runner/build && CGO_ENABLED=0 go build -o $@ github.com/nektos/act

.PHONY: bench
bench: kube ## measure, half an hour
	go test -run '^$$' -bench . -benchmem -timeout 60m $(packages)

# One build a package and every target from it; go test would link each time. What fuzzing learns stays in $(fuzzcache), what
# fails goes to testdata/fuzz of its package, to be checked in. Before Go 1.27 the end of the time may pass for a failure, by
# https://go.dev/issue/75804: one that leaves no input behind is none.
fuzzcache := $(CURDIR)/.cache/fuzz
fuzzed = $(sort $(dir $(shell grep -l '^func Fuzz' $(wildcard */*_test.go */*/*_test.go))))

.PHONY: fuzz
fuzz: ## fuzz each parser for $(fuzztime), e.g. make fuzz fuzztime=5m
	@mkdir -p $(fuzzcache)
	@for package in $(fuzzed); do \
		go test -c -fuzz . -o $(fuzzcache)/fuzz.test ./$$package || exit 1; \
		cd $$package; \
		for target in $$($(fuzzcache)/fuzz.test -test.list '^Fuzz'); do \
			$(fuzzcache)/fuzz.test -test.run '^$$' -test.fuzz "^$$target$$" -test.fuzztime $(fuzztime) -test.fuzzminimizetime 200x \
				-test.fuzzcachedir $(fuzzcache)/$$package >$(fuzzcache)/log 2>&1 || \
				{ grep -q '^ *context deadline exceeded$$' $(fuzzcache)/log && ! grep -q 'Failing input' $(fuzzcache)/log; } || \
				{ cat $(fuzzcache)/log; exit 1; }; \
			echo "$$package$$target $$(grep -o 'execs: [0-9]*' $(fuzzcache)/log | tail -1)"; \
		done; \
		cd $(CURDIR); \
	done

.PHONY: mutate
mutate: kube ## break the code of each room in many small ways and see tests fail, an hour
	go run ./testdata/mutate $(rooms)

.PHONY: mutate-rules
mutate-rules: kube ## break each rule of judgement once and see a test fail
	go run ./testdata/mutate/rules judgement $(rules)

.PHONY: mutate-simulation
mutate-simulation: ## break the agent and see the simulation's rules tell, a quarter of an hour
	go run ./testdata/mutate/rules simulation $(rules)

seeds := 20
from := 1
hours := 6

.PHONY: simulate
simulate: ## run the whole agent in virtual time under every fault, $(seeds) seeds of $(hours) hours
	go test -count=1 -timeout 0 -v ./testdata/simulation -run Faults -from $(from) -seeds $(seeds) -hours $(hours) -cut

.PHONY: model
model: ## search the model of granting, ending and recording, some minutes
	@testdata/model/run.sh $(configurations)

.PHONY: clean
clean: ## remove what make built
	rm -rf bin .cache
