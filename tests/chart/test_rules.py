"""What the chart rejects, in which words; and what it must never render."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.chart.rendering import (
    CHART,
    RenderError,
    containers,
    helm,
    of_kind,
    pod_templates,
    render,
    rendered_text,
)
from tests.support.surroundings import REPOSITORY

REJECTED = [
    ("minimal", "config.allowedHosts=null", "config.allowedHosts is empty"),
    ("minimal", "ingress.enabled=true", "config.trustedProxies is empty although an Ingress"),
    ("operator", "http.options.keepAliveSeconds=60", r"keepAliveSeconds \(60\) must be greater than"),
    ("minimal", "database.bundled.enabled=false", "the address of an external database is a secret"),
    ("minimal", "redis.bundled.enabled=false", "the address of an external Redis is a secret"),
    ("minimal", "secrets.secretKey=", "secrets.secretKey is empty"),
    ("minimal", "secrets.secretKey=short", "minLength: got 5, want 32"),
    ("minimal", "secrets.existingSecret=mine", "existingSecret and secrets.secretKey are both set"),
    ("minimal", "ws.terminationGracePeriodSeconds=39", r"ws.terminationGracePeriodSeconds \(39\) is too short.* = 40"),
    ("minimal", "ws.preStopSleepSeconds=6", r"terminationGracePeriodSeconds \(45\) is too short.* = 46"),
    ("minimal", "ws.options.drainWindowSeconds=26", r"ws.options.graceSeconds \(35\) is too short.* = 36"),
    ("minimal", "ws.options.drainSettleSeconds=2", r"drainSettleSeconds \(2\) must be greater than"),
    (
        "minimal",
        "http.terminationGracePeriodSeconds=32",
        r"http.terminationGracePeriodSeconds \(32\) is too short.* = 33",
    ),
    ("minimal", "ws.options.maxConnections=10000", r"limits.memory \(768Mi\) is too small for 10000 .* = 3019Mi"),
    ("minimal", "ws.options.sendBufferBytes=1048576", "ws.resources.limits.memory"),
    ("minimal", "ws.resources.limits.memory=1Zi", "is not an amount of memory"),
    ("minimal", "http.options.workers=4", r"http.resources.limits.memory \(512Mi\) is too small.* = 640Mi"),
    ("minimal", "ws.autoscaling.enabled=true", "set operator.enabled=true"),
    ("minimal", "operator.enabled=true", "set ws.autoscaling.enabled=true"),
    ("operator", "ws.autoscaling.targetConnections=2001", r"targetConnections \(2001\) must not be greater"),
    ("operator", "ws.autoscaling.spec.drain.windowSeconds=20", "pods are removed before they are empty"),
    ("operator", "ws.autoscaling.minReplicas=9", r"ws.autoscaling.minReplicas \(9\) must not be greater"),
    ("gateway", "httpRoute.parentRefs=null", "httpRoute.parentRefs is empty"),
    # Misspelt, or of the wrong kind: the schema.
    ("minimal", "ws.replica=3", "additional properties 'replica' not allowed"),
    ("minimal", "wss.replicas=3", "additional properties 'wss' not allowed"),
    ("minimal", "ws.replicas=two", "got string, want integer"),
    ("minimal", "image.pullPolicy=Sometimes", "pullPolicy"),
    ("minimal", "secrets.wsKeys=private", "wsKeys"),
    ("minimal", "config.env.TRACKING_INTERVAL=x", "additional properties 'TRACKING_INTERVAL' not allowed"),
    ("minimal", "config.env.SECRET_KEY=abc", "additional properties 'SECRET_KEY' not allowed"),
    ("minimal", "config.allowedOrigins={app.example.org}", "allowedOrigins"),
    ("minimal", "http.image.digest=latest", "digest"),
    ("minimal", "tracing.endpoint=collector:4318", "endpoint"),
    ("minimal", "tracing.ratio=2", "ratio"),
    ("minimal", "tracing.ratio=1.5", "ratio"),
    ("minimal", "config.env.OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "additional properties"),
]


@pytest.mark.parametrize(("scenario", "setting", "said"), REJECTED, ids=[case[1] for case in REJECTED])
def test_a_wrong_value_is_rejected_with_a_sentence(scenario: str, setting: str, said: str) -> None:
    with pytest.raises(RenderError) as refusal:
        render(scenario, setting)
    assert re.search(said, str(refusal.value)), refusal.value


def test_an_installation_without_values_says_what_is_missing() -> None:
    with pytest.raises(RenderError, match=r"config\.allowedHosts is empty"):
        helm("template", "shop", str(CHART))


@pytest.mark.parametrize("memory", ["721Mi", "0.71Gi", "756000000", "756M", "739000Ki"])
def test_memory_that_fits_is_taken_in_every_form(memory: str) -> None:
    assert render("minimal", f"ws.resources.limits.memory={memory}")


def deployment(objects: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return dict(of_kind(objects, "Deployment")[f"shop-hunarmitra-{name}"]["spec"])


@pytest.mark.parametrize("scenario", ["operator", "production"])
def test_a_scaled_deployment_never_has_replicas(scenario: str) -> None:
    """Helm would set the number back at every upgrade, and close half of the connections."""
    objects = render(scenario, "ws.replicas=7", "http.autoscaling.enabled=true")
    assert "replicas" not in deployment(objects, "ws")
    assert "replicas" not in deployment(objects, "http")


def test_the_scaler_and_the_pods_agree_on_the_cap() -> None:
    objects = render("production")
    [scaler] = of_kind(objects, "WebSocketScaler").values()
    environment = {
        item["name"]: item.get("value")
        for item in deployment(objects, "ws")["template"]["spec"]["containers"][0]["env"]
    }
    assert str(scaler["spec"]["connectionsPerPod"]["cap"]) == environment["WS_MAX_CONNECTIONS"]
    assert scaler["spec"]["target"]["name"] == "shop-hunarmitra-ws"
    target = of_kind(objects, "Deployment")["shop-hunarmitra-ws"]
    assert target["metadata"]["labels"]["realtime.hunarmitra.io/scalable"] == "true"


def test_the_operator_may_scale_its_target_alone() -> None:
    objects = render("operator")
    role = of_kind(objects, "Role")["shop-hunarmitra-operator"]
    limited = [rule for rule in role["rules"] if "apps" in rule["apiGroups"] and "replicasets" not in rule["resources"]]
    assert limited
    assert all(rule["resourceNames"] == ["shop-hunarmitra-ws"] for rule in limited)
    assert not any("*" in rule["verbs"] + rule["resources"] for rule in role["rules"])
    [policy] = of_kind(objects, "ValidatingAdmissionPolicy").values()
    [condition] = policy["spec"]["matchConditions"]
    assert "system:serviceaccount:hm:shop-hunarmitra-operator" in condition["expression"]


def test_http_and_ws_have_the_same_shape() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert list(values["http"]) == list(values["ws"])


def test_a_migration_is_a_hook_only_where_nothing_of_the_release_is_needed() -> None:
    """A hook before the installation has no bundled database, no account and no Secret of the chart yet."""
    [external] = of_kind(render("production"), "Job").keys() - {"shop-hunarmitra-crds"}
    job = of_kind(render("production"), "Job")[external]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert "serviceAccountName" not in job["spec"]["template"]["spec"]
    [bundled] = of_kind(render("minimal"), "Job").values()
    assert "annotations" not in bundled["metadata"]


def test_a_changed_bundled_migration_is_another_job() -> None:
    """A Job's pod cannot be changed: `helm upgrade` would fail."""
    [first] = of_kind(render("minimal"), "Job")
    [second] = of_kind(render("minimal", "image.tag=other"), "Job")
    [third] = of_kind(render("minimal", "http.replicas=3"), "Job")
    assert first != second
    assert first == third


