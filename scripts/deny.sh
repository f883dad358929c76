#!/usr/bin/env bash
# Judges what we depend on by deny.toml: licences, bans, sources; advisories too where the advisory
# database can be fetched. Apart from `make test`, because cargo-deny takes minutes to compile.
set -euo pipefail
cd "$(dirname "$0")/.."

DENY=0.20.2
if ! command -v cargo-deny >/dev/null; then
  echo "deny: installing cargo-deny $DENY (takes some minutes)"
  cargo install --locked --version "$DENY" cargo-deny
fi
cargo deny --all-features check licenses bans sources
if cargo deny fetch db >/dev/null 2>&1; then
  cargo deny --all-features check advisories
else
  echo "deny: the advisory database cannot be fetched here; advisories were not checked" >&2
fi
