# ftp-operator. "make" alone lists the targets.

SHELL := /usr/bin/env bash -o pipefail
.DEFAULT_GOAL := help

VERSION ?= dev
# Names of the images, for clusters that take them from a registry.
export OPERATOR_IMAGE ?= localhost/ftp-operator:dev
export SERVER_IMAGE ?= localhost/ftpserver:dev
export FRONT_IMAGE ?= localhost/ftp-front:dev
NODES ?= 1

LDFLAGS := -s -w -X main.version=$(VERSION)
CLUSTER := hack/cluster/cluster

##@ Everyday
.PHONY: help build test-unit fmt lint generate verify
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build both programs into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/ftp-operator .
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/ftpserver ./ftpserver

test-unit: ## The fast loop: unit tests, no cluster, no API server
	go test ./controllers/policy/... ./controllers/render/... ./ftpserver/...

fmt: ## Format the code
	gofmt -w $$(git ls-files '*.go')

lint: ## Lint, with the import arrows between the folders
	hack/lint.sh

generate: ## Write CRDs, RBAC, deep copies, the chart's copies and the API reference
	hack/codegen/generate.sh

verify: ## Fail where generated files are not current
	hack/codegen/verify.sh

##@ Gates
.PHONY: test test-full
test: ## The gate: generated files, lint, unit, API, controller, race, fuzz, client and end-to-end tests
	hack/test.sh gate

test-full: ## What is too long for the gate: large files, every mode, the soak, the cluster's own tests
	hack/test.sh full

.PHONY: fuzz soak client-matrix
FUZZ ?= 20000x
fuzz: ## Every fuzz target with so many inputs (FUZZ=20000x), or for a time
	hack/fuzz.sh run $(FUZZ)

SOAK ?= 30m
soak: ## Clients work, break off and die for a while, and nothing may grow (SOAK=30m)
	hack/tools/packages.sh clients
	FTP_SOAK=$(SOAK) go test ./test/clients -run '^TestSoak$$' -count=1 -v -timeout 24h

client-matrix: ## Watch every FTP client at work, and write docs/clients.md's tables anew
	hack/tools/packages.sh clients curl-current
	FTP_MATRIX=$(CURDIR)/docs/clients.md go test ./test/clients -run '^TestClientMatrix$$' -count=1 -parallel 6 -timeout 20m

##@ Speed, beside other servers (root on Debian; see docs/benchmarks.md)
.PHONY: bench bench-quick
bench: ## Every row in at least 9 rounds: about two hours (BENCH_FLAGS)
	hack/bench/run.sh $(BENCH_FLAGS)

bench-quick: ## The main rows, small, in 3 rounds: about ten minutes
	hack/bench/run.sh -quick $(BENCH_FLAGS)

##@ A local Kubernetes, without Docker (root on Debian)
.PHONY: cluster-up cluster-down cluster-load images install-operator demo
cluster-up: ## Bring it up (NODES=1|2, PROXY_MODE, IP_FAMILIES)
	$(CLUSTER) up --nodes $(NODES)

cluster-down: ## End it and leave nothing behind
	$(CLUSTER) down

images: ## Build the images into bin/images/
	hack/images/build.sh --version $(VERSION)

cluster-load: images ## Build the images and put them into the local cluster
	$(CLUSTER) load $(foreach image,operator ftpserver front,bin/images/$(image)-$$(go env GOARCH).tar)

install-operator: ## Install the operator into the cluster of KUBECONFIG, or the local one
	hack/install-operator.sh

demo: ## Cluster, operator, samples, and a file over FTPS from outside the cluster
	hack/demo.sh
