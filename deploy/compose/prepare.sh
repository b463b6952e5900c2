#!/bin/sh -eu
# prepare.sh NAME: makes the secrets and folders that docker-compose.yml mounts, each readable by its container alone.
# Run it as root, once; what exists is never replaced. NAME is the service's public host name.
cd "$(dirname "$0")"
umask 077
name=${1:?usage: prepare.sh NAME}

# Who runs as what in its container.
wardlist=10001 postgres=999 store=1000 nginx=101 prometheus=65534 grafana=472

# random BYTES: as many random bytes, in hexadecimal digits.
random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# keep FILE OWNER: takes the file from standard input unless there is one.
keep() {
    if [ -e "$1" ]; then cat > /dev/null; else cat > "$1.new" && chown "$2:$2" "$1.new" && mv "$1.new" "$1"; fi
}

# folder NAME OWNER: a folder of that owner alone.
folder() { mkdir -p "$1" && chown "$2:$2" "$1"; }

mkdir -p secrets secrets/tls state
chmod 711 . secrets state
chown "$wardlist:$wardlist" state
for one in keys keys/leaving keys/match mark exports backup witness; do folder "state/$one" $wardlist; done
# nginx is of wardlist's group and reads what is published.
for one in tuf log; do folder "state/$one" $wardlist && chmod 750 "state/$one"; done
folder state/postgres $postgres
folder state/store $store
folder state/prometheus $prometheus
folder state/grafana $grafana

random 24 | keep secrets/postgres-password $postgres
[ -e secrets/pgpass ] || printf 'postgres:5432:wardlist:wardlist:%s\n' "$(cat secrets/postgres-password)" | keep secrets/pgpass $wardlist
random 16 | keep secrets/grafana-password $grafana
if [ ! -e secrets/store.env ]; then
    id=$(random 10) key=$(random 24)
    keep secrets/s3.json $store << END
{"identities": [{"name": "publisher", "credentials": [{"accessKey": "$id", "secretKey": "$key"}],
 "actions": ["Read:published", "Write:published", "List:published", "Tagging:published"]}]}
END
    printf 'AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n' "$id" "$key" | keep secrets/store.env 0
fi
if [ ! -e secrets/tls/key.pem ]; then
    # Until your own comes: one that nobody else trusts.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$name" \
        -addext "subjectAltName=DNS:$name" -keyout secrets/tls/key.pem -out secrets/tls/fullchain.pem 2> /dev/null
fi
chown -R "$nginx:$nginx" secrets/tls
printf 'NAME=%s\nLOG_VKEY=\nWITNESSES=\n' "$name" | keep .env 0
