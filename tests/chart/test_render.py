"""Every scenario of `ci/`, rendered: valid, restricted, and every reference in it leads somewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

import jsonschema
import pytest
import yaml

from tests.chart.rendering import (
    CHART,
    EXTRA_OBJECTS,
    SCENARIOS,
    Object,
    containers,
    of_kind,
    pod_templates,
    render,
    rendered_text,
    selects,
)

EXTERNAL_SECRETS = {"hunarmitra-secrets", "registry", "api-example-org-tls"}
"""Those that a scenario says it makes itself."""
SECRET_KEYS = {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "CONTROL_TOKEN", "POSTGRES_PASSWORD", "REDIS_PASSWORD"}
UNKNOWN_KINDS = ("WebSocketScaler", "AlertmanagerConfig", "ExternalSecret")
"""Kinds for which the cluster has no schema; the first has a test of its own."""
everywhere = pytest.mark.parametrize("scenario", SCENARIOS)


def test_every_way_to_install_has_a_scenario() -> None:
    """Each is rendered by every test below."""
    ways = {"default", "minimal", "production", "gateway", "operator", "openshift", "mesh", "dual-stack", "argo"}
    assert set(SCENARIOS) == ways


@everywhere
def test_kubernetes_would_take_it(scenario: str) -> None:
    """Strictly, so that a misspelt field is an error. KUBERNETES_SCHEMAS is a folder of `KindSuffix.json` schemas."""
    program, schemas = shutil.which("kubeconform"), os.environ.get("KUBERNETES_SCHEMAS")
    if program is None or schemas is None:
        pytest.skip("kubeconform is not on the PATH, or KUBERNETES_SCHEMAS is not set")
    location = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [
        program,
        "-strict",
        "-summary",
        "-skip",
        ",".join(UNKNOWN_KINDS),
        "-schema-location",
        location,
    ]
    result = subprocess.run(command, input=rendered_text(scenario), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    skipped = sum(len(of_kind(render(scenario), kind)) for kind in UNKNOWN_KINDS)
    assert f"Skipped: {skipped}" in result.stdout


def closed(schema: Any) -> Any:
    """The schema, refusing what it does not name: the API server would drop that in silence."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: closed(value) for key, value in schema.items() if not key.startswith("x-")}
    if "properties" in schema and schema.get("type") == "object":
        changed["additionalProperties"] = False
    return changed


@pytest.mark.parametrize("scenario", ["operator", "production"])
def test_the_scaler_is_what_its_definition_allows(scenario: str) -> None:
    definition = yaml.safe_load((CHART / "crds" / "websocketscalers.yaml").read_text())
    versions = {version["name"]: version for version in definition["spec"]["versions"] if version["served"]}
    assert set(versions) == {"v1alpha1", "v1beta1"}
    [scaler] = of_kind(render(scenario), "WebSocketScaler").values()
    assert scaler["apiVersion"] == "realtime.hunarmitra.io/v1alpha1", "a cluster may have the definition of 0.1"
    for version in versions.values():
        jsonschema.validate(scaler["spec"], closed(version["schema"]["openAPIV3Schema"]["properties"]["spec"]))


@everywhere
def test_every_pod_is_restricted(scenario: str) -> None:
    """Pod Security's `restricted`, and more: a read-only root, limits for disk too, a number for the user."""
    for name, pod in pod_templates(render(scenario)):
        spec = pod["spec"]
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert scenario == "openshift" or security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        for container in containers(pod):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"]["requests"]), name
            assert {"memory", "ephemeral-storage"} <= set(container["resources"]["limits"]), name
            assert not any("hostPort" in port for port in container.get("ports", [])), name
        allowed = {"name", "emptyDir", "secret", "configMap"}
        assert all(set(volume) <= allowed for volume in spec.get("volumes", [])), name
        folders = [volume["emptyDir"] for volume in spec.get("volumes", []) if "emptyDir" in volume]
        assert all("sizeLimit" in folder for folder in folders), name


@everywhere
def test_only_what_talks_to_the_api_server_has_a_token(scenario: str) -> None:
    for name, pod in pod_templates(render(scenario)):
        has_one = pod["spec"].get("automountServiceAccountToken", True)
        assert has_one is name.endswith(("-operator", "-crds")), name


