# Functions for the published scripts, which source this file. DRY_RUN=1 prints the commands instead of running them.
# Options of a script are passed to the program and take precedence: bash scripts/run_eval_s16.sh --device_target CPU

run() {
    local line
    printf -v line '%q ' "$@"
    echo "${line% }"
    [ "${DRY_RUN:-0}" = 1 ] || "$@"
}

# need NAME DESCRIPTION… names all variables that are not set, and fails if there are any.
need() {
    local missing=0
    while [ $# -gt 0 ]; do
        [ -n "${!1:-}" ] || { echo "$0: $1: set it to $2" >&2; missing=1; }
        shift 2
    done
    return $missing
}

# fit_options RECIPE [OPTION...] sets the array `fit` to the training's command line.
fit_options() {
    need DATA_FILE "the record set to train on: its directory, its manifest or any of its shards" \
        TRAIN_DIR "the directory for checkpoints and metrics" \
        CKPT_PRE_TRAINED "the checkpoint to start from; see docs/recipes.md"
    fit=(fit --recipe "$1" --data_file "$DATA_FILE" --train_dir "$TRAIN_DIR" --ckpt_pre_trained "$CKPT_PRE_TRAINED")
    fit+=("${@:2}")
}

train_alone() {
    fit_options "$@"
    run segtrain "${fit[@]}"
}

# Trains on the devices of one machine, RANK_SIZE of them (8 if it is not set); the output of each process goes to a
# file below LOG_DIR. GLOG_v=2 shows MindSpore's warnings, too.
train_on_devices() {
    fit_options "$@" --is_distributed
    local program devices="${RANK_SIZE:-8}"
    export GLOG_v="${GLOG_v:-3}"
    program=$(command -v segtrain) || { echo "segtrain: not found on PATH. Run: pip install '.[train]'" >&2; return 1; }
    # msrun passes its argument to Python as a path and does not search PATH.
    run msrun --worker_num "$devices" --local_worker_num "$devices" --join True \
        --log_dir "${LOG_DIR:-msrun_log}" "$program" "${fit[@]}"
}

# evaluate MODEL [OPTION...]
evaluate() {
    need DATA_ROOT "the folder that the paths in the list are relative to" \
        DATA_LST "the list file to evaluate on, such as voc_val_lst.txt" \
        CKPT_PATH "the checkpoint to evaluate; its .json must be next to it"
    run segtrain eval --data_root "$DATA_ROOT" --data_lst "$DATA_LST" --ckpt_path "$CKPT_PATH" --model "$1" \
        --batch_size 16 --crop_size 513 --device_target Ascend "${@:2}"
}

multiscale=(--scales 0.5 --scales 0.75 --scales 1.0 --scales 1.25 --scales 1.75)
