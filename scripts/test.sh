#!/usr/bin/env bash
# Sets the project up in .venv and runs lint, types and tests. PYTHON=python3.12 chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/venv.sh

make_venv '[test]'
ruff check
ruff format --check
mypy
pytest "$@"