@everywhere
def test_service_accounts_exist_when_they_are_needed(scenario: str) -> None:
    objects = render(scenario)
    accounts = of_kind(objects, "ServiceAccount")
    for name, pod in pod_templates(objects):
        account = pod["spec"].get("serviceAccountName")
        if name.startswith("Job/") and "bundled" not in name and account is None:
            continue  # a hook before the installation, when no account exists yet
        assert account in accounts, name


@everywhere
def test_selectors_find_their_pods_and_no_others(scenario: str) -> None:
    objects = render(scenario)
    labels = {name: pod["metadata"]["labels"] for name, pod in pod_templates(objects)}
    for item in objects:
        owner = f"{item['kind']}/{item['metadata']['name']}"
        if item["kind"] in {"Deployment", "StatefulSet"}:
            found = [name for name in labels if selects(item["spec"]["selector"], labels[name])]
            assert found == [owner]
        elif item["kind"] == "Service":
            found = [name for name in labels if selects({"matchLabels": item["spec"]["selector"]}, labels[name])]
            assert len(found) == 1, owner
            assert found[0].partition("/")[2] == item["metadata"]["name"], owner
        elif item["kind"] in {"PodDisruptionBudget", "PodMonitor"}:
            found = [name for name in labels if selects(item["spec"]["selector"], labels[name])]
            assert len(found) == 1, owner


@everywhere
def test_ports_and_probes_name_ports_that_exist(scenario: str) -> None:
    objects = render(scenario)
    ports: dict[str, set[str]] = {}
    for name, pod in pod_templates(objects):
        for container in containers(pod):
            named = {port["name"] for port in container.get("ports", [])}
            ports.setdefault(name, set()).update(named)
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                handler = container.get(probe, {})
                port = (handler.get("httpGet") or handler.get("tcpSocket") or {}).get("port")
                assert port is None or port in named, f"{name}: {probe}"
    for service in of_kind(objects, "Service").values():
        target = next(
            name
            for name, pod in pod_templates(objects)
            if selects({"matchLabels": service["spec"]["selector"]}, pod["metadata"]["labels"])
        )
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports[target]
    for policy in of_kind(objects, "NetworkPolicy").values():
        known = set().union(*ports.values())
        for rule in [*policy["spec"].get("ingress", []), *policy["spec"].get("egress", [])]:
            for port in rule.get("ports", []):
                assert isinstance(port["port"], int) or port["port"] in known, policy["metadata"]["name"]


@everywhere
def test_the_public_service_leads_to_the_public_port_alone(scenario: str) -> None:
    for name, service in of_kind(render(scenario), "Service").items():
        if name.endswith(("-http", "-ws")):
            assert [port["targetPort"] for port in service["spec"]["ports"]] == ["public"]


def references(node: Any, key: str) -> list[Any]:
    found = []
    if isinstance(node, dict):
        found += [node[key]] if key in node else []
        found += [one for child in node.values() for one in references(child, key)]
    elif isinstance(node, list):
        found += [one for child in node for one in references(child, key)]
    return found


@everywhere
def test_secrets_and_config_maps_exist_with_the_keys_that_are_read(scenario: str) -> None:
    objects = render(scenario)
    secrets = {name: set(item["stringData"]) for name, item in of_kind(objects, "Secret").items()}
    secrets |= dict.fromkeys(EXTERNAL_SECRETS, SECRET_KEYS)
    maps = {name: set(item["data"]) for name, item in of_kind(objects, "ConfigMap").items()}
    for name, pod in pod_templates(objects):
        for reference in references(pod, "secretKeyRef"):
            assert reference.get("optional") or reference["key"] in secrets[reference["name"]], name
        for volume in pod["spec"].get("volumes", []):
            if "secret" in volume:
                items = {item["key"] for item in volume["secret"]["items"]}
                assert items <= secrets[volume["secret"]["secretName"]], name
            if "configMap" in volume:
                assert volume["configMap"]["name"] in maps, name
        mounted = {mount["name"] for container in containers(pod) for mount in container.get("volumeMounts", [])}
        made = {volume["name"] for volume in pod["spec"].get("volumes", [])}
        claims = {"data"} if name.endswith("-postgresql") else set()
        assert mounted == made | claims, name


