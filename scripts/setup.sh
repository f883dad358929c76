#!/usr/bin/env bash
# Installs what the make targets need, and nothing that is there already:
# scripts/setup.sh [build|test|conformance]
#
# Says nothing when there is nothing to do, so that every target can afford to call it.
#
# System packages come from apt, by name; as root directly, else through sudo. Elsewhere it names
# the programs that are missing and stops.
set -euo pipefail

RUST_MIN=1.95
NEXTEST=0.9.143

# program:package that brings it. What only tests need comes only with them, so that who just wants
# to run the server gets no other server installed.
BUILD=(cc:build-essential c++:build-essential make:build-essential git:git curl:curl)
TEST=(
  python3:python3
  redis-server:redis-server
  redis-cli:redis-tools
  redis-benchmark:redis-tools
)
CONFORMANCE=(tclsh:tcl dpkg-source:dpkg-dev)

for_what=${1:-test}
case $for_what in
  build) PROGRAMS=("${BUILD[@]}") ;;
  test) PROGRAMS=("${BUILD[@]}" "${TEST[@]}") ;;
  conformance) PROGRAMS=("${BUILD[@]}" "${TEST[@]}" "${CONFORMANCE[@]}") ;;
  *)
    echo "usage: scripts/setup.sh [build|test|conformance]" >&2
    exit 2
    ;;
esac

missing=()
for entry in "${PROGRAMS[@]}"; do
  command -v "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
done

if ((${#missing[@]})); then
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  command -v apt-get >/dev/null || {
    echo "setup: install these by the means of your system, then run again: ${missing[*]}" >&2
    exit 1
  }
  as_root=()
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null || {
      echo "setup: as root, run: apt-get install ${missing[*]}" >&2
      exit 1
    }
    as_root=(sudo)
  fi
  echo "setup: installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  # The package starts its server on 6379, where ours is to serve. Whoever had it before keeps it.
  if [[ " ${missing[*]} " == *" redis-server "* && -d /run/systemd/system ]]; then
    "${as_root[@]}" systemctl disable --now redis-server
  fi
fi

# Where rustup and cargo put programs; the Makefile looks there too, so a first run goes straight on.
cargo_bin=${CARGO_HOME:-$HOME/.cargo}/bin
PATH=$PATH:$cargo_bin
if ! command -v cargo >/dev/null; then
  echo "setup: installing Rust"
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs \
    | sh -s -- -y --quiet --profile minimal --component clippy --component rustfmt
fi

have=$(rustc --version | cut -d' ' -f2)
if [[ $(printf '%s\n' "$RUST_MIN" "$have" | sort -V | head -1) != "$RUST_MIN" ]]; then
  echo "setup: Rust $have is too old, $RUST_MIN is needed: run 'rustup update stable'" >&2
  exit 1
fi
for component in clippy fmt; do
  cargo "$component" --version >/dev/null 2>&1 || rustup component add clippy rustfmt
done

if [[ $for_what != build ]] && ! command -v cargo-nextest >/dev/null; then
  echo "setup: installing cargo-nextest $NEXTEST"
  mkdir -p "$cargo_bin"
  # The published binary takes seconds; compiling it takes minutes, and is what remains where
  # there is no such binary.
  curl -sSfL "https://get.nexte.st/$NEXTEST/linux" 2>/dev/null | tar xz -C "$cargo_bin" 2>/dev/null \
    || cargo install --locked --version "$NEXTEST" cargo-nextest
fi
