#!/usr/bin/env bash
# Builds Caddy with Cadenas, and starts the first run.
#
#   ./xcaddy.sh                 build ./caddy
#   ./xcaddy.sh run             build, then start Caddyfile.example in front of
#                               the demonstration application; Ctrl-C ends both
#   ./xcaddy.sh cadenas VERB    the command line of what `run` started, as in
#                               ./xcaddy.sh cadenas requests
#
# Needs Go and nothing else. State is kept in .cadenas-run; remove that folder
# to begin again. CADDY_ADMIN moves Caddy's admin endpoint (localhost:2019).
set -eu
cd "$(dirname "$0")"

state=$PWD/.cadenas-run
log=$state/caddy.log
export CADDY_ADMIN="${CADDY_ADMIN:-localhost:2019}"

die() {
	printf 'xcaddy.sh: %s\n' "$*" >&2
	exit 1
}

# need_go says what to do where Go is missing or too old to fetch the version
# that go.mod names.
need_go() {
	command -v go >/dev/null 2>&1 ||
		die 'Go is not installed. Install Go 1.26 or newer from https://go.dev/dl and run this again.'
	wanted=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' go.mod)
	have=$(go env GOVERSION 2>/dev/null | sed -n 's/^go\([0-9]*\.[0-9]*\).*/\1/p')
	[ -n "$have" ] || die "Go does not run here, or cannot fetch Go $wanted. Install Go $wanted or newer from https://go.dev/dl."
	if [ "${have%.*}" -lt "${wanted%.*}" ] || { [ "${have%.*}" -eq "${wanted%.*}" ] && [ "${have#*.}" -lt "${wanted#*.}" ]; }; then
		die "Go $have is too old, $wanted is needed. Install it from https://go.dev/dl."
	fi
}

build() {
	need_go
	if command -v xcaddy >/dev/null 2>&1; then
		echo 'Building ./caddy with xcaddy.'
		xcaddy build --with github.com/cadenas-gateway/cadenas=. --output ./caddy
	else
		echo 'Building ./caddy with go build (xcaddy is not installed; the program is the same).'
		echo 'The first build takes some minutes, later ones some seconds.'
		go build -ldflags '-s -w' -tags nobadger,nomysql,nopgx -o caddy ./cmd/caddy
	fi
}

# taken tells whether something listens on a port of this machine.
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

demo='' caddy=''

# finish ends what was started, gently and then for good.
finish() {
	trap '' INT TERM HUP
	trap - EXIT
	for pid in $caddy $demo; do kill "$pid" 2>/dev/null || true; done
	for _ in $(seq 100); do
		alive=''
		for pid in $caddy $demo; do kill -0 "$pid" 2>/dev/null && alive="$alive $pid"; done
		[ -n "$alive" ] || break
		sleep 0.1
	done
	for pid in $alive; do kill -9 "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
}

# failed shows the end of the log beside the sentence.
failed() {
	[ ! -s "$log" ] || tail -n 5 "$log" >&2
	die "$* The whole log is in ${log#"$PWD"/}."
}

# need_ports asks before the build, not to keep anybody waiting for a refusal,
# and after it: two Caddys can listen on one port without an error.
need_ports() {
	for port in 8080 8081; do
		! taken "$port" || die "port $port is taken: end what listens there (another run? another Caddy?) and run this again. (8080 is the gate's and 8081 the demonstration's: Caddyfile.example names both.)"
	done
	port=${CADDY_ADMIN##*:}
	! taken "$port" || die "port $port, Caddy's admin endpoint, is taken (another Caddy?): CADDY_ADMIN=localhost:2020 ./xcaddy.sh run takes another."
}

run() {
	need_ports
	mkdir -p "$state"
	chmod 700 "$state"
	build
	go build -o "$state/demo" ./examples/demo
	need_ports

	export XDG_DATA_HOME="$state/data" XDG_CONFIG_HOME="$state/config"
	alive=''
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP

	"$state/demo" >"$state/demo.log" 2>&1 &
	demo=$!
	./caddy run --config Caddyfile.example --adapter caddyfile >"$log" 2>&1 &
	caddy=$!

	# Up when Caddy says so; 60 seconds at most.
	for _ in $(seq 300); do
		grep -q 'serving initial configuration' "$log" && break
		kill -0 "$caddy" 2>/dev/null || failed 'Caddy did not start.'
		kill -0 "$demo" 2>/dev/null || die "the demonstration application did not start: $(cat "$state/demo.log")"
		sleep 0.2
	done
	grep -q 'serving initial configuration' "$log" || failed 'Caddy was not up within a minute.'
	link=$(./caddy cadenas console-link --admin marie@example.com) || failed 'No console link could be made.'

	cat <<-TEXT

		Application   http://app.localhost:8080   $(sed -n 's/^  \([^ ]*\) *\([^ ]*\) .*/\1 \2/p' "$state/demo.log" | paste -sd, - | sed 's/,/, /g')
		Console       $link
		Try           sign in, close the padlock in the console, then sign in from a private window: it waits until you approve.
		Mails         none is sent: what would be is in the console, and in ${log#"$PWD"/}
		Command line  ./xcaddy.sh cadenas requests        (Ctrl-C here ends everything; the state is kept)

	TEXT
	wait "$caddy" || true
	failed 'Caddy ended by itself.'
}

case "${1-}" in
'') build ;;
run) run ;;
cadenas)
	[ -x ./caddy ] || die 'there is no ./caddy yet: run ./xcaddy.sh first.'
	export XDG_DATA_HOME="$state/data" XDG_CONFIG_HOME="$state/config"
	exec ./caddy "$@"
	;;
*)
	sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0"
	[ "$1" = -h ] || [ "$1" = --help ] || exit 2
	;;
esac
