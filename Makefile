# Everything sets itself up in a cache outside the tree (tools/setup.sh), so a second run downloads nothing.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SILENT:
.DEFAULT_GOAL := help

# Python's own cache of compiled modules: the tests start its commands hundreds of times.
unexport PYTHONDONTWRITEBYTECODE

CACHE := $(or $(RAY_SERVE_LLM_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ray-serve-llm)
export RAY_SERVE_LLM_CACHE := $(CACHE)
LOCAL := $(CACHE)/local
FAMILIES := falcon3 falcon-h1

# Each expands when a recipe needs it; the set-up that it does is printed there.
TEST_PYTHON = $$(tools/setup.sh python test)
ENGINE_PYTHON = $$(tools/setup.sh python engine)
RELEASE_PYTHON = $$(tools/setup.sh python release)
RAY_2_49_1_PYTHON = $$(tools/setup.sh python ray-2.49.1)
WITH_HELM = HELM="$$(tools/setup.sh helm)"
# helm is started thousands of times and lives for half a second each: it need not collect its garbage as often.
CHART_TOOLS = $(WITH_HELM) GOGC=400 KUBECONFORM="$$(tools/setup.sh go-tool kubeconform)" HELM_DOCS="$$(tools/setup.sh go-tool helm-docs)" \
	REGISTRY="$$(tools/setup.sh go-tool registry)" \
	KUBERAY_CRDS="$$(tools/setup.sh crds)" KUBERNETES_SPEC="$$(tools/setup.sh kubernetes-spec)" \
	GATEWAY_CRDS="$$(tools/setup.sh gateway-crds)" \
	GITOPS_CRDS="$$(tools/setup.sh gitops-crds)" GLUA="$$(tools/setup.sh go-tool glua)" \
	MONITORING_CRDS="$$(tools/setup.sh monitoring-crds)" PROMTOOL="$$(tools/setup.sh go-tool promtool)"
RELEASE_TOOLS = RELEASE_PYTHON="$(RELEASE_PYTHON)" WHEELS="$$(tools/setup.sh wheels)" REGISTRY="$$(tools/setup.sh go-tool registry)"
PYTEST = -m pytest --durations=5

.PHONY: help
help: ## What can be made
	sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS=$$'\t' read -r name text; do printf '  make %-15s %s\n' "$$name" "$$text"; done

.PHONY: demo serve checkpoints
demo: checkpoints ## Set everything up, serve two models on this machine, ask each one question, stop
	export $(WITH_HELM); python=$(ENGINE_PYTHON); \
	"$$python" -m generator generate --environment local; \
	"$$python" -m generator serve $(FAMILIES) --environment local --workdir $(LOCAL) --once

serve: checkpoints ## The same, and stay up until Ctrl-C
	export $(WITH_HELM); python=$(ENGINE_PYTHON); \
	"$$python" -m generator generate --environment local; \
	"$$python" -m generator serve $(FAMILIES) --environment local --workdir $(LOCAL)

checkpoints:
	$(ENGINE_PYTHON) tools/tiny_checkpoints.py --output $(LOCAL)/checkpoints

TIERS := lint unit chart contract local
.PHONY: test tiers $(TIERS)
test: $(TIERS) ## Set everything up and run every tier that needs no cluster
	echo 'all tiers passed: $(TIERS)'

tiers:
	echo $(TIERS)

lint: ## Style, types, imports, spelling, dead code, and whether every generated file is what is generated
	python=$(TEST_PYTHON); PATH="$$(dirname "$$python"):$$PATH" tools/lint.sh

unit: ## The generator's own logic, and a hundred inputs of every fuzz target
	$(TEST_PYTHON) $(PYTEST) tests/unit tests/fuzz

.PHONY: fuzz
fuzz: ## Every target of tests/fuzz, given many inputs (FUZZ_EXAMPLES=8000): a long run, its figures in tests/long-runs.json
	export $(CHART_TOOLS) FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),8000); $(TEST_PYTHON) -m tools.long_runs run fuzz $(ARGS)

chart: ## What helm renders, against the schemas of Kubernetes and KubeRay
	tools/ct.sh lint
	export $(CHART_TOOLS) $(RELEASE_TOOLS); \
	$(TEST_PYTHON) $(PYTEST) tests/chart

