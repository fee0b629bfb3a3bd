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
# A process for each part: MindSpore keeps every graph that it has compiled, a third of a gigabyte for a training step. Two at
# once, since to compile takes one core. With job control: without it the shell lets what is in the background ignore
# Ctrl-C, which some of the tests send.
set -m
others=$(mktemp)
{ pytest tests/segdata tests/*.py && pytest tests/segtrain/models; } > "$others" 2>&1 &
trap 'kill -- -$! 2> /dev/null || true; cat "$others"; rm -f "$others"' EXIT
pytest tests/segtrain --ignore tests/segtrain/models
wait $!
