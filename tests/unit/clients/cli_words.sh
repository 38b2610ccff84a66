#!/bin/sh
# What the command line says when no farm is needed: overview, unknown words, bad options, report.
set -u
tunefarm=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
export HOME="$dir"
unset TUNEFARM_BROKER TUNEFARM_KEY TUNEFARM_FD XDG_CONFIG_HOME
failed=0

# expect STATUS WORD COMMAND...: runs it; its status and, in its output, the word.
expect() {
    status=$1 word=$2
    shift 2
    "$@" >out 2>&1 </dev/null
    got=$?
    if [ "$got" -ne "$status" ] || ! grep -qF -- "$word" out; then
        echo "expected status $status and \"$word\", got $got from: $*"
        cat out
        failed=1
    fi
}

expect 0 "Commands:" "$tunefarm"
expect 0 "Commands:" "$tunefarm" help
expect 0 "Usage: tunefarm run" "$tunefarm" help run
expect 0 "Usage: tunefarm report" "$tunefarm" report --help
expect 0 ".TH" "$tunefarm" --man
expect 0 "tunefarm 0." "$tunefarm" --version
expect 0 "tunefarm 0." "$tunefarm" run --version
expect 2 "did you mean run?" "$tunefarm" rnu
expect 2 "there is no command" "$tunefarm" help nonsense
expect 2 "did you mean --slots?" "$tunefarm" run --slotz 3 x.yaml
expect 2 "slots" "$tunefarm" run --slots many x.yaml
expect 2 "an argument is missing" "$tunefarm" run
expect 2 "an argument is missing" "$tunefarm" pause
expect 2 "is no trial" "$tunefarm" resume s first
expect 2 "an argument is missing" "$tunefarm" drain
expect 2 "exclude one another" "$tunefarm" drain w --now --deadline 5s
expect 2 "no farm was named" "$tunefarm" drain w
expect 2 "several arguments" "$tunefarm" run a.yaml b.yaml
expect 2 "nowhere.yaml cannot be read" "$tunefarm" run nowhere.yaml
expect 2 "is no whole number" "$tunefarm" run --trials many x.yaml
expect 2 "is no name of a study" "$tunefarm" run -n a/b -- true
expect 2 "an argument is missing" "$tunefarm" run -n ab
expect 2 "no farm was named" "$tunefarm" ls
expect 4 "no ./x.tunefarm.db" "$tunefarm" best x
expect 4 "there is no database" "$tunefarm" ls --db nothing.db
expect 3 "no broker answers at ipc://" "$tunefarm" ls --broker "ipc://$dir/b" --timeout 200ms
expect 2 "ipc://PATH" "$tunefarm" ls --broker "nonsense"
expect 2 "the question is empty" "$tunefarm" sql "  "
expect 2 "is no trial" "$tunefarm" show x first
expect 2 "is no trial" "$tunefarm" why x first
expect 2 "an argument is missing" "$tunefarm" why x
expect 4 "no ./x.tunefarm.db" "$tunefarm" replay x
expect 2 "TUNEFARM_FD" "$tunefarm" report --loss 1
expect 2 "is no number" "$tunefarm" report --loss low
expect 2 "needs a value" "$tunefarm" report --loss
expect 2 "nothing to report" "$tunefarm" report --step 3
expect 2 "expected 0, 1, 2" "$tunefarm" report --step -3 --loss 1
expect 2 "expected --NAME" "$tunefarm" report loss 1
expect 2 "needs --step" "$tunefarm" report --checkpoint /tmp/x
expect 2 "number of a descriptor" env TUNEFARM_FD=x "$tunefarm" report --loss 1
expect 2 "cannot be written" env TUNEFARM_FD=77 "$tunefarm" report --loss 1
expect 0 '{"step":3,"loss":0.41,"acc":0.9}' env TUNEFARM_FD=1 "$tunefarm" report --step 3 --loss 0.41 --acc=0.9
expect 0 '{"loss":"NaN"}' env TUNEFARM_FD=1 "$tunefarm" report --loss nan
expect 0 '{"pruned":true}' env TUNEFARM_FD=1 "$tunefarm" report --pruned
expect 0 '{"error":"out of \"memory\""}' env TUNEFARM_FD=1 "$tunefarm" report --error 'out of "memory"'
expect 0 '{"step":3,"checkpoint":"/tmp/x"}' env TUNEFARM_FD=1 "$tunefarm" report --checkpoint /tmp/x --step 3

mkdir -p .config/tunefarm
printf 'broker = ipc://%s/from-file\n' "$dir" >.config/tunefarm/tunefarm.conf
expect 3 "from-file" "$tunefarm" ls --timeout 200ms
expect 3 "from-env" env TUNEFARM_BROKER="ipc://$dir/from-env" "$tunefarm" ls --timeout 200ms
expect 3 "from-flag" env TUNEFARM_BROKER="ipc://$dir/from-env" "$tunefarm" ls --timeout 200ms --broker "ipc://$dir/from-flag"
printf 'brokre = x\n' >.config/tunefarm/tunefarm.conf
expect 2 "tunefarm.conf:1" "$tunefarm" ls
exit $failed
