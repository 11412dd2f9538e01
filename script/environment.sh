# shellcheck shell=bash
# Sourced by the scripts beside it: finds Python, makes the virtual environment, installs locked packages once.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "myelin: $*" >&2; }
die() { say "$*"; exit 1; }

# install_debian PACKAGE...: installs those that are missing; without root it names them and stops.
install_debian() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    die "these Debian packages are missing: ${missing[*]} (as root: apt-get install ${missing[*]})"
  fi
  say "installing Debian packages: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# find_python: prints the first interpreter of at least Python 3.11.
find_python() {
  local candidate
  for candidate in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  die "Python 3.11 or newer is needed"
}

# make_venv FOLDER: a virtual environment, made anew when its interpreter no longer runs.
make_venv() {
  local folder=$1 python
  "$folder/bin/python" -m pip --version >/dev/null 2>&1 && return
  python=$(find_python)
  if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    install_debian python3-venv
  fi
  say "making $folder with $("$python" --version)"
  "$python" -m venv --clear "$folder"
}

# install_locked FOLDER LOCK [project]: installs LOCK, and the project in place, unless that is what is there already.
install_locked() {
  local folder=$1 lock=$2 project=${3:-} stamp digest requirements
  stamp="$folder/installed-$(basename "$lock" .lock)"
  digest=$(cat "$lock" ${project:+pyproject.toml} | sha256sum)
  make_venv "$folder"
  [[ -f $stamp && $(<"$stamp") == "$digest $root" ]] && return
  say "installing $lock"
  # What builds comes first, so that whatever has no wheel is built with that and nothing unpinned.
  for requirements in requirements/build.lock "$lock"; do
    "$folder/bin/python" -m pip install --quiet --require-hashes --no-deps --no-build-isolation --use-pep517 \
      -r "$requirements"
  done
  if [[ -n $project ]]; then
    "$folder/bin/python" -m pip install --quiet --no-deps --no-build-isolation --no-index --editable .
  fi
  printf '%s' "$digest $root" >"$stamp"
}

# install_postgresql: Debian's PostgreSQL server, unless one is there.
install_postgresql() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || install_debian postgresql
}

# install_peers: the Node packages that drive real clients, and the Node they run on, as their lock file has them.
install_peers() {
  local folder=tests/peers/js stamp digest
  stamp="$folder/node_modules/installed"
  digest=$(cat "$folder/package.json" "$folder/package-lock.json" | sha256sum)
  [[ -f $stamp && $(<"$stamp") == "$digest" ]] && return
  command -v npm >/dev/null || install_debian npm
  say "installing the Node packages of $folder"
  (cd "$folder" && npm ci --loglevel=error)
  # The package of this machine's architecture is the one that npm installed; not every npm links its program.
  "$(compgen -G "$folder/node_modules/node-linux-*/bin/node" || echo missing)" -e 'process.exit(parseInt(process.versions.node) < 22 ? 1 : 0)' ||
    die "no Node 22 for this machine's architecture among the packages of $folder"
  printf '%s' "$digest" >"$stamp"
}

# install_browser: Debian's Chromium, in which the pages are looked at.
install_browser() {
  command -v chromium >/dev/null || install_debian chromium
}

# install_bridges: application services in an environment of their own, and the IRC server that one of them bridges to.
install_bridges() {
  command -v ngircd >/dev/null || [[ -x /usr/sbin/ngircd ]] || install_debian ngircd
  install_locked .cache/bridges-venv requirements/bridges.lock
}

# install_identity: the reference identity server in an environment of its own, and the TURN server that calls go through.
install_identity() {
  command -v turnserver >/dev/null || install_debian coturn
  install_locked .cache/identity-venv requirements/identity.lock
}
