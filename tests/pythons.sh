#!/usr/bin/env bash
# The tests that need no torch, on the Pythons of the two JetPacks, each with the newest aiortc it
# can have: 3.10 with 1.15 (JetPack 6), 3.12 with 1.16 (JetPack 7). A Python that is not here is
# skipped, with the reason.
set -euo pipefail
cd "$(dirname "$0")/.."

interpreter() { # VERSION -> its python, on the PATH or from pyenv
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
}

failed=0
for pair in 3.10:1.15 3.12:1.16; do
  version=${pair%:*} aiortc=${pair#*:} venv=.venv-${pair%:*}
  python=$(interpreter "$version")
  if [ -z "$python" ]; then
    echo "Python $version: skipped, there is no python$version on the PATH or in pyenv"
    continue
  fi
  echo "Python $version with aiortc $aiortc ($python)"
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check -e '.[dev]' "aiortc==$aiortc.*"
  "$venv/bin/python" -m pytest -p no:cacheprovider || failed=1
done
exit $failed
