#!/usr/bin/env bash
# Sets the project up in .venv and runs lint, types and tests; builds the wheel and uses it in a new environment.
# PYTHON=python3.12 selects the interpreter. Where there is a newer Python, segdata is also tested with it in .venv-light,
# without MindSpore.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/venv.sh

# Assigned on its own, because only then a failure ends the script.
python=$(training_python)
make_venv .venv "$python" '[train,dask,remote,test,lint,docs]'
before=$PATH
export PATH="$PWD/.venv/bin:$PATH"
if [ $# -gt 0 ]; then
    bash scripts/lint.sh
    pytest "$@"
    exit
fi

# Lint uses one core, so the second environment is made meanwhile.
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
version=$(version_of "$python")
newer=$(PATH=$before newer_python "$version") || echo "No Python newer than $version: segdata is not tested without MindSpore."
[ -z "$newer" ] || make_venv .venv-light "$newer" '[dask,remote,test]' &
light=$!
bash scripts/lint.sh
wait "$light"

# The parts run at once, in processes of their own: compiling uses one core, and MindSpore keeps every compiled graph, a third
# of a gigabyte for a training step. The longest part has the right of way. Job control is on because without it background
# processes ignore Ctrl-C, which some of the tests send.
set -m
logs=$(mktemp -d)
without_mindspore() {
    [ -z "$newer" ] || PATH="$PWD/.venv-light/bin:$before" TEST_EXAMPLES=few nice pytest tests/segdata tests/test_without_mindspore.py
}
nice pytest tests/segdata tests/*.py > "$logs/segdata" 2>&1 &
parts=($!)
wheel() { PYTHON="$PWD/.venv/bin/python" nice bash scripts/wheel.sh; }
{ wheel && without_mindspore && nice pytest tests/segtrain/models; } > "$logs/others" 2>&1 &
parts+=($!)
finish() {
    local part
    for part in "${parts[@]}"; do kill -- "-$part" 2> /dev/null || true; done
    cat "$logs"/* 2> /dev/null || true
    rm -rf "$logs"
}
trap finish EXIT
pytest tests/segtrain --ignore tests/segtrain/models
for part in "${parts[@]}"; do wait "$part"; done