def test_images_take_a_registry_a_tag_or_a_digest() -> None:
    def image(scenario: str, *settings: str) -> str:
        return str(deployment(render(scenario, *settings), "http")["template"]["spec"]["containers"][0]["image"])

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert image("minimal") == f"hunarmitra-http:{chart['appVersion']}"
    assert image("minimal", "global.imageRegistry=r.example/x/") == f"r.example/x/hunarmitra-http:{chart['appVersion']}"
    assert image("minimal", "image.tag=v7") == "hunarmitra-http:v7"
    assert image("minimal", "image.tag=v7", "http.image.tag=v8") == "hunarmitra-http:v8"
    assert image("production").startswith("registry.example.org/hunarmitra/hunarmitra-http@sha256:0")


PUBLIC_HALF = '(genSelfSignedCertWithKey "hunarmitra" list list 1 $private).Cert'
"""Of this certificate only the public key is used, which is the same each time."""


def test_no_template_uses_chance() -> None:
    for path in [*CHART.glob("templates/**/*.yaml"), *CHART.glob("templates/*.tpl")]:
        assert not re.search(
            r"\b(rand(Alpha|Numeric|Ascii|Bytes|Int)\w*|genCA|genSelfSigned\w*|genPrivateKey|uuidv4)\b|{{-? *now\b",
            path.read_text().replace(PUBLIC_HALF, "", 1),
        ), path


