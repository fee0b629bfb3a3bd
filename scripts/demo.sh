#!/usr/bin/env bash
# Sets the project up in .venv, creates a miniature VOC devkit in demo/, and runs every step on it up to a trained and
# evaluated network. PYTHON=python3.12 selects the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/venv.sh

# Assigned on its own, because only then a failure ends the script.
python=$(training_python)
make_venv .venv "$python" '[train]'
export PATH="$PWD/.venv/bin:$PATH"

step() { echo; echo "\$ $*"; "$@"; }

rm -rf demo
step segdata sample demo
step segdata voc-decolor --data_root demo
step segdata voc-list --data_root demo
for split in train val; do
    step segdata to-mindrecord --data_root demo --data_lst "demo/voc_${split}_lst.txt" \
        --dst_path "demo/records/$split" --num_shards 8
    step segdata verify "demo/records/$split"
done
# The drawn images have 80 to 128 pixels. At these scales, training sees them at the crop's size, as evaluation does.
step segtrain fit --recipe deeplabv3plus_cpu --data_file demo/records/train --train_dir demo/run \
    --eval_data_file demo/records/val --train_epochs 30 --crop_size 97 --min_scale 0.5 --max_scale 1.0
step segtrain eval --data_file demo/records/val --ckpt_path demo/run/best.ckpt | tee demo/eval.txt
step segtrain predict --images demo/VOCdevkit/VOC2012/JPEGImages --ckpt_path demo/run/best.ckpt --out demo/predictions

echo
echo "$(grep '^mIoU' demo/eval.txt) on the validation set"
echo "Pictures:"
ls -d "$PWD"/demo/predictions/overlay/* | tail -n 8
