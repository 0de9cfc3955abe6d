# The worker of the chaos stories. It tells a ledger outside of the product what it does, and holds a lock of its task as long as
# anybody of its process tree lives. Its task's name says how it behaves: KIND-NUMBER-TENTHS.
# NODE, LEDGER and LOCKS are set by the line that runs it.
task=$ORCHESTRATOR_TASK_ID
epoch=$(basename "$(dirname "$ORCHESTRATOR_PROMPT_FILE")")
kind=${task%%-*}
tenths=${task##*-}
exec 8>>"$LEDGER" 9>>"$LOCKS/$task"

tell() {
    flock 8
    # Both clocks' time since boot, also over sleep; the order of the lines is the order in which they got the lock.
    read -r up _ </proc/uptime
    echo "$up $task $epoch $NODE $$ $1" >&8
    flock -u 8
}

if flock -n 9; then tell begins; else tell overlaps; fi
printf '\n- %s: begun on %s\n' "$(date -u +%FT%TZ)" "$NODE" >>"$ORCHESTRATOR_PROGRESS_FILE"
case $kind in
deaf) trap '' TERM ;;
# One that gets out of its session and its process group, and holds the lock on.
tree) setsid sh -c "trap '' TERM; while kill -0 $$ 2>/dev/null; do sleep 0.1; done" & ;;
esac
done=0
while [ "$done" -lt "$tenths" ]; do
    sleep 0.1
    done=$((done + 1))
    tell lives
done
# Once, what it says is not so, or it falls over.
if [ ! -e "$LOCKS/$task.once" ]; then
    : >"$LOCKS/$task.once"
    case $kind in
    liar) tell ends; exit 0 ;;
    crash) exit 1 ;;
    esac
fi
echo "$epoch" >done.txt
tell ends
