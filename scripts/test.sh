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
# A process for each part: MindSpore keeps every graph that it has compiled, a third of a gigabyte for a training step. Not
# in the background: there the shell lets processes ignore Ctrl-C, which some of the tests send.
pytest tests/segdata tests/*.py
pytest tests/segtrain/models
pytest tests/segtrain --ignore tests/segtrain/models
