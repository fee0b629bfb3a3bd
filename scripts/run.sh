# Functions for the published scripts, which source this file. DRY_RUN=1 prints the commands instead of running them.
# Options of a script are passed to the program and take precedence: bash scripts/run_eval_s16.sh --device_target CPU

run() {
    local line
    printf -v line '%q ' "$@"
    echo "${line% }"
    [ "${DRY_RUN:-0}" = 1 ] || "$@"
}

# fit_options RECIPE [OPTION...] sets the array `fit` to the training's command line.
fit_options() {
    : "${DATA_FILE:?set it to the record set to train on: its directory, its manifest or any of its shards}"
    : "${TRAIN_DIR:?set it to the directory for checkpoints and metrics}"
    : "${CKPT_PRE_TRAINED:?set it to the checkpoint to start from; see docs/recipes.md}"
    fit=(fit --recipe "$1" --data_file "$DATA_FILE" --train_dir "$TRAIN_DIR" --ckpt_pre_trained "$CKPT_PRE_TRAINED")
    fit+=("${@:2}")
}

train_alone() {
    fit_options "$@"
    run segtrain "${fit[@]}"
}

# Trains on the eight devices of one machine; the output of each process goes to a file below LOG_DIR.
train_on_8() {
    fit_options "$@" --is_distributed
    local program
    program=$(command -v segtrain) || { echo "segtrain: not found on PATH. Run: pip install '.[train]'" >&2; return 1; }
    # msrun passes its argument to Python as a path and does not search PATH.
    run msrun --worker_num 8 --local_worker_num 8 --join True --log_dir "${LOG_DIR:-msrun_log}" "$program" "${fit[@]}"
}

# evaluate MODEL [OPTION...]
evaluate() {
    : "${DATA_ROOT:?set it to the folder that the paths in the list are relative to}"
    : "${DATA_LST:?set it to the list file to evaluate on, such as voc_val_lst.txt}"
    : "${CKPT_PATH:?set it to the checkpoint to evaluate; its .json must be next to it}"
    run segtrain eval --data_root "$DATA_ROOT" --data_lst "$DATA_LST" --ckpt_path "$CKPT_PATH" --model "$1" \
        --batch_size 16 --crop_size 513 --device_target Ascend "${@:2}"
}

multiscale=(--scales 0.5 --scales 0.75 --scales 1.0 --scales 1.25 --scales 1.75)
