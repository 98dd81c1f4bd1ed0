# Runs upstream's test-cmd suite from its own scripts, each function by itself, so that one that fails does not end the others.
# The folder is upstream's tree. $SECURE_API_PORT is the server's port, $LOGS takes what each part printed, $ONLY says which
# parts run. One line a part goes to file descriptor 3: how it ended, its name, its seconds.

# Gatehouse says its own version behind that of Kubernetes, which kubectl is not to mind.
export LANG=C TERM=xterm ALLOW_SKEW=true
source hack/lib/init.sh
source hack/lib/test.sh
source test/cmd/legacy-script.sh > "$LOGS/canary.log" 2>&1
set +o errexit

# The suite calls this with each of its parts.
record_command() {
  [[ $1 =~ ^run_($ONLY)$ ]] || return 0
  local began=$SECONDS
  (
    trap - ERR
    set +o nounset
    "$@"
  ) > "$LOGS/$1.log" 2>&1 < /dev/null
  echo "$? $1 $((SECONDS - began))" >&3
}

# What the suite asks between its parts ends upstream's run where it fails; here it is told of.
between() {
  [[ ${FUNCNAME[1]} == runTests && $BASH_SUBSHELL == 0 ]] && echo "1 line_${BASH_LINENO[0]} 0" >&3
}

# The server's --cert-dir; the suite reads its certificate there.
export TMPDIR=$PWD/tmp
[[ -e $TMPDIR/apiserver.crt ]] || cp hack/testdata/ca/ca.crt "$TMPDIR/apiserver.crt"
kube::util::ensure-temp-dir
kube::util::ensure-gnu-sed
export HOME=$KUBE_TEMP CONTEXT=test
PATH=$THIS_PLATFORM_BIN:$PATH
SUPPORTED_RESOURCES=("*")

kubectl config set-credentials test-admin --token admin-token
kubectl config set-cluster local --insecure-skip-tls-verify --server "https://127.0.0.1:$SECURE_API_PORT"
kubectl config set-context test --user test-admin --cluster local
kubectl config use-context test
kubectl create -f - << NODE
{"kind": "Node", "apiVersion": "v1", "metadata": {"name": "127.0.0.1", "annotations": {"save-managers": "true"}}, "status": {"capacity": {"memory": "1Gi"}}}
NODE

set -o errtrace
trap between ERR
runTests
trap - ERR
