# shellcheck shell=bash
# One environment of test-versions: VERSION, lowest | newest, the file of that Python, and a file of constraints if there
# is one, relative to the repository root. Says which step failed.
set -euo pipefail

label="Python $1 with the $2 versions"
step='the installation'
venv_name=.venv-versions/$1-$2
keep_old=no
locks=none # what pyproject.toml allows, not what is pinned
PYTHON=$3
if [ $# -gt 3 ]; then
  export PIP_CONSTRAINT=$4 PIP_BUILD_CONSTRAINT=$4 UV_CONSTRAINT=$4 UV_BUILD_CONSTRAINT=$4
fi
# shellcheck source=environment.sh
. "$(dirname "$0")/environment.sh"

finish() { # exit code
  case $1 in
    0) say "$label: passed." ;;
    130) ;; # Ctrl-C
    *) say "$label: $step failed." ;;
  esac
}

attempt() { # name of the step, command
  step=$1
  shift
  if "$@" >"$venv/step.log" 2>&1 </dev/null; then return; fi
  sed 's/^/    /' "$venv/step.log" >&2
  exit 1
}

trap 'finish $?' EXIT
need test
unset PIP_CONSTRAINT PIP_BUILD_CONSTRAINT UV_CONSTRAINT UV_BUILD_CONSTRAINT # what tests install is not constrained
trap 'exit 130' INT
say "$label: testing in $venv_name ..."
cd "$root"
export RAY_USAGE_STATS_ENABLED=0
rm -rf "$venv/runs"
chapter=(run --rounds 5 --runs "$venv/runs")
attempt 'distsearch --help' "$venv/bin/distsearch" --help
attempt 'distsearch --version' "$venv/bin/distsearch" --version
attempt 'a search in one process' "$venv/bin/distsearch" "${chapter[@]}" --workers 0
attempt 'a search on Ray' "$venv/bin/distsearch" "${chapter[@]}" --workers 1
attempt 'the tests of a private Ray' "$venv/bin/pytest" tests/workers/ray/test_private.py -p no:cacheprovider
attempt 'the fast tests' "$venv/bin/pytest" -n 2 --dist loadfile -m 'not slow' -p no:cacheprovider
