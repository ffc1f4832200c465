#!/bin/sh
# Searches the model in each configuration of configurations.txt, or in those whose names are given (quick: some that take
# seconds), and says how many states each has. Exits with 1 when a clean one is violated, or a broken one is not.
cd "$(dirname "$0")" || exit 1
for program in spin gcc; do
	command -v $program >/dev/null || {
		echo "$program is missing: install it, on Debian with apt-get install $program" >&2
		exit 1
	}
done
model=$PWD/grant.pml
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
failed=0
[ "$*" = quick ] && set -- retry noadopt noexpirer nocas
while read -r name want states switches; do
	case "$name" in "#" | "") continue ;; esac
	case "$#:$name" in 0:long-*) continue ;; 0:*) ;; *) case " $* " in *" $name "*) ;; *) continue ;; esac ;; esac
	# What is long is searched by bits: a state is known by three of them, which misses few and says so (hash factor).
	# It ends after a quarter of an hour, wherever it is then.
	case "$name" in long-*) how=-DBITSTATE bits='-w34 -Q15' ;; *) how=-DCOLLAPSE bits= ;; esac
	# shellcheck disable=SC2086
	spin -a $switches "$model" >log 2>&1 &&
		gcc -O2 -DSAFETY $how -DVECTORSZ=2048 -DMEMLIM=8000 -o pan pan.c >>log 2>&1 || {
		cat log
		exit 1
	}
	# shellcheck disable=SC2086
	./pan -E -m2000000 $bits >log 2>&1
	got=clean
	grep -q 'errors: 0' log || got=violated
	what=$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' log | head -1)
	found=$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' log | tail -1)
	grep -q 'max search depth too small\|reached -DMEMLIM' log && got=unfinished
	verdict=ok
	[ $got = "$want" ] || verdict=WRONG failed=1
	[ "$states" = "$found" ] || [ "$states" = - ] || verdict="$verdict (it had $states states)"
	echo "$verdict: $name is $got, $found states $what"
done <"$(dirname "$model")/configurations.txt"
exit $failed
