# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the scripts share: packages, tools, ports, waiting, processes. Source it; it runs nothing.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT

# Debian installs servers here, and a normal user's PATH often leaves it out.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export PATH

# say LINE...
say() { printf '%s\n' "$@"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { warn "$@"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# --- Packages ---------------------------------------------------------------------------------------

# What building the plugin, the library and the command line takes, and the broker that runs the plugin.
# shellcheck disable=SC2034  # used by the scripts that source this file
BUILD_PACKAGES=(build-essential cmake ninja-build pkg-config libssl-dev libjansson-dev libcjson-dev
    libjwt-dev libcurl4-openssl-dev libmicrohttpd-dev libmosquitto-dev mosquitto-dev mosquitto)
# shellcheck disable=SC2034
TEST_PACKAGES=(check valgrind python3-pytest python3-pytest-xdist python3-jwt python3-cryptography python3-yaml)
# shellcheck disable=SC2034
FUZZ_PACKAGES=(clang libclang-rt-dev)
# shellcheck disable=SC2034
LINT_PACKAGES=(clang-format clang-tidy shellcheck)

# Prints debian-12, ubuntu-24.04 and so on, or unknown.
system_name() {
    # shellcheck disable=SC1091
    (. /etc/os-release 2>/dev/null && printf '%s-%s\n' "$ID" "$VERSION_ID") || echo unknown
}

package_installed() {
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# apt_get ARGUMENT...: as root, or through sudo; what it says is shown when it fails.
apt_get() {
    local output command=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@")
    if ((EUID != 0)); then
        command=(sudo "${command[@]}")
    fi
    output=$("${command[@]}" </dev/null 2>&1) || {
        tail -n 20 <<<"$output" >&2
        return 1
    }
}

apt_updated=no

# need_packages PACKAGE...: installs those that are missing, or says which are and gives up.
need_packages() {
    local package missing=()
    if ! has dpkg-query; then
        warn "$(system_name) has no dpkg: these scripts install packages on Debian 12 and 13 and Ubuntu 24.04 only."
        die "Install what these packages hold by hand and set ORGCAST_BUILD to a finished build: $*"
    fi
    for package in "$@"; do
        package_installed "$package" || missing+=("$package")
    done
    if ((${#missing[@]} == 0)); then
        return 0
    fi
    if ((EUID != 0)) && ! has sudo; then
        die "Missing packages: ${missing[*]}. Run this as root, or: apt-get install ${missing[*]}"
    fi
    say "Installing ${missing[*]}" >&2
    if [[ $apt_updated == no ]]; then
        apt_get update || warn "apt-get update failed; trying with the package lists that are there"
        apt_updated=yes
    fi
    apt_get install --no-install-recommends "${missing[@]}" ||
        die "apt-get could not install ${missing[*]} (this is $(system_name))"
}

# --- Tools ------------------------------------------------------------------------------------------

readonly NODE_MAJOR=18

node_works() {
    has npm && has node && (($(node -p 'process.versions.node.split(".")[0]') >= NODE_MAJOR))
}

# need_node: uses the node on PATH when it is recent enough, else the distribution's. Returns 1 without one.
need_node() {
    if node_works; then
        return 0
    fi
    (need_packages nodejs npm) || return 1
    hash -r
    node_works || {
        warn "Node.js $NODE_MAJOR or newer is needed, with npm; found: $(node --version 2>/dev/null || echo none)"
        return 1
    }
}

# node_modules FOLDER: what its package-lock.json names, downloaded once.
node_modules() {
    local folder=$1
    if [[ $folder/node_modules/.package-lock.json -nt $folder/package-lock.json ]]; then
        return 0
    fi
    # Nothing here needs an install script, and none gets to run.
    (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >/dev/null) || return 1
    touch "$folder/node_modules/.package-lock.json"
}

# find_chromium: prints the path of a Chromium that starts, or returns 1.
find_chromium() {
    local candidate path
    for candidate in ${ORGCAST_CHROMIUM:+"$ORGCAST_CHROMIUM"} chromium google-chrome google-chrome-stable \
        chromium-browser; do
        path=$(command -v "$candidate" 2>/dev/null) || continue
        # Ubuntu's package is a stub that hands over to snap, which does not work in a container.
        if grep -qsE '/snap/bin/|snap install' "$path"; then
            continue
        fi
        printf '%s\n' "$path"
        return 0
    done
    return 1
}

# need_chromium: prints its path; installs it on Debian; returns 1 and says why without one.
need_chromium() {
    if find_chromium; then
        return 0
    fi
    if [[ $(system_name) == debian-* ]] && (need_packages chromium >&2) && find_chromium; then
        return 0
    fi
    warn "No Chromium found. Install chromium or google-chrome, or set ORGCAST_CHROMIUM to its path" \
        "(Ubuntu's chromium is a snap, which runs on a desktop but not in a container)."
    return 1
}

# --- Building ---------------------------------------------------------------------------------------

# build_preset PRESET TARGET... [-- CMAKE-ARGUMENT...]: configures and builds into build/PRESET.
build_preset() {
    local preset=$1 targets=() jobs
    shift
    while (($#)) && [[ $1 != -- ]]; do
        targets+=("$1")
        shift
    done
    if (($#)); then
        shift
    fi
    jobs=$(nproc)
    (
        cd "$ROOT"
        cmake --preset "$preset" "$@" </dev/null &&
            cmake --build "build/$preset" --parallel "$jobs" ${targets[@]+--target "${targets[@]}"} </dev/null
    )
}

# --- Ports, waiting, processes ----------------------------------------------------------------------

# free_port: a TCP port of 127.0.0.1 that nobody has, chosen by the kernel.
free_port() {
    perl -MIO::Socket::INET -e '
        my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die "no port: $!\n";
        print $socket->sockport, "\n";'
}

# port_answers PORT: somebody listens on it.
port_answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# wait_until SECONDS COMMAND...: runs it until it succeeds; returns 1 at the deadline.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

children=()

# spawn LOG COMMAND...: in the background, without standard input; its id is the last of children.
spawn() {
    local log=$1
    shift
    "$@" </dev/null >"$log" 2>&1 &
    children+=("$!")
}

# end_children: ends what spawn started, the latest first, each by its id.
end_children() {
    local index
    for ((index = ${#children[@]} - 1; index >= 0; index--)); do
        kill "${children[index]}" 2>/dev/null || continue
        wait "${children[index]}" 2>/dev/null || true
    done
    children=()
}
