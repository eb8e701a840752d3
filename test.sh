#!/usr/bin/env bash
# Runs everything that must hold: form, vet, then all tests against real parts.
#
#   ./test.sh                  everything
#   ./test.sh ./store/... ...  the tests of these packages only
#   ./test.sh lint             golangci-lint, fetched once (some minutes)
#   ./test.sh race             the packages without Caddy, under the race detector
#
# The tests want a browser, Redis, PHP applications and Node-RED. As root on
# Debian what is missing is installed; else it is named, and nothing runs.
set -eu
cd "$(dirname "$0")"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/cadenas-tests
node_red=5.0.7 node=22 lint=v2.15.0

# The tags of every build here, so that Go's cache serves them all.
tags=-tags=nobadger,nomysql,nopgx
export GOFLAGS="${GOFLAGS:+$GOFLAGS }$tags"

die() {
	printf 'test.sh: %s\n' "$*" >&2
	exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# missing_packages names the Debian packages of what is not here.
missing_packages() {
	has chromium || has chromium-browser || has google-chrome || echo chromium
	has redis-server || echo redis-server
	has redis-sentinel || echo redis-sentinel
	if has php; then
		for module in sqlite3 xml mbstring intl curl; do
			php -m | grep -qix "$module" || echo "php-$module"
		done
	else
		echo php-cli php-sqlite3 php-xml php-mbstring php-intl php-curl
	fi
	# What DokuWiki takes from the system; without Apache, which its own
	# package would bring.
	[ -e /usr/share/php-geshi/geshi.php ] || echo php-geshi
	[ -e /usr/share/php/phpseclib/bootstrap.php ] || echo php-phpseclib
	[ -e /usr/share/php/simplepie ] || echo libphp-simplepie
	[ -d /usr/share/fonts/truetype/noto ] || echo fonts-noto-core
}

install_packages() {
	local missing
	missing=$(missing_packages | tr '\n' ' ')
	[ -n "${missing// /}" ] || return 0
	if [ "$(id -u)" != 0 ] || ! has apt-get; then
		die "the tests need what these Debian packages bring: $missing
Install them (apt-get install --no-install-recommends $missing) and run this again."
	fi
	echo "Installing $missing"
	apt-get update -qq
	# shellcheck disable=SC2086 # a list of words
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# unpack_applications lays DokuWiki and Adminer beside the system, as Debian
# packs them: installing them would bring a web server that starts.
unpack_applications() {
	local wanted=''
	for file in dokuwiki/doku.php adminer/adminer.php; do
		[ -e "/usr/share/$file" ] || [ -e "$cache/debian/usr/share/$file" ] || wanted="$wanted ${file%%/*}"
	done
	[ -n "$wanted" ] || return 0
	{ has apt-get && has dpkg-deb; } || die "the tests need$wanted, as Debian packs them, under $cache/debian."
	[ "$(id -u)" != 0 ] || apt-get update -qq
	local work
	work=$(mktemp -d)
	# shellcheck disable=SC2086 # a list of words
	(cd "$work" && apt-get download -qq $wanted 2>/dev/null) ||
		die "could not fetch$wanted. Run apt-get update, or install$wanted."
	for package in "$work"/*.deb; do dpkg-deb -x "$package" "$cache/debian"; done
	rm -rf "$work"
}

install_node_red() {
	[ ! -e "$cache/node-red/node_modules/node-red/red.js" ] || return 0
	if ! has npm; then
		echo "npm is not here: the tests with Node-RED are going to fail. Install npm." >&2
		return 0
	fi
	echo "Fetching Node-RED"
	mkdir -p "$cache/node-red"
	npm install --prefix "$cache/node-red" --no-audit --no-fund --omit=dev --loglevel=error \
		"node-red@$node_red" "node@$node" >/dev/null ||
		echo "npm could not fetch Node-RED: the tests with it are going to fail." >&2
}

run_lint() {
	local bin=$cache/bin/golangci-lint
	if ! has golangci-lint && [ ! -x "$bin" ]; then
		echo "Fetching golangci-lint"
		GOFLAGS='' GOBIN=$cache/bin go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$lint"
	fi
	has golangci-lint && bin=golangci-lint
	"$bin" run --timeout 10m ./...
}

check_form() {
	local unformed
	unformed=$(gofmt -l .)
	[ -z "$unformed" ] || die "not gofmt-ed: $unformed"
	go vet ./...
}

has go || die 'Go is not installed: https://go.dev/dl'
mkdir -p "$cache"

case "${1-}" in
lint)
	run_lint
	;;
race)
	# shellcheck disable=SC2046 # a list of packages
	go test -race -timeout 10m $(go list ./... | grep -vE '/cadenas$|/(caddymodule|cmd|e2e|bench)(/|$)')
	;;
-h | --help)
	sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0"
	;;
*)
	install_packages
	unpack_applications
	install_node_red
	if [ $# -gt 0 ]; then
		exec go test -timeout 12m "$@"
	fi
	check_form
	# The stories have the machine to themselves. They mostly wait, for people
	# who type and for what is tried again, so several go on at a time; those
	# that say "within a second" go on alone, before the others.
	status=0
	# shellcheck disable=SC2046 # a list of packages
	go test -timeout 20m $(go list ./... | grep -v '/e2e') || status=$?
	go test -parallel 4 -timeout 30m ./e2e/... || status=$?
	exit "$status"
	;;
esac
