#!/usr/bin/env bash
# From a bare clone to a running bot: ./run_local.sh, to its test suite: ./run_local.sh test, or to the long storm:
# ./run_local.sh storm --minutes 10 --seed 7, or to changes that a test has to notice: ./run_local.sh mutants
# Runs with bash 3.2 and with the tools that macOS and Linux share.
set -eu

unset CDPATH PYTHONHOME PYTHONPATH VIRTUAL_ENV
cd "$(dirname "$0")"
requirements=(-r requirements.txt -r requirements-dev.txt)
stamp=.venv/installed

is_python_312() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' >/dev/null 2>&1
}

# Prints the command of a Python 3.12 that can make virtual environments, or fails with one sentence.
find_python() {
    local candidate without_venv=""
    for candidate in python3.12 python3 python; do
        is_python_312 "$candidate" || continue
        if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
        without_venv=$candidate
    done
    if command -v uv >/dev/null 2>&1; then
        candidate=$(uv python find --no-project 3.12 2>/dev/null || true)
        if [ -z "$candidate" ] || ! "$candidate" -c 'import ensurepip' >/dev/null 2>&1; then
            uv python install --quiet 3.12 >/dev/null 2>&1 || true
            candidate=$(uv python find --no-project --managed-python 3.12 2>/dev/null || true)
        fi
        if [ -z "$candidate" ]; then
            echo "uv cannot fetch Python 3.12: try 'uv python install 3.12', or install it by other means." >&2
            return 1
        fi
        echo "$candidate"
        return
    fi
    if [ -n "$without_venv" ]; then
        echo "Python 3.12 is here without its venv module: install the package python3.12-venv." >&2
    else
        echo "Python 3.12 is needed: install it from https://www.python.org/downloads/, or install uv." >&2
    fi
    return 1
}

# What the environment was made from: the pins, and the place, which its scripts carry inside.
wanted() {
    cat requirements.txt requirements-dev.txt | cksum
    pwd
}

install() {
    # No stamp: somebody was killed while making it. Another place: the clone was moved.
    if ! is_python_312 .venv/bin/python || [ "$(tail -n 1 "$stamp" 2>/dev/null)" != "$(pwd)" ]; then
        local python
        # Before the search: uv looks in here too, and so does the PATH of a shell that has this activated.
        rm -rf .venv
        python=$(find_python)
        "$python" -m venv .venv
    else
        rm -f "$stamp"
    fi
    echo "Installing the dependencies; the first time takes a minute." >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "${requirements[@]}"
    wanted >"$stamp"
}

if ! is_python_312 .venv/bin/python || [ "$(cat "$stamp" 2>/dev/null)" != "$(wanted)" ]; then
    install
fi
exec .venv/bin/python -m local "$@"
