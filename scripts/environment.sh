# shellcheck shell=bash
# Sourced by the scripts beside it. `need all` (what a run needs) or `need test` (that, and what the tests need)
# makes .venv in the repository root and keeps it up to date; when nothing is to be done, that costs milliseconds.
# What locks/all.txt and locks/test.txt pin is installed as they say; other needs have no lock and get the newest.
# A script with needs of its own sets venv_name, and the duration of its installation in words, before; `locks` to another
# folder where the locks shall not count; and keep_old=no where a changed pyproject.toml shall make the environment anew.
# Written for bash 3.2, which is the bash of macOS.

root=$(CDPATH='' cd -P -- "${BASH_SOURCE[0]%/*}/.." && pwd -P)
venv_name=${venv_name:-.venv}
venv=$root/$venv_name
locks=${locks:-$root/scripts/locks}
stamp=$venv/installed       # what the finished environment was made from and for; absent while it is being changed
unfinished=$venv/unfinished # there from the first change to the last: found later, the environment is made anew
log=$venv/install.log

python_hint='Debian or Ubuntu: apt install python3-venv, or python3.11-venv where python3 is older;'
python_hint="$python_hint macOS: brew install python@3.13; anywhere: uv, https://docs.astral.sh/uv"

say() { printf 'distsearch: %s\n' "$*" >&2; }

die() { # exit code, sentence
  say "$2"
  exit "$1"
}

have() { command -v "$1" >/dev/null 2>&1; }

need() { # all | test
  if ready "$1"; then return; fi
  { mkdir -p "$venv" && [ -w "$venv" ]; } 2>/dev/null ||
    die 2 "cannot write to $venv: clone the repository to a folder that is yours, or make this one writable."
  trap 'say "interrupted: the next start makes $venv_name anew."; exit 130' INT # pip's own exit code would say "failed"
  {
    wait_for_turn
    if ! ready "$1"; then install "$1"; fi # another start may have done it meanwhile
  } 9>>"$venv/lock"
  trap - INT
}

ready() { # all | test
  local project
  IFS= read -r -d '' project <"$root/pyproject.toml" || true
  read_stamp && in_place && [ "$made_from" = "$project" ] && [ "$made_lock" = "$(checksum "$made_for")" ] &&
    { [ "$made_for" = "$1" ] || [ "$made_for" = test ]; } && [ -x "$venv/bin/distsearch" ]
}

read_stamp() {
  made_in='' made_for='' made_with='' made_as='' made_lock='' made_from=''
  [ -f "$stamp" ] || return 1
  {
    IFS= read -r made_in          # the repository root, which the scripts in .venv/bin name
    IFS= read -r made_for         # all | test
    IFS= read -r made_with        # the Python's own file, without links
    IFS= read -r made_as          # what PYTHON said
    IFS= read -r made_lock        # the lock's checksum
    IFS= read -r -d '' made_from  # pyproject.toml; `read` reports the end of the file as 1
  } <"$stamp" || true
}

checksum() { # all | test -> of its lock; nothing where there is none
  [ ! -e "$locks/$1.txt" ] || cksum <"$locks/$1.txt"
}

in_place() { # neither the repository nor the Python has moved or changed, and it is the one PYTHON asks for
  [ "$made_in" = "$root" ] && [ -x "$venv/bin/python" ] && [ "$venv/bin/python" -ef "$made_with" ] &&
    { [ -z "${PYTHON-}" ] || [ "$PYTHON" = "$made_as" ] || [ "$PYTHON" -ef "$made_with" ]; }
}

wait_for_turn() { # the lock is the kernel's and goes with the last process that holds it: it cannot become stale
  if take_turn 6; then return; fi
  say "another start is setting up $venv_name: waiting for it ..."
  take_turn 2 || say 'this file system has no locks: not waiting; start once more if the other start fails.'
}

take_turn() { # 2 (LOCK_EX), 6 (LOCK_EX | LOCK_NB): flock(2) on descriptor 9; macOS has no flock program, but perl
  if have flock; then
    if [ "$1" = 6 ]; then flock -n 9; else flock 9; fi
  else
    perl -e 'open(LOCK, ">&=9") && flock(LOCK, $ARGV[0]) || exit 1' "$1"
  fi
}

install() { # all | test
  local why='' message # why .venv must be made anew, if it must
  message="installing into $venv_name ..."
  read_stamp || true
  if [ -e "$unfinished" ]; then
    why='the last installation was not finished'
  elif [ ! -e "$venv/pyvenv.cfg" ]; then
    why='first start'
  elif [ -f "$stamp" ] && ! in_place; then
    why='this folder or its Python is another than before'
  elif ! installable; then
    why="$venv_name is not a working environment of Python 3.11 or newer"
  elif [ "$made_for" = all ] && [ "$1" = test ]; then
    message="adding to $venv_name what the tests need ..."
  elif [ -f "$stamp" ] && [ "${keep_old-}" = no ]; then
    why='pyproject.toml has changed'
  elif [ -f "$stamp" ]; then
    message='pyproject.toml or the lock of the packages has changed: installing again ...'
  fi

  if [ -n "$why" ]; then
    python='>=3.11,<3.15' # uv looks for one itself, and fetches one where there is none
    if [ -n "${PYTHON-}" ] || ! have uv; then find_python; fi
    message="$why: making $venv_name and installing (${duration:-about a minute}) ..."
  fi
  say "$message"

  : >"$unfinished"
  rm -f "$stamp"
  : >"$log"
  if [ -n "$why" ]; then make_environment; fi
  add_project "$1"
  write_stamp "$1"
  rm -f "$unfinished"
}