# What builds vLLM's layers, on the other core while the engines start.
LAYERS := $(addprefix tests/contract/ray_2_60_0/test_,vllm_weights.py default_configs.py kv_specs.py)
contract: contract-placement contract-rest ## What we emit is what Ray and vLLM accept, for each Ray release

# A Ray of their own, which gives up where others take the processors.
PLACEMENT := $(addprefix tests/contract/ray_2_60_0/test_,placement_in_ray.py halves_and_ranks.py builders.py)
.PHONY: contract-placement contract-rest
contract-placement:
	export $(WITH_HELM); $(ENGINE_PYTHON) $(PYTEST) $(PLACEMENT)

contract-rest:
	export $(WITH_HELM); python=$(ENGINE_PYTHON); old=$(RAY_2_49_1_PYTHON); \
	tools/beside.sh "$$python" $(PYTEST) $(LAYERS) -- \
		"$$python" $(PYTEST) tests/contract/ray_2_60_0 $(addprefix --ignore=,$(LAYERS) $(PLACEMENT)); \
	"$$old" $(PYTEST) tests/contract/ray_2_49_1

local: ## Real Ray and vLLM on this machine's CPU answer OpenAI requests
	export $(WITH_HELM) RELEASE_PYTHON="$(RELEASE_PYTHON)"; $(ENGINE_PYTHON) $(PYTEST) tests/local

.PHONY: ways
ways: ## Every way of serving, answered by real engines (WAY="disaggregated …"): a long run, its figures in tests/long-runs.json
	export $(WITH_HELM) VERSITYGW="$$(tools/setup.sh go-tool versitygw)"; $(ENGINE_PYTHON) -m tools.long_runs run ways $(WAY) $(ARGS)

.PHONY: watch
watch: checkpoints ## Alerts and dashboards of a real release, by a real Prometheus: a long run, its figures in tests/long-runs.json
	export $(WITH_HELM) PROMETHEUS="$$(tools/setup.sh go-tool prometheus)"; $(ENGINE_PYTHON) -m tools.long_runs run watch $(ARGS)

.PHONY: cluster cluster-down image test-cluster chaos pod-ways ct-install
cluster: ## Bring up a one-node cluster with KubeRay and the CPU image, or check the one that KUBECONFIG names
	$(TEST_PYTHON) -m tools.cluster up

cluster-down: ## Take it away: processes, mounts, network, files
	$(TEST_PYTHON) -m tools.cluster down

image: ## Build the CPU image (Ray and vLLM for clusters without GPUs) and print its archive
	$(TEST_PYTHON) -m tools.cluster image

# These start no pods: they have API servers of their own, or none. The other story has no load under which a request could be lost.
WITHOUT_PODS := $(addprefix tests/cluster/test_,kuberay_versions.py status.py live_preflight.py budgets.py edge.py)
WITHOUT_LOAD := tests/cluster/test_model_cache.py
# It needs cosign, which takes as long to compile as half of Kubernetes.
SIGNATURE := tests/cluster/test_signature.py
WITH_COSIGN = COSIGN="$$(tools/setup.sh go-tool cosign)"
# Two clusters of two models at once take nearly all memory of a small machine, so nothing runs beside this one.
LARGEST := tests/cluster/test_one_release.py
# Long runs: each fault, and each way of serving, has a release of its own.
LONG := tests/cluster/chaos tests/cluster/ways
ON_CLUSTER = export $(WITH_HELM) REGISTRY="$$(tools/setup.sh go-tool registry)"; \
	python=$(TEST_PYTHON); settings=$$("$$python" -m tools.cluster up); eval "$$settings";
test-cluster: ## Install, serve, upgrade, scale, roll back and remove on a real cluster (ARGS="--serving-path throughput FILE", …)
	$(if $(ARGS),export $(WITH_COSIGN); $(ON_CLUSTER) "$$python" $(PYTEST) $(ARGS),$(MAKE) signature cluster-stories cluster-largest)

