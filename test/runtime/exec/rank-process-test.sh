#!/bin/bash
# Tests orrery-run under mpirun on two ranks: exit codes and messages for bad
# input, death of one rank, resuming behind it.
#   rank-process-test.sh MPIEXEC ORRERY_RUN WRITE_LINEAR_PLAN
set -u
mpiexec=$1 run=$2 write=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

fail() { echo "FAILED: $1"; cat out; exit 1; }
# expect CODE TEXT ARGUMENTS...: runs two ranks.
expect() {
  local code=$1 text=$2
  shift 2
  timeout 60 "$mpiexec" --oversubscribe -n 2 "$run" "$@" >out 2>&1
  local got=$?
  [ $got = "$code" ] || fail "exit code $got, expected $code: $*"
  [ "$(grep -c -- "$text" out)" = 1 ] || fail "expected once: $text"
}

"$write" . 2 6 2 || fail "writing the plan"
expect 0 'iteration        6/       6' plan --data data --metrics m --threads 1
[ "$(wc -l <m)" -ge 6 ] || fail "too few metrics lines"

expect 2 "unknown option '--step'" plan --data data --step 3
expect 2 '--steps zero: expected a whole number' plan --steps zero
expect 2 'no plan; usage' --data data
expect 1 'absent.plan' absent.plan --data data
expect 1 'nothing-here' plan --data nothing-here
head -c 1000 plan >short.plan
expect 1 'short.plan' short.plan --data data
cp plan flipped.plan
printf '\xff' | dd of=flipped.plan bs=1 seek=500 conv=notrunc status=none
expect 1 'flipped.plan' flipped.plan --data data
timeout 60 "$mpiexec" --oversubscribe -n 1 "$run" plan --data data >out 2>&1 &&
  fail "ran on one rank"
grep -q 'is for 2 ranks (pp 1, dp 2) and 1 was started' out ||
  fail "message for the wrong number of ranks"

# Kill one rank in mid-run; all must end, and the next start must go on from
# the last whole checkpoint.
mkdir long && "$write" long 2 1000000 200 || fail "writing the long plan"
"$mpiexec" --oversubscribe -n 2 "$run" long/plan --data long/data \
  --save saved >out 2>&1 &
job=$!
for _ in $(seq 600); do [ -e saved/latest ] && break; sleep 0.1; done
[ -e saved/latest ] || fail "no checkpoint in 60 s"
victim=$(pgrep -P "$job" -f orrery-run | head -n 1)
[ -n "$victim" ] || fail "no rank to kill"
kill -9 "$victim"
for _ in $(seq 100); do kill -0 "$job" 2>/dev/null || break; sleep 0.1; done
kill -0 "$job" 2>/dev/null && { kill -9 "$job"; fail "ranks hang for 10 s"; }
wait "$job" && fail "exit code 0 after a rank was killed"
step=$(sed 's/step_0*//' saved/latest)
expect 0 "loaded 'saved/step_.*', step $step" long/plan --data long/data \
  --load saved --steps $((step + 3)) --metrics m2
[ "$(head -n 1 m2 | grep -o '"step":[0-9]*')" = "\"step\":$((step + 1))" ] ||
  fail "resumed at another step"
echo passed