installable() { # also where .venv was made by hand: that is added to, never thrown away
  "$venv/bin/python" -I - "$(have uv && echo uv)" >/dev/null 2>&1 <<'PYTHON'
import sys
if sys.version_info < (3, 11) or sys.prefix == sys.base_prefix:
    sys.exit(1)
if sys.argv[1] != "uv":
    import pip
PYTHON
}

find_python() { # sets python
  local name answer old='' bare=''
  set -- python3.13 python3.12 python3.11 python3.14 python3 python # Ray has packages for the newest Python last
  if [ -n "${PYTHON-}" ]; then set -- "$PYTHON"; fi
  for name in "$@"; do
    answer=$(try_python "$name") || continue
    python=${answer#* * }
    case $answer in
      good*) return ;;
      old*) old=${old:-${answer%" $python"}} ;;
      bare*) bare=${bare:-${answer%" $python"}} ;;
    esac
  done
  old=${old#old }
  bare=${bare#bare }
  if [ -n "$bare" ]; then
    die 2 "Python $bare has no venv and ensurepip modules: install them (Debian or Ubuntu: apt install\
 python$bare-venv; macOS: brew install python@3.13; anywhere: uv, https://docs.astral.sh/uv)."
  elif [ -n "$old" ]; then
    die 2 "Python 3.11 or newer is needed, and this one is $old: install one ($python_hint) or name it with\
 PYTHON=/path/to/python."
  elif [ -n "${PYTHON-}" ]; then
    die 2 "PYTHON=$PYTHON is not a Python that runs: name one of 3.11 or newer, or unset PYTHON."
  fi
  die 2 "Python 3.11 or newer is needed, and none was found: install one ($python_hint)."
}

try_python() { # name -> good|old|bare version file
  "$1" -I - "$(have uv && echo uv)" 2>/dev/null <<'PYTHON'
import sys
verdict = "good"
if sys.version_info < (3, 11):
    verdict = "old"
elif sys.argv[1] != "uv":
    try:
        import ensurepip, venv
    except ImportError:
        verdict = "bare"
print("%s %d.%d %s" % (verdict, sys.version_info[0], sys.version_info[1], sys.executable))
PYTHON
}

make_environment() {
  find "$venv/" -mindepth 1 -maxdepth 1 ! -name lock ! -name unfinished ! -name install.log -exec rm -rf {} +
  if have uv; then
    logged uv venv --allow-existing --python "$python" "$venv" ||
      failed 2 "uv could not make an environment: check the network, or install Python 3.11 or newer ($python_hint)."
  else
    logged "$python" -I -m venv "$venv" || failed 1 "$python could not make an environment."
  fi
}

add_project() { # all | test
  if [ ! -e "$locks/$1.txt" ]; then
    if pip_install --editable ".[$1]"; then return; fi
  elif pip_install --require-hashes --requirement "$locks/$1.txt" && pip_install --no-deps --editable .; then
    return
  fi
  if said 'name resolution|name or service|nodename nor|network is unreachable|connection (refused|reset)' ||
    said 'timed out|dns error|proxyerror|sslerror|error sending request'; then
    failed 1 'the packages could not be fetched: check the network (and proxy), then start again.'
  elif said 'no matching distribution found for ray|ray.* no wheels'; then
    failed 1 "Ray has no package for $("$venv/bin/python" -V) on this machine: name another Python, best 3.12,\
 with PYTHON=/path/to/python3.12."
  fi
  failed 1 'the installation failed.'
}

pip_install() {
  if have uv; then
    logged uv pip install --python "$venv/bin/python" "$@"
  else
    logged env PIP_USER=0 "$venv/bin/python" -I -m pip install --no-input --disable-pip-version-check "$@"
  fi
}

logged() { (cd "$root" && "$@") >>"$log" 2>&1 </dev/null; }

said() { grep -qiE "$1" "$log"; }

failed() { # exit code, sentence
  if [ -z "$why" ]; then rm -f "$unfinished"; fi # what was there is kept: pip has put back what it had changed
  tail -n 12 "$log" | sed 's/^/    /' >&2
  die "$1" "$2 All that was printed is in $log."
}

write_stamp() { # all | test
  {
    printf '%s\n' "$root" "$1"
    "$venv/bin/python" -I -c 'import os, sys; print(os.path.realpath(sys.argv[1]))' "$venv/bin/python"
    printf '%s\n' "${PYTHON-}" "$(checksum "$1")"
    cat "$root/pyproject.toml"
  } >"$stamp.new"
  mv "$stamp.new" "$stamp"
}
