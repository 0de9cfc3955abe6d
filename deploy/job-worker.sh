#!/bin/sh
# A worker as a job of a cluster, for the runtime `command`: it submits a Kubernetes Job or a Nomad batch job, shows what the
# worker prints, ends it when it is itself ended, and exits with the worker's own exit code.
#
#   [runtimes.cluster]
#   kind = "command"
#   command = ["sh", "/instance/job-worker.sh", "kubernetes", "my-agent", "--some-option"]
#   env = ["WORKER_IMAGE", "WORKER_CLAIM", "WORKER_NAMESPACE", "WORKER_ENV", "ANTHROPIC_API_KEY", "KUBECONFIG", "NOMAD_ADDR", "NOMAD_TOKEN"]
#
# WORKER_ENV names the variables that the worker is handed besides ORCHESTRATOR_*: WORKER_ENV="ANTHROPIC_API_KEY".
# WORKER_CPU, WORKER_MEMORY, WORKER_DEADLINE (seconds), WORKER_HOME (the instance's folder, /instance), WORKER_LEASE (seconds).
#
# The instance's folder lies on storage that the job sees under the same path: a claim that many may mount (WORKER_CLAIM) or, for
# Nomad, a host volume of that name. All that is exchanged are files there, on the worker's desk:
#   job.env     the environment, for its owner alone: nothing of it stands in the job's description
#   job.lease   touched while this script lives; a job whose lease is not touched for a minute ends by itself, so that no
#               worker outlives a node that was lost
#   job.out     what the worker prints
#   job.exit    its exit code, written last
set -eu

lease=${WORKER_LEASE:-60}

# The inside of the job: job-worker.sh inside DESK WORKSPACE COMMAND...
inside() {
    desk=$1 workspace=$2
    shift 2
    # shellcheck disable=SC1091
    . "$desk/job.env"
    cd "$workspace"
    # The worker leads a group of its own, where the image can make one: then all of it is ended at once.
    if command -v setsid >/dev/null; then
        setsid "$@" <"$ORCHESTRATOR_PROMPT_FILE" >>"$desk/job.out" 2>&1 &
        group=-$!
    else
        "$@" <"$ORCHESTRATOR_PROMPT_FILE" >>"$desk/job.out" 2>&1 &
        group=$!
    fi
    worker=$!
    trap 'kill -s TERM -- "$group" 2>/dev/null || true' TERM INT
    (
        while kill -0 "$worker" 2>/dev/null; do
            touched=$(stat -c %Y "$desk/job.lease" 2>/dev/null || echo 0)
            if [ $(($(date +%s) - touched)) -gt "$lease" ]; then
                kill -s KILL -- "$group" 2>/dev/null || true
            fi
            sleep 1
        done
    ) &
    code=0
    wait "$worker" || code=$?
    # A signal interrupts the first wait; the worker may still be at its end.
    while kill -0 "$worker" 2>/dev/null; do wait "$worker" || code=$?; done
    echo "$code" >"$desk/job.exit.part"
    mv "$desk/job.exit.part" "$desk/job.exit"
    exit "$code"
}

# A text between single quotes of a shell.
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

# A text between double quotes of JSON. Paths and names hold no control characters.
json() { printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"; }

# The words of the job's command, as a JSON array.
words() {
    printf '["sh",%s,"inside",%s,%s' "$(json "$desk/job-worker.sh")" "$(json "$desk")" "$(json "$ORCHESTRATOR_WORKSPACE")"
    for word in "$@"; do printf ',%s' "$(json "$word")"; done
    printf ']'
}

kubernetes_job() {
    cat <<JSON
{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"$name","labels":{"app.kubernetes.io/managed-by":"orchestrator"}},
 "spec":{"backoffLimit":0,"ttlSecondsAfterFinished":600,"activeDeadlineSeconds":${WORKER_DEADLINE:-86400},
  "template":{"metadata":{"labels":{"app.kubernetes.io/managed-by":"orchestrator"}},
   "spec":{"restartPolicy":"Never","automountServiceAccountToken":false,"enableServiceLinks":false,
    "securityContext":{"runAsNonRoot":true,"runAsUser":$(id -u),"runAsGroup":$(id -g),"seccompProfile":{"type":"RuntimeDefault"}},
    "containers":[{"name":"worker","image":$(json "$WORKER_IMAGE"),"command":$(words "$@"),
     "securityContext":{"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,"capabilities":{"drop":["ALL"]}},
     "resources":{"requests":{"cpu":$(json "${WORKER_CPU:-500m}"),"memory":$(json "${WORKER_MEMORY:-2Gi}")},"limits":{"memory":$(json "${WORKER_MEMORY:-2Gi}")}},
     "volumeMounts":[{"name":"instance","mountPath":$(json "$home")},{"name":"tmp","mountPath":"/tmp"}]}],
    "volumes":[{"name":"instance","persistentVolumeClaim":{"claimName":$(json "$WORKER_CLAIM")}},{"name":"tmp","emptyDir":{}}]}}}}
JSON
}

nomad_job() {
    cat <<JSON
{"Job":{"ID":"$name","Type":"batch","Datacenters":["*"],"TaskGroups":[{"Name":"worker","Count":1,
 "RestartPolicy":{"Attempts":0,"Mode":"fail"},"ReschedulePolicy":{"Attempts":0,"Unlimited":false},
 "Volumes":{"instance":{"Type":"host","Source":$(json "$WORKER_CLAIM")}},
 "Tasks":[{"Name":"worker","Driver":"docker","User":"$(id -u):$(id -g)","KillTimeout":10000000000,
  "Config":{"image":$(json "$WORKER_IMAGE"),"entrypoint":[],"command":"sh","args":$(words "$@" | sed 's/^\["sh",/[/'),
   "readonly_rootfs":true,"cap_drop":["all"],"security_opt":["no-new-privileges"],"mounts":[{"type":"tmpfs","target":"/tmp"}]},
  "Resources":{"CPU":${WORKER_CPU:-500},"MemoryMB":${WORKER_MEMORY:-2048}},
  "VolumeMounts":[{"Volume":"instance","Destination":$(json "$home")}]}]}]}}
JSON
}

kube() { kubectl ${WORKER_NAMESPACE:+--namespace="$WORKER_NAMESPACE"} "$@"; }

submit() {
    case $engine in
    kubernetes) kubernetes_job "$@" | kube create --filename=- ;;
    nomad) nomad_job "$@" | nomad job run -detach -json - ;;
    esac
}

