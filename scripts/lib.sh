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

# The same places as in crates/testkit/src/postgres/pgbouncer.rs.
has_pgbouncer() {
    if [[ -n ${PGBOUNCER:-} ]]; then [[ -x $PGBOUNCER ]]; return; fi
    PATH="$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin" command -v pgbouncer >/dev/null
}

install_pgbouncer() {
    if command -v brew >/dev/null; then brew install pgbouncer; return; fi
    if [[ $EUID -ne 0 ]] && ! command -v sudo >/dev/null; then return 1; fi
    if command -v apt-get >/dev/null; then
        as_root apt-get update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends pgbouncer
    elif command -v dnf >/dev/null; then
        as_root dnf install -y pgbouncer
    elif command -v apk >/dev/null; then
        as_root apk add pgbouncer
    else
        return 1
    fi
}

# need_pgbouncer WHY: installs PgBouncer if it is missing, or ends with a hint.
need_pgbouncer() {
    if has_pgbouncer; then return 0; fi
    echo "PgBouncer is not installed; $1. Installing it." >&2
    if ! install_pgbouncer || ! has_pgbouncer; then
        echo "PgBouncer could not be installed. Install it (Debian: apt-get install pgbouncer), or set PGBOUNCER to the" \
            "path of its binary." >&2
        exit 1
    fi
}
