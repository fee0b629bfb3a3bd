# Creates .venv and installs the project into it. demo.sh and test.sh source this file and name the extras they need.
# PYTHON selects the interpreter (3.10 to 3.12). A second run finds everything in place and installs nothing.

fits() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.10}; do
        if fits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    echo "${PYTHON:-python3}: not a Python that MindSpore has wheels for; expected 3.10, 3.11 or 3.12." \
        "Select one: PYTHON=python3.12 bash $0" >&2
    return 1
}

make_venv() {
    local python version stamp wanted extras="$1"
    python=$(find_python)
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    stamp=.venv/installed
    wanted="$version $extras $(cksum < pyproject.toml)"
    if [ ! -x .venv/bin/python ] || [ "$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" != "$version" ]; then
        echo "Creating .venv with Python $version"
        rm -rf .venv
        # Debian's Python has no ensurepip; in that case, the interpreter's own pip installs into a bare environment.
        "$python" -m venv .venv 2>/dev/null >&2 || { rm -rf .venv && "$python" -m venv --without-pip .venv; }
    fi
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "Installing segdata and segtrain with their dependencies (MindSpore alone is 800 MB)"
        if [ -x .venv/bin/pip ]; then
            .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".$extras"
        else
            "$python" -m pip --python .venv/bin/python install --quiet --disable-pip-version-check --editable ".$extras"
        fi
        echo "$wanted" > "$stamp"
    fi
    export PATH="$PWD/.venv/bin:$PATH"
}