# over: whether the cluster says that nothing of the job runs, whatever became of it.
over() {
    case $engine in
    kubernetes) state=$(kube get job "$name" --ignore-not-found --output='jsonpath={.metadata.name} {.status.conditions[*].type}') || return 1 ;;
    nomad) state=$(nomad job inspect -t '{{.ID}} {{.Status}}' "$name" 2>/dev/null) || return 1 ;;
    esac
    case $state in
    '' | *Complete* | *Failed* | *' dead') return 0 ;;
    *) return 1 ;;
    esac
}

# remove: ends the job and waits until nothing of it is left.
remove() {
    case $engine in
    kubernetes) kube delete job "$name" --ignore-not-found --cascade=foreground --wait=true --timeout=60s ;;
    nomad) nomad job stop -purge "$name" ;;
    esac
}

case ${1:-} in
inside)
    shift
    inside "$@"
    ;;
kubernetes | nomad) engine=$1 ;;
*)
    echo "usage: job-worker.sh kubernetes|nomad COMMAND..." >&2
    exit 77
    ;;
esac
shift
for needed in WORKER_IMAGE WORKER_CLAIM ORCHESTRATOR_TASK_ID ORCHESTRATOR_ATTEMPT ORCHESTRATOR_WORKSPACE ORCHESTRATOR_OUTCOME_FILE; do
    eval "[ -n \"\${$needed:-}\" ]" || { echo "$needed is not set; name it in the runtime's env" >&2; exit 77; }
done

desk=$(dirname "$ORCHESTRATOR_OUTCOME_FILE")
home=${WORKER_HOME:-/instance}
# A name that clusters take, and another one for each attempt of each task of each instance.
sum=$(printf '%s' "$desk" | cksum | cut -d' ' -f1)
name="worker-$(printf '%s' "$ORCHESTRATOR_TASK_ID" | tr 'A-Z._' 'a-z--' | cut -c1-40 | sed 's/-*$//')-$ORCHESTRATOR_ATTEMPT-$sum"

cp "$0" "$desk/job-worker.sh"
: >"$desk/job.out"
touch "$desk/job.lease"
(
    umask 077
    echo "lease=$lease" >"$desk/job.env"
    {
        # The attempt's key marks processes of this machine; those of the job are elsewhere.
        env | sed -n 's/^\(ORCHESTRATOR_[A-Z_]*\)=.*/\1/p' | grep -vx ORCHESTRATOR_ATTEMPT_KEY
        printf '%s\n' "${WORKER_ENV:-}" | tr ', ' '\n\n' | grep -x '[A-Za-z_][A-Za-z0-9_]*' || true
    } | while read -r key; do
        printf 'export %s=' "$key"
        quoted "$(eval "printf '%s' \"\${$key:-}\"")"
        echo
    done >>"$desk/job.env"
)
tailing=
finish() {
    trap - TERM INT
    remove >&2 || echo "the job $name could not be removed; it ends with its lease" >&2
    rm -f "$desk/job.env"
    [ -z "$tailing" ] || kill "$tailing" 2>/dev/null || true
}
trap 'finish; exit 143' TERM INT

submit "$@" >&2 || { echo "the job could not be submitted" >&2; rm -f "$desk/job.env"; exit 1; }
tail -n +1 -f "$desk/job.out" &
tailing=$!
looked=0
while [ ! -e "$desk/job.exit" ]; do
    touch "$desk/job.lease"
    looked=$((looked + 1))
    if [ $((looked % 10)) -eq 0 ] && over && [ ! -e "$desk/job.exit" ]; then
        echo "the job $name is over, and its worker left no exit code (evicted, or out of memory)" >&2
        finish
        exit 1
    fi
    sleep 1
done
code=$(cat "$desk/job.exit")
# What was printed last is still on its way.
sleep 1
finish
exit "$code"
