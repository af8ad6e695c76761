#!/usr/bin/env bash
# Installs what building (`install.sh build`) or testing (`install.sh tests`) Strowger needs and this machine lacks.
# On Debian or Ubuntu, as root or by sudo; on any other system it names what is missing and stops.
# It asks for programs, not for packages, so that a JDK or a Python from elsewhere counts.
set -euo pipefail

what=${1:-build}

jdk_is_new_enough() {
    local version
    command -v java >/dev/null || return 1
    version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${version:-0}" -ge 17 ] # Apache Kafka 4 runs on 17 and above
}

missing=()
need() { # need PACKAGE CHECK...: the package is missing when the check fails
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

need gcc command -v gcc
need g++ command -v g++
need make command -v make
need pkg-config command -v pkg-config
if command -v pkg-config >/dev/null 2>&1; then
    need libssl-dev pkg-config --exists openssl
else
    missing+=(libssl-dev)
fi
if [ "$what" = tests ]; then
    need default-jdk-headless jdk_is_new_enough
    need maven command -v mvn
    need python3 command -v python3
    need tzdata python3 -c 'import zoneinfo; zoneinfo.ZoneInfo("Europe/Berlin")'
    need prometheus command -v prometheus
    need kcat command -v kcat
    need valgrind command -v valgrind
    need chromium command -v chromium
    need curl command -v curl
fi

if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "install: this is neither Debian nor Ubuntu; install these yourself and try again: ${missing[*]}" >&2
        exit 1
    fi
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "install: not root and no sudo; have these installed and try again: ${missing[*]}" >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    echo "install: ${missing[*]}"

    # Debian's prometheus package starts and enables a service of its own. The tests start their own process on a free
    # port, so the service is kept from starting now (policy-rc.d) and at the next boot (disable).
    policy=/usr/sbin/policy-rc.d
    placed_policy=no
    case " ${missing[*]} " in
    *" prometheus "*)
        if [ ! -e "$policy" ]; then
            printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
            "${as_root[@]}" chmod 755 "$policy"
            placed_policy=yes
        fi
        ;;
    esac
    remove_policy() {
        if [ "$placed_policy" = yes ]; then "${as_root[@]}" rm -f "$policy"; fi
    }
    trap remove_policy EXIT

    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
    if [ "$placed_policy" = yes ] && command -v systemctl >/dev/null; then
        "${as_root[@]}" systemctl disable --quiet prometheus 2>/dev/null || true # no systemd is running: nothing to disable
    fi
fi

PATH="$PATH:$HOME/.cargo/bin"
if ! command -v cargo >/dev/null; then
    echo "install: cargo is missing; get rustup (README, 'What you need') and try again: it then fetches" \
        "the Rust of rust-toolchain.toml by itself" >&2
    exit 1
fi