.PHONY: signature cluster-stories cluster-largest
signature:
	export $(WITH_HELM) REGISTRY="$$(tools/setup.sh go-tool registry)" $(WITH_COSIGN); \
	$(TEST_PYTHON) $(PYTEST) $(SIGNATURE)

cluster-stories:
	$(ON_CLUSTER) tools/beside.sh "$$python" $(PYTEST) $(WITHOUT_PODS) -- "$$python" $(PYTEST) $(WITHOUT_LOAD); \
	"$$python" $(PYTEST) tests/cluster $(addprefix --ignore=,$(WITHOUT_PODS) $(WITHOUT_LOAD) $(SIGNATURE) $(LARGEST) $(LONG))

cluster-largest:
	$(ON_CLUSTER) "$$python" $(PYTEST) $(LARGEST)

chaos: ## Break a release on that cluster (FAULT="worker head …"): a long run, its figures in tests/long-runs.json
	$(ON_CLUSTER) "$$python" -m tools.long_runs run chaos $(FAULT) $(ARGS)

pod-ways: ## Ways of serving that need several pods, on that cluster (WAY="disaggregated …"): a long run, its figures in tests/long-runs.json
	export VERSITYGW="$$(tools/setup.sh go-tool versitygw)" ENGINE_PYTHON="$(ENGINE_PYTHON)"; \
	$(ON_CLUSTER) "$$python" -m tools.long_runs run pod-ways $(WAY) $(ARGS)

ct-install: ## Install every chart/ci/*-values.yaml in turn on that cluster, and run its `helm test`
	python=$(TEST_PYTHON); settings=$$("$$python" -m tools.cluster up); eval "$$settings"; tools/ct.sh install

.PHONY: dist
dist: ## Build what a release publishes into dist/: wheel, sdist, chart, bill of materials, checksums
	export $(WITH_HELM); python=$(RELEASE_PYTHON); "$$python" -m tools.release build $(ARGS); \
	"$$python" -m tools.release extras dist/*.whl

.PHONY: generate config-defaults architectures interfaces releases bench bench-serving profile-serving bench-sizing clean-cache
generate: ## Write schemas, values, the chart's facts and dashboards, the commands' page and the chart's README
	python=$(TEST_PYTHON); "$$python" -m generator schema; "$$python" -m generator generate; "$$python" tools/command_docs.py; \
	"$$python" -m tools.watch; \
	"$$python" -m tools.release version; \
	"$$(tools/setup.sh go-tool helm-docs)" --chart-search-root chart --log-level warning

config-defaults: ## Extract what configurations leave out, from transformers and vLLM
	$(ENGINE_PYTHON) -m tools.extract_config_defaults

architectures: ## Extract which vLLM has which model architecture, from its source archives (30 MB each)
	$(TEST_PYTHON) tools/extract_architectures.py $(INDEX)

interfaces: ## Extract which architectures serve no adapters or no pipeline stages, from the engine's vLLM (minutes)
	$(ENGINE_PYTHON) -m tools.extract_interfaces

releases: ## Extract what each Ray release accepts, from its wheels
	$(ENGINE_PYTHON) -m tools.extract_release
	$(RAY_2_49_1_PYTHON) -m tools.extract_release

bench: ## Whole-process times and memory of the generator and of helm
	export $(WITH_HELM); $(TEST_PYTHON) -m tools.bench

bench-serving: checkpoints ## The serving path beside the engine's own server: table and plot in docs/ (ARGS="--quick", …)
	export $(WITH_HELM); status=0; $(ENGINE_PYTHON) -m tools.bench_serving run $(ARGS) || status=$$?; \
	$(TEST_PYTHON) -m tools.bench_serving report; exit $$status

profile-serving: checkpoints ## Whose code the CPU time of one serving process is (ARGS="throughput --role router --role replica", …)
	export $(WITH_HELM); $(ENGINE_PYTHON) -m tools.bench_serving profile --py-spy "$$(dirname "$(TEST_PYTHON)")/py-spy" $(or $(ARGS),throughput)

bench-sizing: ## What `fit` predicts against what vLLM logged, row for row
	$(TEST_PYTHON) -m tools.bench_sizing

clean-cache: cluster-down ## Remove what set-up has installed (gigabytes)
	rm -rf "$(CACHE)"
