#!/usr/bin/env bash
# Builds the wheel, installs it into a new environment, and runs segdata there, away from the sources.
# PYTHON=python3.14 selects the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# From a copy: setuptools keeps build/ beside the sources, and would put modules that no longer exist into the wheel.
mkdir "$folder/sources"
cp -r pyproject.toml README.md LICENSE segdata segtrain "$folder/sources"
"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$folder" "$folder/sources"
rm -rf "$folder/sources"
ls "$folder"

"$python" -m venv --without-pip "$folder/venv"
"$python" -m pip --python "$folder/venv/bin/python" install --quiet --disable-pip-version-check "$folder"/segdata-*.whl

cd "$folder"
export PATH="$folder/venv/bin:$PATH"
step() { echo; echo "\$ $*"; "$@"; }
step segdata sample data
step segdata voc-decolor --data_root data
step segdata voc-list --data_root data
step segdata preview data/voc_train_lst.txt --html look
step segdata to-mindrecord --data_root data --data_lst data/voc_train_lst.txt --dst_path records --num_shards 2
step segdata verify records
step segtrain recipes deeplabv3plus_cpu
