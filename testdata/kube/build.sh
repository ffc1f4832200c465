#!/bin/sh
# Builds programs from Go modules: build.sh INTO MODULE LDFLAGS NAME=PACKAGE…, of which it passes over what is in the folder INTO.
# All are built at once, so that what they share is compiled once and no core waits while another links. How far it is is told
# every 20 seconds. A program gets its name only when it is whole.
set -eu
into=$1 ldflags=$3
mkdir -p "$into"
cd "$2"
shift 3
for program; do
	shift
	[ -e "$into/${program%%=*}" ] || set -- "$@" "$program"
done
[ $# -gt 0 ] || exit 0
names='' packages=''
for program; do
	names="$names ${program%%=*}" packages="$packages ${program#*=}"
done
export CGO_ENABLED=0 GOOS= GOARCH= GOFLAGS= GOWORK=off
tmp=$into/.building.$$ build=
mkdir "$tmp"
trap 'rm -rf "$tmp"' EXIT
trap 'kill $build 2>/dev/null; exit 1' HUP INT TERM
out=$tmp/
[ $# -gt 1 ] || out=$tmp/${names# }
start=$(date +%s)
echo "building$names (fetching what they are made of)"
# shellcheck disable=SC2086 # the names of packages have no blanks
all=$(go list -deps $packages)
all=$(echo "$all" | wc -l)
echo "  at most $all packages; on two idle cores it takes about a second for ten"
# shellcheck disable=SC2086
go build -v -trimpath -ldflags "$ldflags" -o "$out" $packages >"$tmp/log" 2>&1 &
build=$! told=0
while sleep 1 && kill -0 $build 2>/dev/null; do
	took=$(($(date +%s) - start))
	[ $((took - told)) -ge 20 ] || continue
	told=$took
	echo "  $(wc -l <"$tmp/log") of $all packages compiled in $took s"
done
# What go says beside the names of packages is in lines with blanks.
wait $build || { grep ' ' "$tmp/log" >&2; exit 1; }
for name in $names; do
	mv "$tmp/$name" "$into/$name"
done
echo "built$names in $(($(date +%s) - start)) s"
