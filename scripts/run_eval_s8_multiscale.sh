#!/usr/bin/env bash
# Evaluates DeepLabV3+ at output stride 8, at five scales, as published.
# Needs DATA_ROOT, DATA_LST and CKPT_PATH.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/run.sh"

evaluate DeepLabV3plus_s8 "${multiscale[@]}" "$@"
