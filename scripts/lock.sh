#!/bin/sh
# Resolves every locked set again: exact versions and hashes, no download address.
# One resolution serves Python 3.12 and later on every platform. With UPGRADE=1 newer releases are taken in;
# without it the present pins stay wherever they still fit.
set -eu
cd "$(dirname "$0")/.."

uv=$(scripts/bootstrap.sh uv)
export UV_CUSTOM_COMPILE_COMMAND="make lock"

lock() { # lock <set> <arguments that choose what is in it>
    set_name=$1
    shift
    echo "requirements/$set_name.txt"
    "$uv" pip compile --quiet --python-version 3.12 --universal --generate-hashes --no-emit-index-url \
        ${UPGRADE:+--upgrade} --output-file "requirements/$set_name.txt" "$@"
}

lock dev --all-extras --group dev pyproject.toml
# What `make serve` installs keeps to the versions that the suite ran with.
lock serve --extra postgres --extra redis --group build --constraint requirements/dev.txt pyproject.toml
echo "uv" | lock bootstrap -

if grep -nE '(https?|file)://' requirements/*.txt; then
    echo "error: a download address got into a locked set" >&2
    exit 1
fi
