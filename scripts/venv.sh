# Functions that create a virtual environment and install the project into it; demo.sh and test.sh source this file.
# A second run finds everything in place and installs nothing.

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null; }

# The first Python that MindSpore has wheels for. PYTHON selects one.
training_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.10}; do
        case $(version_of "$candidate") in
            3.10 | 3.11 | 3.12) command -v "$candidate"; return ;;
        esac
    done
    echo "${PYTHON:-python3}: not a Python that MindSpore has wheels for; expected 3.10, 3.11 or 3.12." \
        "Select one: PYTHON=python3.12 bash $0" >&2
    return 1
}

# newer_python VERSION: the newest Python of this machine, pyenv's included, if it is newer than VERSION.
newer_python() {
    local minor candidate
    for minor in 14 13 12 11; do
        [ "3.$minor" != "$1" ] || return 1
        for candidate in "python3.$minor" "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor".*/bin/python; do
            if [ "$(version_of "$candidate")" = "3.$minor" ]; then
                command -v "$candidate"
                return
            fi
        done
    done
    return 1
}

# make_venv FOLDER PYTHON EXTRAS
make_venv() {
    local folder="$1" python="$2" extras="$3" version stamp wanted
    version=$(version_of "$python")
    stamp=$folder/installed
    wanted="$version $extras $(cksum < pyproject.toml)"
    if [ ! -x "$folder/bin/python" ] || [ "$(version_of "$folder/bin/python")" != "$version" ]; then
        echo "Creating $folder with Python $version"
        rm -rf "$folder"
        # Debian's Python has no ensurepip; in that case, the interpreter's own pip installs into a bare environment.
        "$python" -m venv "$folder" 2>/dev/null >&2 || { rm -rf "$folder" && "$python" -m venv --without-pip "$folder"; }
    fi
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "Installing segdata$extras and its dependencies into $folder"
        # Most modules are never imported: Python compiles each one when it is.
        if [ -x "$folder/bin/pip" ]; then
            "$folder/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check --editable ".$extras"
        else
            "$python" -m pip --python "$folder/bin/python" install --quiet --no-compile --disable-pip-version-check \
                --editable ".$extras"
        fi
        echo "$wanted" > "$stamp"
    fi
}
