#!/usr/bin/env bash
# Sets the project up in .venv and runs lint, types and tests. PYTHON=python3.12 chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/venv.sh

make_venv '[test]'
ruff check
ruff format --check
mypy
if [ $# -gt 0 ]; then
    pytest "$@"
    exit
fi
# Two parts side by side, and a process for each: MindSpore keeps every graph that it has compiled, a third of a gigabyte
# for a training step.
failed=0
pytest tests/segdata tests/*.py > .venv/segdata-tests.log 2>&1 &
segdata=$!
pytest tests/segtrain/models || failed=1
pytest tests/segtrain --ignore tests/segtrain/models || failed=1
wait "$segdata" || failed=1
cat .venv/segdata-tests.log
exit "$failed"
