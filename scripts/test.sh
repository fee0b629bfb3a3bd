#!/usr/bin/env bash
# Sets the project up in .venv and runs lint, types and tests. PYTHON=python3.12 selects the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/venv.sh

make_venv '[test]'
ruff check
ruff format --check
lint-imports
mypy
if [ $# -gt 0 ]; then
    pytest "$@"
    exit
fi
# Each part runs in its own process, because MindSpore keeps every compiled graph: a third of a gigabyte for a training
# step. Two run at once, since compiling uses one core. Job control is on because without it background processes ignore
# Ctrl-C, which some of the tests send.
set -m
others=$(mktemp)
{ pytest tests/segdata tests/*.py && pytest tests/segtrain/models; } > "$others" 2>&1 &
trap 'kill -- -$! 2> /dev/null || true; cat "$others"; rm -f "$others"' EXIT
pytest tests/segtrain --ignore tests/segtrain/models
wait $!
