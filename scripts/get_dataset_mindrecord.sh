#!/usr/bin/env bash
# Creates the record sets for the published trainings and evaluations: vocaug_train (10582 rows), voc_train (1464),
# voc_val (1449). Needs DATA_ROOT, with VOCdevkit and benchmark_RELEASE (SBD) below it, and DST_PATH. Options are passed
# to every conversion, so use only those that all of them have, such as --overwrite. Another run writes the masks and
# lists of the former one again, and keeps its record sets; with --overwrite, it writes these again, too.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/run.sh"

need DATA_ROOT "the folder that contains VOCdevkit and benchmark_RELEASE" DST_PATH "the folder for the record sets"
keep=--resume
[[ " $* " != *" --overwrite "* ]] || keep=
for command in voc-decolor voc-list sbd-merge; do
    run segdata "$command" --data_root "$DATA_ROOT" --overwrite "$@"
done
for name in vocaug_train voc_train voc_val; do
    run segdata to-mindrecord --data_root "$DATA_ROOT" --data_lst "$DATA_ROOT/${name}_lst.txt" \
        --dst_path "$DST_PATH/$name" --num_shards 8 ${keep:+"$keep"} "$@"
    run segdata verify "$DST_PATH/$name"
done
