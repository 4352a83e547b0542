#!/usr/bin/env bash
# Sets up what `make` needs, in a cache outside the tree, and prints where it is. Nothing is done twice.
#
#   tools/setup.sh python NAME     a virtual environment with requirements/NAME.txt; prints its python
#   tools/setup.sh helm            Helm 3: the one on PATH, else built with Go, else Helm's own release
#   tools/setup.sh go-tool NAME    a program that the tests run, built with Go; prints its path
#   tools/setup.sh crds            the CRDs of the KubeRay versions that are tested; prints version=folder, :-separated
#   tools/setup.sh gateway-crds    the folder with the CRDs of the Gateway API
#   tools/setup.sh gitops-crds     the folders with the CRDs of Argo CD and Flux, :-separated
#   tools/setup.sh monitoring-crds the folder with the CRDs of the Prometheus operator
#   tools/setup.sh ct-settings     the folder with the rules of `ct lint`
#   tools/setup.sh kubernetes-spec the OpenAPI document of the Kubernetes API; prints its path
#   tools/setup.sh wheels          a folder with the wheels of requirements/runtime.txt, for this Python; prints its path
#
# The cache is $RAY_SERVE_LLM_CACHE, or ray-serve-llm below $XDG_CACHE_HOME (~/.cache). Progress goes to stderr.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/versions.env
. tools/versions.env

cache=${RAY_SERVE_LLM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ray-serve-llm}
bin=$cache/bin
mkdir -p "$bin"
export GOGC=${GOGC:-400} # compilers that collect less garbage take a tenth to a quarter less of the processor

say() { printf '%s\n' "setup: $*" >&2; }
fail() { printf '%s\n' "setup: error: $1" "  $2" >&2; exit 2; }

# One set-up of a thing at a time, also for `make -j` and for two clones; different things wait for the network or for the
# processor, and may overlap.
mkdir -p "$cache/locks"
exec 9>"$cache/locks/${1:-none}-${2:-all}"
flock 9

python_on_path() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or later on PATH" "Install one, or name it: make PYTHON=/path/to/python3.11 …"
}

venv_of() { # NAME: the folder for this lock file and this Python
    local key
    key=$( { cat "requirements/$1.txt"; "$2" -c 'import sys; print(sys.version, sys.base_prefix)'; } | sha256sum)
    printf '%s/python/%s-%s\n' "$cache" "$1" "${key:0:12}"
}

uv() {
    local python=$1 folder
    shift
    folder=$(venv_of bootstrap "$python")
    exec 8>"$cache/locks/uv"
    flock 8
    if [ ! -e "$folder/.complete" ]; then
        say "installing uv"
        rm -rf "$folder"
        "$python" -m venv "$folder"
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
            -r requirements/bootstrap.txt >&2
        touch "$folder/.complete"
    fi
    exec 8>&-
    "$folder/bin/uv" "$@"
}

setup_python() {
    local name=$1 python folder
    [ -f "requirements/$name.txt" ] || fail "no requirements/$name.txt" "Known: $(cd requirements && ls ./*.txt)"
    python=$(python_on_path)
    folder=$(venv_of "$name" "$python")
    if [ ! -e "$folder/.complete" ]; then
        say "installing requirements/$name.txt into $folder ($(case $name in engine | ray-*) echo 'about 6 GB, minutes' ;; *) echo 'about 100 MB' ;; esac))"
        rm -rf "$folder"
        uv "$python" venv --quiet --python "$python" "$folder" >&2
        uv "$python" pip sync --quiet --require-hashes --compile-bytecode --python "$folder/bin/python" "requirements/$name.txt" >&2
        touch "$folder/.complete"
        say "installed requirements/$name.txt"
    fi
    printf '%s\n' "$folder/bin/python"
}

setup_wheels() { # from the package index to a folder, where pip needs neither index nor network
    local python folder key
    python=$(tools/setup.sh python release) # which waits for another that installs it
    key=$( { cat requirements/runtime.txt; "$python" -c 'import sys; print(sys.version)'; } | sha256sum)
    folder=$cache/wheels-${key:0:12}
    if [ ! -e "$folder/.complete" ]; then
        say "downloading the wheels of requirements/runtime.txt (about 40 MB)"
        rm -rf "$folder"
        "$python" -m pip download --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
            --dest "$folder" -r requirements/runtime.txt >&2
        touch "$folder/.complete"
    fi
    printf '%s\n' "$folder"
}