def test_the_grace_of_gunicorn_and_the_ingress_is_passed_on() -> None:
    container = deployment(render("operator", "http.options.graceSeconds=19"), "http")["template"]["spec"][
        "containers"
    ][0]
    assert "--graceful-timeout=19" in container["command"]
    assert "--keep-alive=75" in container["command"]
    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 8}}}


def test_every_variable_that_is_set_exists() -> None:
    known = set(re.findall(r"^\| `([A-Z_]+)`", (REPOSITORY / "docs" / "configuration.md").read_text(), re.MULTILINE))
    of_images = {
        "POSTGRES_DB",
        "POSTGRES_USER",
        "POSTGRES_PASSWORD",
        "PGDATA",
        "PGSSLROOTCERT",
        "REDIS_PASSWORD",
        "REDIS_PASSWORD_HTTP",
        "REDIS_PASSWORD_WS",
        "CLAIM",
    }
    for scenario in ("minimal", "gateway", "operator"):
        for name, pod in pod_templates(render(scenario)):
            for container in containers(pod):
                assert {item["name"] for item in container.get("env", [])} <= known | of_images, name


def test_the_notes_name_the_next_commands() -> None:
    text = helm(
        "install", "shop", str(CHART), "--dry-run=client", "--values", str(CHART / "ci" / "operator-values.yaml")
    )
    for command in (
        "rollout status deployment/shop-hunarmitra-http",
        "helm test shop",
        "get websocketscaler shop-hunarmitra-ws",
    ):
        assert command in text
    assert "rollout status" not in rendered_text("operator")


TRACING = ("tracing.endpoint=https://otel.example.org:4317/base", "tracing.protocol=grpc", "tracing.ratio=0.25")


def environment_of(objects: list[dict[str, Any]], component: str) -> dict[str, Any]:
    """The variables of the first container of a Deployment."""
    (deployment,) = (item for name, item in of_kind(objects, "Deployment").items() if name.endswith(f"-{component}"))
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable.get("value") for variable in container["env"]}


@pytest.mark.parametrize("component", ["http", "ws", "relay"])
def test_traces_go_where_the_values_say_and_nowhere_without(component: str) -> None:
    off = environment_of(render("minimal"), component)
    assert not [name for name in off if name.startswith("OTEL_")]
    assert off["LOG_FORMAT"] == "json"
    on = environment_of(render("minimal", *TRACING), component)
    assert on["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://otel.example.org:4317/base"
    assert on["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc"
    assert float(on["OTEL_TRACES_SAMPLER_ARG"]) == 0.25
    assert list(on).index("POD_NAME") < list(on).index("OTEL_RESOURCE_ATTRIBUTES"), "$(POD_NAME) is known by then"


def test_a_relay_that_stands_still_is_restarted_and_no_other_command() -> None:
    objects = render("minimal")
    container = deployment(objects, "relay")["template"]["spec"]["containers"][0]
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "admin"}
    assert [port["name"] for port in container["ports"]] == ["admin"]
    assert "readinessProbe" not in container, "nobody sends it requests"
    prune = of_kind(objects, "CronJob")["shop-hunarmitra-prune"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert "livenessProbe" not in prune["containers"][0]


@pytest.mark.parametrize("style", ["json", "text"])
def test_the_operator_logs_as_the_others_do(style: str) -> None:
    operator = deployment(render("operator", f"config.logFormat={style}"), "operator")["template"]["spec"]
    assert f"--log-format={style}" in operator["containers"][0]["command"]


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("http://c.m:4318", 4318), ("https://c.m:4317/base", 4317), ("http://c.m", 80), ("https://c.m/v2", 443)],
)
def test_the_way_to_the_collector_is_open_on_its_port_alone(endpoint: str, port: int) -> None:
    assert "shop-hunarmitra-traces" not in of_kind(render("minimal"), "NetworkPolicy")
    policy = of_kind(render("minimal", f"tracing.endpoint={endpoint}"), "NetworkPolicy")["shop-hunarmitra-traces"]
    assert policy["spec"]["egress"] == [{"ports": [{"port": port, "protocol": "TCP"}]}]
    assert policy["spec"]["policyTypes"] == ["Egress"]
