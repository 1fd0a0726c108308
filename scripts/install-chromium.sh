#!/bin/sh
# Debian's chromium for `make e2e`: installs it where that is allowed, else says what to do.
set -eu

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing chromium ..." >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null
else
    echo "error: make e2e needs chromium. On Debian and Ubuntu: sudo apt-get install chromium" >&2
    exit 1
fi
