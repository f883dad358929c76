#!/usr/bin/env bash
# Runs every fuzz target for SECONDS: scripts/fuzz.sh SECONDS [TARGET...]
#
# The targets are laid out for cargo-fuzz, but built here without it: the flags below are what
# cargo-fuzz passes, and with them neither a nightly toolchain nor another program is needed. The
# stable compiler lets itself be asked for the address sanitizer through RUSTC_BOOTSTRAP.
#
# What a run finds lies in fuzz/artifacts/TARGET and is tried first by the next run, so a finding
# stays red until it is mended. The corpus grows in fuzz/corpus/TARGET.
set -euo pipefail

seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGET...]}
shift
cd "$(dirname "$0")/.."

triple=$(rustc -vV | sed -n 's/^host: //p')
flags=(
  --cfg fuzzing
  -Cpasses=sancov-module
  -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares
  -Ccodegen-units=1
  -Cdebug-assertions
  -Zsanitizer=address
)

shopt -s nullglob
manifests=(fuzz/Cargo.toml crates/*/fuzz/Cargo.toml)
if ((${#manifests[@]} == 0)); then
  echo "fuzz: no fuzz targets in this checkout"
  exit 0
fi

for manifest in "${manifests[@]}"; do
  room=$(dirname "$manifest")
  RUSTC_BOOTSTRAP=1 RUSTFLAGS="${flags[*]}" cargo build --release --bins \
    --manifest-path "$manifest" --target "$triple" --target-dir "$room/target"
  for source in "$room"/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    if (($#)) && [[ " $* " != *" $target "* ]]; then
      continue
    fi
    corpus=$room/corpus/$target
    artifacts=$room/artifacts/$target
    mkdir -p "$corpus" "$artifacts"
    binary=$room/target/$triple/release/$target
    # Seeds are tracked; the corpus is not, it is what this machine found beyond them.
    seeds=$room/seeds/$target
    folders=("$corpus")
    [[ ! -d $seeds ]] || folders+=("$seeds")
    findings=("$artifacts"/*)
    if ((${#findings[@]})) && ! "$binary" "${findings[@]}" >"$artifacts.log" 2>&1; then
      tail -60 "$artifacts.log" >&2
      echo "fuzz: $target still fails on what lies in $artifacts; mend it or remove the file" >&2
      exit 1
    fi
    echo "fuzz: $target for $seconds s"
    log=$artifacts.log
    if ! "$binary" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
      -artifact_prefix="$artifacts/" -print_final_stats=1 "${folders[@]}" >"$log" 2>&1; then
      tail -60 "$log" >&2
      echo "fuzz: $target found something, see $artifacts; mend it, add the input to a test" >&2
      exit 1
    fi
    sed -n 's/^stat::number_of_executed_units: */  runs: /p' "$log"
  done
done
