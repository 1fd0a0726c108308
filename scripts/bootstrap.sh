#!/bin/sh
# Makes .venv ready to serve or to develop in, on a machine that has only Python.
#
#   scripts/bootstrap.sh serve   what `portico serve` needs (requirements/serve.txt)
#   scripts/bootstrap.sh dev     everything: tests, checks, documentation (requirements/dev.txt)
#   scripts/bootstrap.sh uv      prints the path of a working uv, installing one into .tools if there is none
#
# All of it is hash-locked, and a call that finds nothing to do returns at once.
# PYTHON=/path/to/python chooses the interpreter; it has to be 3.12 or later.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd -P)

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "error: $1"
    shift
    for line in "$@"; do say "       $line"; done
    exit 1
}

# A candidate counts only if it runs: version managers leave shims on PATH that fail, and an interpreter built
# without ssl or sqlite3 starts well and breaks later.
suits() {
    command -v "$1" >/dev/null 2>&1 || return 1
    "$1" -c 'import ssl, sqlite3, sys; sys.exit(not (sys.version_info >= (3, 12) and sys.implementation.name == "cpython"))' \
        >/dev/null 2>&1 </dev/null
}

find_python() { # prints the absolute path of a suitable interpreter, or nothing
    if [ -n "${PYTHON:-}" ]; then
        suits "$PYTHON" || fail "PYTHON=$PYTHON is not a working CPython 3.12 or later (with ssl and sqlite3)."
        candidate=$PYTHON
    else
        candidate=""
        for name in python3.13 python3.14 python3.12 python3 python "${HOME:-}"/.pyenv/versions/*/bin/python; do
            if suits "$name"; then
                candidate=$name
                break
            fi
        done
    fi
    [ -z "$candidate" ] || "$candidate" -c 'import sys; print(sys.executable)'
}

works_as_uv() { command -v "$1" >/dev/null 2>&1 && "$1" --version >/dev/null 2>&1 </dev/null; }

find_uv() {
    for name in uv .tools/bin/uv .tools/lib/bin/uv; do
        if works_as_uv "$name"; then
            case $name in .tools/*) echo "$root/$name" ;; *) command -v uv ;; esac
            return
        fi
    done
    install_uv
}

# uv itself runs without Python, so that any Python with pip may fetch it, older ones too: uv can then bring a newer one.
install_uv() {
    base=$(find_python)
    [ -n "$base" ] || base=$(command -v python3 || command -v python || true)
    [ -n "$base" ] || no_python
    say "Installing uv into .tools ..."
    remove_tools
    if "$base" -m venv .tools >/dev/null 2>&1 && .tools/bin/python -m pip --version >/dev/null 2>&1; then
        .tools/bin/python -m pip install --quiet --require-hashes \
            -r requirements/bootstrap.txt >&2 || no_uv
    elif "$base" -m pip --version >/dev/null 2>&1; then # Debian splits ensurepip off, and venv fails without it
        remove_tools
        "$base" -m pip install --quiet --require-hashes --target .tools/lib \
            -r requirements/bootstrap.txt >&2 || no_uv
    else
        fail "$base has neither venv nor pip, so that uv cannot be installed." \
            "Install one of them (on Debian and Ubuntu: apt-get install python3-venv), or uv itself, and try again."
    fi
    find_uv_again=$(works_as_uv .tools/bin/uv && echo .tools/bin/uv || echo .tools/lib/bin/uv)
    works_as_uv "$find_uv_again" || no_uv
    echo "$root/$find_uv_again"
}

remove_tools() { rm -rf .tools/bin .tools/lib .tools/lib64 .tools/include .tools/pyvenv.cfg; } # the lock beside them stays

no_uv() { fail "uv could not be installed from the package index." "Is the network reachable? Otherwise install uv by hand and try again."; }
no_python() {
    fail "Portico needs Python 3.12 or later, and none was found, nor could uv download one." \
        "Looked for python3.13, python3.14, python3.12, python3 and python on PATH, and in ~/.pyenv/versions." \
        "Install one, or name it: PYTHON=/path/to/python3.13 make ..."
}

make_venv() {
    if venv_is_usable; then return; fi
    rm -rf .venv
    python=$(find_python)
    if [ -n "$python" ]; then
        "$uv" venv --quiet --no-project --python "$python" .venv
    else
        say "No Python 3.12 or later found here; asking uv for one ..."
        "$uv" venv --quiet --no-project --python 3.13 .venv || no_python
    fi
}

# The scripts of an environment name its folder: one that was moved or copied is made anew.
venv_is_usable() { suits .venv/bin/python && grep -qF "$root/.venv" .venv/bin/activate && ! another_python_is_chosen; }

another_python_is_chosen() {
    [ -n "${PYTHON:-}" ] || return 1
    version='import sys; print(sys.version)'
    [ "$(.venv/bin/python -c "$version")" != "$("$PYTHON" -c "$version")" ]
}

# A stamp holds what it was made from, so that neither a checkout nor a moved folder deceives it.
fingerprint() { echo "$root $(cksum "$@")"; }
has_stamp() { # has_stamp <name> <file it depends on>
    [ -f ".venv/stamp-$1" ] && [ "$(cat ".venv/stamp-$1")" = "$(fingerprint "$2")" ]
}
is_fresh() {
    [ -x .venv/bin/python ] && has_stamp "$1" "requirements/$1.txt" && has_stamp project pyproject.toml &&
        ! another_python_is_chosen
}

# uv reads neither the machine's certificates nor pip's settings by itself. Where a proxy or a mirror stands between
# us and the package index, pip has usually been told of it: do as pip does.
configure_uv() {
    if [ -z "${SSL_CERT_FILE:-}" ] && [ -s /etc/ssl/certs/ca-certificates.crt ]; then
        export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}" UV_NATIVE_TLS="${UV_NATIVE_TLS:-1}" # the new name and the old
    fi
    if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
        index=${PIP_INDEX_URL:-$(.tools/bin/python -m pip config get global.index-url 2>/dev/null || true)}
        [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
    fi
}

prepare() {
    say "Preparing .venv ($1) ..."
    uv=$(find_uv)
    configure_uv
    make_venv
    if ! has_stamp "$1" "requirements/$1.txt"; then
        rm -f .venv/stamp-*
        "$uv" pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes "requirements/$1.txt"
        fingerprint "requirements/$1.txt" >".venv/stamp-$1"
    fi
    "$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
    .venv/bin/python -m compileall -q src >/dev/null # a first start that compiles takes three times as long
    fingerprint pyproject.toml >.venv/stamp-project
}

export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
wanted=${1:-dev}
[ -n "${HOME:-}" ] && [ -w "$HOME" ] || export UV_CACHE_DIR="$root/.tools/cache"

case $wanted in
uv) find_uv ;;
serve | dev)
    # Two makes at once would pull the environment from under each other.
    if command -v flock >/dev/null 2>&1 && [ -z "${PORTICO_BOOTSTRAP_LOCKED:-}" ] && ! is_fresh "$wanted"; then
        mkdir -p .tools
        PORTICO_BOOTSTRAP_LOCKED=1 exec flock .tools/lock scripts/bootstrap.sh "$wanted"
    fi
    # The development set contains the other: serving never shrinks an environment that has it.
    [ "$wanted" = serve ] && [ -f .venv/stamp-dev ] && wanted=dev
    is_fresh "$wanted" || prepare "$wanted"
    ;;
*) fail "unknown set: $wanted (serve, dev or uv)" ;;
esac
