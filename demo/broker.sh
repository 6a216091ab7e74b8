# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A broker for the demo and for the browser tests: keys, tokens, configuration. Source it after lib.sh.
# BUILD is a finished build; a FOLDER holds everything that one broker needs and is private to its user.

# shellcheck disable=SC2034  # read by the scripts that source this file
DEMO_ORGANIZATIONS=(acme globex)

orgcast() { "$BUILD/cli/orgcast" "$@"; }

# private_file FILE: takes its content from standard input; nobody else can read it at any moment.
private_file() { (umask 077 && cat >"$1"); }

# make_key FOLDER: the HMAC secret that signs the demo's tokens and that the broker verifies them with.
make_key() {
    if [[ ! -s $1/hmac.key ]]; then
        head -c 48 /dev/urandom | base64 -w 0 | private_file "$1/hmac.key"
    fi
}

# sign_token FOLDER NAME CLAIM...: a token that lasts a day, in FOLDER/NAME.jwt.
sign_token() {
    local folder=$1 name=$2
    shift 2
    orgcast token sign --key-file "$folder/hmac.key" --alg HS256 --sub "demo-$name" --expires-in 86400 "$@" \
        </dev/null | private_file "$folder/$name.jwt"
}

# make_tokens FOLDER: one for each organization's readers, and the backend's, which may publish to all.
make_tokens() {
    local organization
    for organization in "${DEMO_ORGANIZATIONS[@]}"; do
        sign_token "$1" "$organization" --org-id "$organization"
    done
    sign_token "$1" backend --scope "invoices:publish orgcast:any-org"
}

# write_configuration FOLDER PORT WS_PORT
write_configuration() {
    private_file "$1/mosquitto.conf" <<EOF
# Started by root, Mosquitto would become a user that cannot read this folder.
user $(id -un)
log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
log_type subscribe

plugin $BUILD/plugin/mosquitto_orgcast.so
plugin_opt_jwt_secret_file $1/hmac.key

# Without this, Mosquitto 2.1 can hold an event back for 40 ms.
set_tcp_nodelay true

listener $2 127.0.0.1

listener $3 127.0.0.1
protocol websockets
# Without this, Mosquitto 2.0 serves WebSockets on every interface.
socket_domain ipv4
http_dir $ROOT/demo/dist
EOF
}

# prepare_broker FOLDER PORT WS_PORT: afterwards, mosquitto -c FOLDER/mosquitto.conf starts it. A key that is
# there already stays, so that what it signed outlives a restart; the tokens are new.
prepare_broker() {
    mkdir -p "$1"
    chmod 700 "$1"
    make_key "$1"
    make_tokens "$1"
    write_configuration "$@"
}

# page_url FOLDER WS_PORT ORGANIZATION
page_url() {
    printf 'http://127.0.0.1:%s/#org=%s&token=%s\n' "$2" "$3" "$(<"$1/$3.jwt")"
}