go_build() { # PROGRAM MODULE@VERSION: build into the cache
    local target=$bin/$1-${2##*@}
    if [ ! -x "$target" ]; then
        say "building $2 with Go (minutes, once)"
        local folder
        folder=$(mktemp -d "$cache/go.XXXXXX")
        GOBIN=$folder GOFLAGS=-mod=mod go install "$2" >&2
        mv "$folder/$1" "$target"
        rmdir "$folder"
    fi
    printf '%s\n' "$target"
}

setup_helm() {
    local target=$bin/helm-$HELM_VERSION
    if [ -x "$target" ]; then
        printf '%s\n' "$target"
    elif command -v helm >/dev/null && helm version --short 2>/dev/null | grep -q '^v3\.'; then
        command -v helm
    elif command -v go >/dev/null; then
        go_build helm "helm.sh/helm/v3/cmd/helm@$HELM_VERSION"
    else
        helm_release "$target"
    fi
}

helm_release() { # Helm's own release, with the checksum that is published beside it
    local os arch archive folder
    os=$(uname -s | tr '[:upper:]' '[:lower:]')
    arch=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
    archive=helm-$HELM_VERSION-$os-$arch.tar.gz
    command -v curl >/dev/null || fail "no helm, no go and no curl on PATH" "Install Helm 3 (https://helm.sh/docs/intro/install/)."
    say "downloading Helm $HELM_VERSION"
    folder=$(mktemp -d "$cache/helm.XXXXXX")
    if ! curl -fsSL --retry 2 -o "$folder/$archive" "https://get.helm.sh/$archive" ||
        ! curl -fsSL --retry 2 -o "$folder/$archive.sha256sum" "https://get.helm.sh/$archive.sha256sum"; then
        rm -rf "$folder"
        fail "Helm could not be downloaded" "Install Helm 3 or Go, and run the command again."
    fi
    (cd "$folder" && sha256sum --check --quiet "$archive.sha256sum") || fail "the checksum of $archive is wrong" "Try again."
    tar -xzf "$folder/$archive" -C "$folder"
    mv "$folder/$os-$arch/helm" "$1"
    rm -rf "$folder"
    printf '%s\n' "$1"
}

go_build_pinned() { # PROGRAM PACKAGE FOLDER FLAGS…: build what tools/go/FOLDER pins, into the cache
    local program=$1 package=$2 folder=tools/go/$3 key target
    shift 3
    key=$(cat "$folder"/* | sha256sum)
    target=$bin/$program-${key:0:12}
    if [ ! -x "$target" ]; then
        say "building $program ($package) with Go (minutes, once)"
        (cd "$folder" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath "$@" -o "$target.new" "$package") >&2
        mv "$target.new" "$target"
    fi
    printf '%s\n' "$target"
}

setup_go_tool() {
    local name=$1 stamp=k8s.io/component-base/version
    if ! command -v go >/dev/null; then
        command -v "$name" ||
            fail "the tests need $name, and neither it nor Go is on PATH" "Install Go (https://go.dev/dl) or $name."
        return
    fi
    case $name in
        kubeconform) go_build "$name" "github.com/yannh/kubeconform/cmd/kubeconform@$KUBECONFORM_VERSION" ;;
        helm-docs) go_build "$name" "github.com/norwoodj/helm-docs/cmd/helm-docs@$HELM_DOCS_VERSION" ;;
        actionlint) go_build "$name" "github.com/rhysd/actionlint/cmd/actionlint@$ACTIONLINT_VERSION" ;;
        glua) go_build "$name" "github.com/yuin/gopher-lua/cmd/glua@$GLUA_VERSION" ;;
        coredns) go_build_pinned "$name" . coredns ;;
        kind) go_build "$name" "sigs.k8s.io/kind@$KIND_VERSION" ;;
        ct) go_build_pinned "$name" github.com/helm/chart-testing/v3/ct chart-testing ;;
        etcd) go_build_pinned "$name" go.etcd.io/etcd/server/v3 etcd ;;
        pause) go_build_pinned "$name" . pause ;;
        # Without the clients of thirty clouds, in which it would look for what to scrape.
        prometheus | promtool)
            go_build_pinned "$name" "github.com/prometheus/prometheus/cmd/$name" prometheus -tags remove_all_sd
            ;;
        registry) go_build_pinned "$name" . registry ;;
        cosign) go_build "$name" "github.com/sigstore/cosign/v3/cmd/cosign@$COSIGN_VERSION" ;;
        versitygw) go_build "$name" "github.com/versity/versitygw/cmd/versitygw@$VERSITYGW_VERSION" ;;
        ray-operator) go_build_pinned "$name" github.com/ray-project/kuberay/ray-operator kuberay ;;
        kube-apiserver | kube-controller-manager | kube-scheduler | kube-proxy | kubelet | kubectl)
            # Without the stamp the API server calls itself v0.0.0, and Helm refuses charts by that.
            go_build_pinned "$name" "k8s.io/kubernetes/cmd/$name" kubernetes -ldflags \
                "-s -w -X $stamp.gitVersion=$KUBERNETES_VERSION -X $stamp.gitMajor=1 -X $stamp.gitMinor=$(cut -d. -f2 <<<"$KUBERNETES_VERSION")"
            ;;
        *) fail "unknown tool $name" "Known: the names in setup_go_tool of $0." ;;
    esac
}

go_module() { # MODULE@VERSION: its folder, downloaded when needed
    local stamp
    command -v go >/dev/null || fail "the tests read $1 and need Go for that" "Install Go (https://go.dev/dl)."
    stamp=$cache/go-module-$(printf '%s' "$1" | tr '/@' '__')
    if [ ! -s "$stamp" ] || [ ! -d "$(cat "$stamp")" ]; then
        say "reading $1"
        (cd "$cache" && go mod download -json "$1") | sed -n 's/.*"Dir": "\(.*\)",*/\1/p' >"$stamp"
    fi
    cat "$stamp"
}

setup_crds() {
    local version folders=()
    for version in $KUBERAY_VERSIONS; do
        folders+=("${version#v}=$(go_module "github.com/ray-project/kuberay/ray-operator@$version")/config/crd/bases")
    done
    (IFS=: && printf '%s\n' "${folders[*]}")
}

setup_gitops_crds() {
    local folders=("$(go_module "github.com/argoproj/argo-cd/v3@$ARGO_CD_VERSION")/manifests/crds")
    folders+=("$(go_module "github.com/fluxcd/helm-controller@$FLUX_HELM_CONTROLLER_VERSION")/config/crd/bases")
    folders+=("$(go_module "github.com/fluxcd/source-controller@$FLUX_SOURCE_CONTROLLER_VERSION")/config/crd/bases")
    (IFS=: && printf '%s\n' "${folders[*]}")
}

setup_monitoring_crds() {
    printf '%s\n' "$(go_module "github.com/prometheus-operator/prometheus-operator@$PROMETHEUS_OPERATOR_VERSION")/example/prometheus-operator-crd"
}

case ${1:-} in
    python) setup_python "$2" ;;
    helm) setup_helm ;;
    go-tool) setup_go_tool "$2" ;;
    crds) setup_crds ;;
    gateway-crds) printf '%s\n' "$(go_module "sigs.k8s.io/gateway-api@$GATEWAY_API_VERSION")/config/crd/standard" ;;
    gitops-crds) setup_gitops_crds ;;
    monitoring-crds) setup_monitoring_crds ;;
    ct-settings) printf '%s\n' "$(go_module "$(sed -n 's/^.*\(github.com\/helm\/chart-testing\/v3\) /\1@/p' tools/go/chart-testing/go.mod)")/etc" ;;
    wheels) setup_wheels ;;
    kubernetes-spec) printf '%s\n' "$(go_module "k8s.io/kubernetes@$KUBERNETES_VERSION")/api/openapi-spec/swagger.json" ;;
    *) sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 2 ;;
esac
