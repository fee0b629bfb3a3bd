#!/usr/bin/env bash
# Runs the third of three published trainings of DeepLabV3+: output stride 8, VOC train, 8 devices.
# Needs DATA_FILE, TRAIN_DIR and CKPT_PRE_TRAINED (last.ckpt of the second).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/run.sh"

train_on_devices deeplabv3plus_s8_r2 "$@"
