# Functions that start PostgreSQL, servers and nginx on this machine, in an empty folder. Sourced, not run. All processes end
# with the script.

source scripts/lib.sh

need_postgres "the cluster starts a server of its own with it" ""
need_nginx "it distributes the requests to the servers"
initdb=${PG_BIN:+$PG_BIN/initdb}
initdb=${initdb:-$(command -v initdb || printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)}
PATH=${initdb%/initdb}:$PATH:/usr/sbin

folder=$(mktemp -d)
chmod 755 "$folder"
pids=()
stop() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    pids=()
}
trap 'stop; rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# PostgreSQL refuses to run as root.
as_postgres() {
    if [[ $EUID -eq 0 ]]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi
}

start_postgres() {
    mkdir "$folder/database"
    if [[ $EUID -eq 0 ]]; then chown postgres "$folder/database"; fi
    as_postgres initdb -D "$folder/database/data" -U mycars -A trust -E UTF8 --locale=C >"$folder/initdb.log"
    (
        cd "$folder/database"
        if [[ $EUID -eq 0 ]]; then
            exec setpriv --reuid=postgres --regid=postgres --clear-groups \
                postgres -D data -k "$folder/database" -c listen_addresses=
        fi
        exec postgres -D data -k "$folder/database" -c listen_addresses=
    ) >"$folder/postgres.log" 2>&1 &
    postgres=$!
    pids+=("$postgres")
    until psql -h "$folder/database" -U mycars -c 'SELECT 1' postgres >/dev/null 2>&1; do
        kill -0 "$postgres" || { cat "$folder/postgres.log" >&2; exit 1; }
        sleep 0.1
    done
}

# start_server BINARY DATABASE: starts a server on a free port. Adds its process to `servers` and its address to `addresses`.
start_server() {
    local log address server
    log=$folder/server${#pids[@]}.log
    (cd "$folder" && exec env DATABASE_URL="postgres://mycars@${folder//\//%2F}%2Fdatabase/$2" MYCARS__DATA_DIR="$folder/data" \
        MYCARS_ENVIRONMENT=production SECRET_KEY=b8a0f2c6d4e1937f5a6c8e0d2b4f6a81 ALLOWED_HOSTS=127.0.0.1 \
        MYCARS__SERVER__TRUSTED_PROXIES=127.0.0.1 MYCARS__THROTTLE__ENABLED=false MYCARS__LOG__LEVEL=warn \
        MYCARS__QUOTAS__CARS_PER_USER=0 \
        "$1" runserver 127.0.0.1:0) >"$log" 2>&1 &
    server=$!
    servers+=("$server")
    pids+=("$server")
    address=
    until [[ -n $address ]]; do
        kill -0 "$server" || { cat "$log" >&2; exit 1; }
        sleep 0.1
        address=$(sed -n 's|^ *API *http://\(.*\)/api/$|\1|p' "$log")
    done
    addresses+=("$address")
}

# configure_nginx: writes the configuration of nginx in front of the servers at `addresses`.
configure_nginx() {
    cat >"$folder/nginx/nginx.conf" <<END
pid nginx.pid;
daemon off;
error_log stderr;
worker_processes 1;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream mycars {
$(printf '        server %s max_fails=1 fail_timeout=2s;\n' "${addresses[@]}")
        keepalive 64;
    }
    server {
        listen ${MYCARS_URL#http://};
        client_max_body_size 9m;
        location / {
            proxy_pass http://mycars;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_set_header Host \$host;
            proxy_set_header X-Forwarded-For \$remote_addr;
            proxy_connect_timeout 1s;
        }
    }
}
END
}

start_nginx() {
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    export MYCARS_URL=http://127.0.0.1:$port
    mkdir -p "$folder/nginx"
    configure_nginx
    nginx -p "$folder/nginx" -c nginx.conf 2>"$folder/nginx.log" &
    nginx=$!
    pids+=("$nginx")
    until curl -fs "$MYCARS_URL/health/ready" >/dev/null; do
        kill -0 "$nginx" || { cat "$folder/nginx.log" >&2; exit 1; }
        sleep 0.1
    done
}
