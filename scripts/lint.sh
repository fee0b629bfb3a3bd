#!/usr/bin/env bash
# Runs lint, format, import contracts and types in .venv, which scripts/test.sh creates.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.venv/bin:$PATH"

ruff check
ruff format --check
lint-imports
mypy
