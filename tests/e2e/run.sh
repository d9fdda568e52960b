#!/usr/bin/env bash
# Runs end-to-end tests: `run.sh PYTEST_ARGUMENTS…`. With KUBECONFIG set, on that cluster, which has to hold the images of
# values.yaml, an ingress controller at E2E_INGRESS (address:port) and helm and kubectl on the PATH: docs/operations.md.
# Otherwise on a cluster that the program E2E_CLUSTER makes (`up`, `build TAG CONTEXT …`, `load TAG`, `schemas DIR`,
# `down`), from nothing, and which is gone afterwards.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-.venv/bin/python}

# Two runs at once would install into the same namespace, and take each other's cluster down.
exec 9>"${TMPDIR:-/tmp}/hunarmitra-e2e.lock"
flock --nonblock 9 || { echo "── waiting for another end-to-end run on this machine" >&2; flock 9; }

step() { echo "── $(date +%T) $*" >&2; "$@"; }

if [ -z "${KUBECONFIG:-}" ]; then
  if [ -z "${E2E_CLUSTER:-}" ]; then
    echo "error: these tests need a cluster: set KUBECONFIG, or E2E_CLUSTER to a program that makes one (docs/operations.md)" >&2
    exit 1
  fi
  work=$(mktemp -d)
  # From another folder: the cluster's own programs must not run under this project's .python-version.
  cluster() { (cd / && "$E2E_CLUSTER" "$@"); }
  HM_NODES=2 cluster down
  trap 'cluster down; rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM

  build_as() { "$E2E_CLUSTER" build "localhost/$2:$1" "${@:3}" >"$work/$2.log" 2>&1 || { cat "$work/$2.log" >&2; return 1; }; }
  build() { build_as dev "$@"; }
  # Nothing is up yet, so these only build. The first makes the base image, then two at a time for two cores.
  previous=()
  images=(hunarmitra-http hunarmitra-ws hunarmitra-e2e-postgresql hunarmitra-e2e-redis)
  step build hunarmitra-http . -f services/http/Dockerfile
  build hunarmitra-ws . -f services/ws/Dockerfile & first=$!
  step build hunarmitra-e2e-postgresql tests/e2e/images/postgresql
  wait "$first"
  build hunarmitra-e2e-redis tests/e2e/images/redis & first=$!
  if [ -z "${E2E_WITHOUT_OPERATOR:-}" ]; then
    step build hunarmitra-operator operator
    images+=(hunarmitra-operator)
  fi
  wait "$first"
  if [ -n "${E2E_FULL:-}" ]; then
    # The release before the newest migration, as far as a repository without releases knows.
    newest=$(git log -1 --format=%H -- 'hunarmitra/*/migrations/0*.py')
    if git rev-parse --quiet --verify "$newest^" >/dev/null; then
      export E2E_PREVIOUS=$work/previous
      mkdir "$E2E_PREVIOUS"
      git archive "$newest^" | tar -x -C "$E2E_PREVIOUS"
      for name in http ws; do
        step build_as previous "hunarmitra-$name" "$E2E_PREVIOUS" -f "$E2E_PREVIOUS/services/$name/Dockerfile"
        previous+=("hunarmitra-$name:previous")
      done
    fi
  fi
  # One archive holds the layers that the images share only once.
  step podman save --quiet --multi-image-archive --output "$work/images.tar" "${images[@]/%/:dev}" "${previous[@]}"
  eval "$(step cluster up)"
  step cluster load "$work/images.tar"
  rm "$work/images.tar"
  cluster schemas "$work/schemas"
  export KUBERNETES_SCHEMAS=$work/schemas
  export E2E_INGRESS=${E2E_INGRESS:-10.201.0.2:80}
  export E2E_INGRESS_LOG=${E2E_INGRESS_LOG:-$(dirname "$KUBECONFIG")/log/ingress-access.log}
  export E2E_API_SERVER=${E2E_API_SERVER:-$(dirname "$KUBECONFIG")/run/kube-apiserver}
fi
status=0
E2E=1 step "$python" -m pytest -p no:cacheprovider "$@" || status=$?
if [ -n "${E2E_FULL:-}" ]; then
  export OPERATOR_TEST_IMAGE=${OPERATOR_TEST_IMAGE:-localhost/hunarmitra-operator:dev}
  (cd operator && step .venv/bin/python -m pytest -q -p no:cacheprovider tests/cluster) || status=$?
fi
exit "$status"