@everywhere
def test_ingresses_and_routes_lead_to_services(scenario: str) -> None:
    objects = render(scenario)
    services = of_kind(objects, "Service")
    for ingress in of_kind(objects, "Ingress").values():
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                names = {port["name"] for port in services[backend["name"]]["spec"]["ports"]}
                assert backend["port"]["name"] in names
    for route in of_kind(objects, "HTTPRoute").values():
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                numbers = {port["port"] for port in services[backend["name"]]["spec"]["ports"]}
                assert backend["port"] in numbers


@everywhere
def test_names_are_unique_and_labelled(scenario: str) -> None:
    objects = render(scenario)
    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    assert len(names) == len(set(names))
    for item in objects:
        if (item["kind"], item["metadata"]["name"]) in EXTRA_OBJECTS:
            continue
        assert item["metadata"]["labels"]["app.kubernetes.io/instance"] == "shop", item["metadata"]["name"]


@everywhere
def test_rendering_twice_gives_the_same(scenario: str) -> None:
    """No random function, no clock: an upgrade without a change changes nothing."""
    first = rendered_text(scenario)
    rendered_text.cache_clear()
    assert rendered_text(scenario) == first


def test_pods_are_spread_over_nodes_whether_or_not_nodes_have_zones() -> None:
    """The scheduler ignores a node for *every* constraint of a pod when it lacks the label of one of them."""
    templates = dict(pod_templates(render("production", "ws.affinity=null")))
    for component in ("http", "ws"):
        [template] = [found for name, found in templates.items() if name.endswith(f"-{component}")]
        spec = template["spec"]
        keys = [constraint["topologyKey"] for constraint in spec["topologySpreadConstraints"]]
        assert keys == ["kubernetes.io/hostname"]
        [preference] = spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        term = preference["podAffinityTerm"]
        assert term["topologyKey"] == "topology.kubernetes.io/zone"
        assert selects(term["labelSelector"], template["metadata"]["labels"])


def database_urls(objects: list[Object]) -> dict[str, set[tuple[str, str]]]:
    """Name and key of the Secret from which each component takes DATABASE_URL."""
    found: dict[str, set[tuple[str, str]]] = {}
    for name, pod in pod_templates(objects):
        for container in containers(pod):
            for variable in container.get("env", []):
                if variable["name"] == "DATABASE_URL":
                    secret = variable["valueFrom"]["secretKeyRef"]
                    found.setdefault(name.rpartition("-")[2], set()).add((secret["name"], secret["key"]))
    return found


def test_only_the_migration_has_the_databases_owner() -> None:
    shared = {("hunarmitra-secrets", "DATABASE_URL")}
    assert set().union(*database_urls(render("production")).values()) == shared
    urls = database_urls(render("production", "migrations.existingSecret=owner", "migrations.databaseUrlKey=OWNER_URL"))
    assert urls.pop("migrate") == {("owner", "OWNER_URL")}
    assert {"http", "ws", "relay", "prune"} <= set(urls)
    assert set().union(*urls.values()) == shared


def paths_of_hosts(objects: list[Object]) -> dict[str, list[str]]:
    """The paths that each host is routed for, by Ingress or HTTPRoute."""
    found: dict[str, list[str]] = {}
    for ingress in of_kind(objects, "Ingress").values():
        for rule in ingress["spec"]["rules"]:
            found[rule["host"]] = [path["path"] for path in rule["http"]["paths"]]
    for route in of_kind(objects, "HTTPRoute").values():
        matches = [match for rule in route["spec"]["rules"] for match in rule["matches"]]
        for host in route["spec"]["hostnames"]:
            found[host] = [match["path"]["value"] for match in matches]
    return found


@pytest.mark.parametrize("scenario", ["production", "gateway"])
def test_the_admin_may_have_a_host_of_its_own(scenario: str) -> None:
    [(host, paths)] = paths_of_hosts(render(scenario)).items()
    assert paths == ["/ws", "/api", "/admin", "/static"]
    separated = render(scenario, "config.adminHosts={admin.example.org}")
    assert paths_of_hosts(separated) == {host: ["/ws", "/api", "/static"], "admin.example.org": ["/admin", "/static"]}
    for _, pod in pod_templates(separated):
        for container in containers(pod):
            values = {variable["name"]: variable.get("value") for variable in container.get("env", [])}
            assert values.get("ADMIN_HOSTS", "admin.example.org") == "admin.example.org"
