#!/usr/bin/env bash
# From nothing to a trained and evaluated network: sets the project up in .venv, makes a miniature VOC devkit in demo/
# and takes it the whole way. PYTHON=python3.12 chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/venv.sh

make_venv ''

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
step segtrain fit --recipe deeplabv3plus_cpu --data_file demo/records/train --train_dir demo/run \
    --train_epochs 30 --crop_size 97 --eval_data_file demo/records/val
step segtrain eval --data_file demo/records/val --ckpt_path demo/run/best.ckpt
step segtrain predict --images demo/VOCdevkit/VOC2012/JPEGImages --ckpt_path demo/run/best.ckpt --out demo/predictions

echo
echo "Pictures: $PWD/demo/predictions/overlay/*.png"
