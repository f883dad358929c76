#!/usr/bin/env bash
# Tests the scripts: shell scripts parse, Python compiles, and test_*.py beside them pass.
set -euo pipefail
cd "$(dirname "$0")/.."

while IFS= read -r -d '' script; do
  case $(head -c 64 "$script" | head -1) in
    *bash* | *'/sh'*) bash -n "$script" ;;
    *python*) python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$script" ;;
  esac
done < <(git ls-files -z --cached --others --exclude-standard -- scripts .ci)

shopt -s globstar nullglob
tests=(scripts/**/test_*.py)
for test in "${tests[@]}"; do
  PYTHONDONTWRITEBYTECODE=1 python3 -m unittest discover -q -s "$(dirname "$test")" -p "$(basename "$test")"
done
