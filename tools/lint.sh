#!/usr/bin/env bash
# What holds every file to one style, and every generated file to what is generated: `make lint`, and the hooks of pre-commit.
#
#   tools/lint.sh           all checks, each to its end
#   tools/lint.sh NAME…     these only
#   tools/lint.sh --list    their names
#
# The programs are those on PATH: `uv run tools/lint.sh`, or `make lint`, which brings the pinned ones.
# Where shellcheck or actionlint cannot be had it is left out, and that is said; with CI set that is a failure.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

checks=(ruff format mypy imports spelling dead-code shell workflows generated)

lint_ruff() { ruff check .; }
lint_format() { ruff format --check .; }
lint_mypy() { mypy; }
lint_imports() { lint-imports --no-logo; }
lint_spelling() { codespell; }

lint_dead_code() {
    # Fields of models and dataclasses are variables to vulture, and files fill and read them; ruff sees local ones (F841).
    local output status=0
    output=$(vulture) || status=$?
    output=$(grep -vE ': unused (variable|attribute) ' <<<"$output")
    [ -z "$output" ] || printf '%s\n' "$output"
    [ -z "$output" ] && { [ "$status" -eq 0 ] || [ "$status" -eq 3 ]; } # 3: found something, fields too; else no answer
}

lint_shell() { without shellcheck || shellcheck -x tools/*.sh .ci/run; }

lint_workflows() {
    local actionlint
    if command -v go >/dev/null; then
        actionlint=$(tools/setup.sh go-tool actionlint) || return
        "$actionlint" .github/workflows/*.yaml
    else
        without actionlint || actionlint .github/workflows/*.yaml
    fi
}

lint_generated() {
    python -m generator schema --check && python -m generator generate --check && python tools/command_docs.py --check && python -m tools.watch --check && python -m tools.release version --check
}

without() { # PROGRAM: whether to go on without it
    ! command -v "$1" >/dev/null || return
    printf 'lint: %s is not on PATH, and what it checks is left out\n' "$1" >&2
    [ -z "${CI:-}" ] || exit 1
}

if [ "${1:-}" = --list ]; then
    printf '%s\n' "${checks[@]}"
    exit
fi
[ $# -gt 0 ] || set -- "${checks[@]}"
for name in "$@"; do
    if [[ " ${checks[*]} " != *" $name "* ]]; then
        printf 'lint: no check is called %s; there are: %s\n' "$name" "${checks[*]}" >&2
        exit 2
    fi
done
if ! command -v ruff >/dev/null; then
    printf 'lint: ruff and the others are not on PATH; run: make lint, or: uv run tools/lint.sh\n' >&2
    exit 2
fi
failed=()
for name in "$@"; do
    printf 'lint: %s\n' "$name" >&2
    ("lint_${name//-/_}") || failed+=("$name")
done
if [ ${#failed[@]} -gt 0 ]; then
    printf 'lint: failed: %s\n' "${failed[*]}" >&2
    exit 1
fi
