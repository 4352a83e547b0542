#!/usr/bin/env bash
# chart-testing, with the programs that it looks for on PATH: `tools/ct.sh lint`, `tools/ct.sh install`.
# `install` installs every chart/ci/*-values.yaml in turn, each in a namespace of its own, and runs `helm test`: on the
# cluster of $KUBECONFIG, whose nodes have the CPU image (make cluster).
set -euo pipefail
cd "$(dirname "$0")/.."

python=$(tools/setup.sh python test)
ct=$(tools/setup.sh go-tool ct)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$(tools/setup.sh helm)" "$folder/helm"
PATH=$folder:$(dirname "$python"):$PATH

options=()
case ${1:-} in
    lint)
        settings=$(tools/setup.sh ct-settings)
        options=(--chart-yaml-schema "$settings/chart_schema.yaml" --lint-conf "$settings/lintconf.yaml")
        ;;
    install)
        : "${KUBECONFIG:?tools/ct.sh install: set KUBECONFIG to a cluster that is there for tests (make cluster)}"
        ln -s "$(command -v kubectl || tools/setup.sh go-tool kubectl)" "$folder/kubectl"
        ;;
esac
"$ct" "$@" --config ct.yaml "${options[@]}"
