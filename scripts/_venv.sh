# Sourced by the scripts beside it: finds a Python and keeps one private environment per use.

find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
        then
            command -v "$candidate"
            return
        fi
    done
    echo "error: no Python 3.11 or newer with venv and ensurepip was found" >&2
    return 1
}

# ensure_venv DIR PIP_ARGUMENT...: makes DIR when it is not there and installs into it.
ensure_venv() {
    local directory=$1
    shift
    if [ ! -x "$directory/bin/python" ]; then
        echo "setting up $(basename "$directory") ..." >&2
        "$(find_python)" -m venv "$directory"
    fi
    "$directory/bin/python" -m pip install -qq --disable-pip-version-check "$@"
}
