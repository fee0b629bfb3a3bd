#!/usr/bin/env bash
# Runs the first of three published trainings of DeepLabV3+: output stride 16, VOC trainaug, 8 devices.
# Needs DATA_FILE, TRAIN_DIR and CKPT_PRE_TRAINED (an ImageNet ResNet-101).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/run.sh"

train_on_devices deeplabv3plus_s16_r1 "$@"
