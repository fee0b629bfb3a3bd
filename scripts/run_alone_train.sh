#!/usr/bin/env bash
# Trains DeepLabV3+ at output stride 16 on one device, with the published settings.
# Needs DATA_FILE, TRAIN_DIR and CKPT_PRE_TRAINED (an ImageNet ResNet-101).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/run.sh"

train_alone deeplabv3plus_alone "$@"
