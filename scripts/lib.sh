# Functions that the scripts share: they install missing programs. Sourced, not run.

as_root() {
    if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

# The same folders as in crates/testkit/src/postgres/cluster.rs.
has_postgres() {
    if [[ -n ${PG_BIN:-} ]]; then [[ -x $PG_BIN/initdb ]]; return; fi
    local folder
    for folder in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin /usr/local/opt/*/bin \
        /opt/homebrew/opt/*/bin /usr/libexec/*/bin /usr/*/bin; do
        if [[ -x $folder/initdb ]]; then return 0; fi
    done
    return 1
}

# Homebrew installs as the user; other package managers install as root.
install_postgres() {
    if command -v brew >/dev/null; then brew install postgresql@17; return; fi
    if [[ $EUID -ne 0 ]] && ! command -v sudo >/dev/null; then return 1; fi
    if command -v apt-get >/dev/null; then
        as_root apt-get update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql
    elif command -v dnf >/dev/null; then
        as_root dnf install -y postgresql-server
    elif command -v apk >/dev/null; then
        as_root apk add postgresql
    else
        return 1
    fi
}

# need_postgres WHY HINT: installs PostgreSQL's server binaries if they are missing, or ends with the hint.
need_postgres() {
    if has_postgres; then return 0; fi
    echo "PostgreSQL is not installed; $1. Installing it." >&2
    if ! install_postgres || ! has_postgres; then
        echo "PostgreSQL could not be installed. Install its server (Debian: apt-get install postgresql), or set" \
            "PG_BIN to the folder of initdb$2." >&2
        exit 1
    fi
}

# has_program NAME PATH: whether PATH, or else a program of this name in the usual folders, can be run.
has_program() {
    if [[ -n $2 ]]; then [[ -x $2 ]]; return; fi
    PATH="$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin" command -v "$1" >/dev/null
}

# install_package NAME DEBIAN_NAME
install_package() {
    if command -v brew >/dev/null; then brew install "$1"; return; fi
    if [[ $EUID -ne 0 ]] && ! command -v sudo >/dev/null; then return 1; fi
    if command -v apt-get >/dev/null; then
        as_root apt-get update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$2"
    elif command -v dnf >/dev/null; then
        as_root dnf install -y "$1"
    elif command -v apk >/dev/null; then
        as_root apk add "$1"
    else
        return 1
    fi
}

# need_program NAME DEBIAN_NAME VARIABLE WHY: installs a program if it is missing, or ends with a hint.
need_program() {
    if has_program "$1" "${!3:-}"; then return 0; fi
    echo "$1 is not installed; $4. Installing it." >&2
    if ! install_package "$1" "$2" || ! has_program "$1" "${!3:-}"; then
        echo "$1 could not be installed. Install it (Debian: apt-get install $2), or set $3 to the path of its" \
            "binary." >&2
        exit 1
    fi
}

# The tests look for the binaries in the same folders.
need_pgbouncer() { need_program pgbouncer pgbouncer PGBOUNCER "$1"; }
need_redis() { need_program redis-server redis-server REDIS_SERVER "$1"; }
need_nginx() { need_program nginx nginx-light NGINX "$1"; }
# A test checks the units of systemd, on Linux alone.
need_systemd_analyze() { [[ $(uname) != Linux ]] || need_program systemd-analyze systemd SYSTEMD_ANALYZE "$1"; }

# need_s3_servers WHY: installs S3 servers from the Python Package Index if they are missing, or ends with a hint.
need_s3_servers() {
    local venv=${S3_SERVERS:-target/s3-venv}
    if [[ -x $venv/bin/moto_server && -x $venv/bin/nanio ]]; then return 0; fi
    echo "The S3 servers moto and nanio are not installed; $1. Installing them into $venv." >&2
    # Debian's Python comes without the module.
    if ! python3 -c "import ensurepip" 2>/dev/null && command -v apt-get >/dev/null; then
        as_root apt-get update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv
    fi
    if ! python3 -m venv "$venv" || ! "$venv/bin/pip" install -q 'moto[server]==5.2.1' 'nanio==0.1.7'; then
        echo "They could not be installed. Install Python 3 with its module venv (Debian: apt-get install python3-venv)," \
            "or set S3_SERVERS to a virtual environment that has them." >&2
        exit 1
    fi
}
