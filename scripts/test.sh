#!/usr/bin/env bash
# Sets the project up in .venv and runs lint, types and tests; builds the wheel and uses it in a new environment.
# PYTHON=python3.12 selects the interpreter. Where there is a newer Python, segdata is also tested with it in .venv-light,
# without MindSpore. Property tests try the same examples in each run; those of pytest alone, and of
# TEST_EXAMPLES=new bash scripts/test.sh, are new ones.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/venv.sh

# Assigned on its own, because only then a failure ends the script.
python=$(training_python)
before=$PATH
export TEST_EXAMPLES="${TEST_EXAMPLES:-same}"
set_up() {
    make_venv .venv "$python" '[train,dask,remote,test,lint,docs]'
    export PATH="$PWD/.venv/bin:$PATH"
    bash scripts/lint.sh
}
if [ $# -gt 0 ]; then
    set_up
    pytest "$@"
    exit
fi

# The parts run at once, in processes of their own: compiling uses one core, and MindSpore keeps every compiled graph, a third
# of a gigabyte for a training step. The first part has the right of way. Job control is on because without it background
# processes ignore Ctrl-C, which some of the tests send.
set -m
logs=$(mktemp -d)
parts=()
finish() {
    local part
    for part in "${parts[@]}"; do kill -- "-$part" 2> /dev/null || true; done
    cat "$logs"/* 2> /dev/null || true
    rm -rf "$logs"
}
trap finish EXIT

version=$(version_of "$python")
newer=$(newer_python "$version") || echo "No Python newer than $version: segdata is not tested without MindSpore."
without_mindspore() {
    [ -n "$newer" ] || return 0
    make_venv .venv-light "$newer" '[dask,remote,test]'
    PATH="$PWD/.venv-light/bin:$before" TEST_EXAMPLES=few nice pytest tests/segdata tests/test_without_mindspore.py
}
others() {
    until [ -e "$logs/set_up" ]; do sleep 1; done
    export PATH="$PWD/.venv/bin:$PATH"
    PYTHON=python nice bash scripts/wheel.sh
    nice pytest tests/segtrain/distributed
}
# Installing and lint use one core each, so the second environment is used meanwhile.
(without_mindspore; others) > "$logs/others" 2>&1 &
parts+=($!)

set_up
touch "$logs/set_up"
nice pytest tests/segdata tests/*.py > "$logs/segdata" 2>&1 &
parts+=($!)
pytest tests/segtrain --ignore tests/segtrain/models --ignore tests/segtrain/distributed
pytest tests/segtrain/models
for part in "${parts[@]}"; do wait "$part"; done
