"""One operator for several namespaces, or for the cluster."""

from __future__ import annotations

import pytest

from tests.chart.rendering import Object, RenderError, deployment, of_kind, render_values


def rendered(*namespaces: str, autoscaling: bool = True, kinds: tuple[str, ...] = ()) -> list[Object]:
    operator = {"watchNamespaces": list(namespaces), "extraTargetKinds": list(kinds)}
    values = {"operator": operator, "ws": {"autoscaling": {"enabled": autoscaling}}}
    return render_values(values, "operator")


def scope(objects: list[Object]) -> list[str]:
    command = deployment(objects, "operator")["template"]["spec"]["containers"][0]["command"]
    return [word for word in command if "namespace" in word]


def roles(objects: list[Object]) -> dict[str, Object]:
    """The operator's Roles by namespace; each has its binding to the operator's account."""
    found = {}
    rights = [item for item in objects if not item["metadata"]["name"].endswith("-lease")]
    for item in rights:
        if item["kind"] == "Role":
            found[item["metadata"]["namespace"]] = item
    for binding in [item for item in rights if item["kind"] == "RoleBinding"]:
        role = found[binding["metadata"]["namespace"]]
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert binding["subjects"][0]["namespace"] == "hm"
    return found


def test_by_default_it_watches_its_own_namespace_and_names_its_target() -> None:
    objects = rendered()
    assert scope(objects) == ["--namespace=hm"]
    assert list(roles(objects)) == ["hm"]
    assert [rule["resourceNames"] for rule in roles(objects)["hm"]["rules"] if "resourceNames" in rule] == [
        ["shop-hunarmitra-ws"],
        ["shop-hunarmitra-ws"],
    ]


def test_each_listed_namespace_has_a_role() -> None:
    objects = rendered("team-a", "team-b")
    assert scope(objects) == ["--namespace=hm", "--namespace=team-a", "--namespace=team-b"]
    assert set(roles(objects)) == {"hm", "team-a", "team-b"}
    assert roles(objects)["team-a"]["metadata"]["name"] == "hm.shop-hunarmitra-operator"
    policy = of_kind(objects, "NetworkPolicy")["shop-hunarmitra-operator"]["spec"]
    selectors = [
        peer["namespaceSelector"]
        for rule in policy["egress"]
        for peer in rule.get("to", [])
        if len(peer) == 1 and "namespaceSelector" in peer
    ]
    assert selectors[0]["matchExpressions"][0]["values"] == ["team-a", "team-b"]


def test_an_operator_may_scale_the_targets_of_others_alone() -> None:
    objects = rendered("team-a", autoscaling=False)
    assert scope(objects) == ["--namespace=team-a"]
    assert set(roles(objects)) == {"team-a"}
    with pytest.raises(RenderError, match="nothing for it to scale"):
        rendered(autoscaling=False)


def test_a_star_is_the_cluster() -> None:
    objects = rendered("*")
    assert scope(objects) == ["--all-namespaces"]
    assert not roles(objects)
    role = of_kind(objects, "ClusterRole")["hm.shop-hunarmitra-operator"]
    assert not [rule for rule in role["rules"] if "resourceNames" in rule]
    assert "hm.shop-hunarmitra-operator" in of_kind(objects, "ClusterRoleBinding")


def targets(objects: list[Object]) -> set[tuple[str, str, str]]:
    """The operator's rights to targets in `team-a`: group, resource and verb."""
    return {
        (group, resource, verb)
        for rule in roles(objects)["team-a"]["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if resource.split("/")[0] in {"deployments", "statefulsets", "rollouts"}
    }


def test_rights_to_other_kinds_are_given_one_by_one() -> None:
    deployments = {("apps", "deployments", "get"), ("apps", "deployments/scale", "update")}
    sets = {("apps", "statefulsets", "get"), ("apps", "statefulsets/scale", "update")}
    rollouts = {("argoproj.io", "rollouts", "get"), ("argoproj.io", "rollouts/scale", "update")}
    assert targets(rendered("team-a")) == deployments
    assert targets(rendered("team-a", kinds=("StatefulSet",))) == deployments | sets
    assert targets(rendered("team-a", kinds=("Rollout",))) == deployments | rollouts
    assert targets(rendered("team-a", kinds=("StatefulSet", "Rollout"))) == deployments | sets | rollouts
    with pytest.raises(RenderError, match=r"needs operator\.watchNamespaces"):
        rendered(kinds=("StatefulSet",))
    with pytest.raises(RenderError, match="extraTargetKinds"):
        rendered("team-a", kinds=("DaemonSet",))


def test_a_name_that_is_not_a_namespace_is_an_error() -> None:
    with pytest.raises(RenderError, match="watchNamespaces"):
        rendered("Team A")


@pytest.mark.parametrize("namespaces", [(), ("team-a",), ("*",)])
def test_the_leaders_lease_is_in_the_operators_own_namespace(namespaces: tuple[str, ...]) -> None:
    objects = render_values({"operator": {"watchNamespaces": list(namespaces), "replicas": 2}}, "operator")
    spec = deployment(objects, "operator")
    assert spec["replicas"] == 2
    assert "--lease=hm/shop-hunarmitra-operator" in spec["template"]["spec"]["containers"][0]["command"]
    assert spec["strategy"]["rollingUpdate"]["maxSurge"] == 0  # two versions never run at the same time
    role = of_kind(objects, "Role")["shop-hunarmitra-operator-lease"]
    assert role["metadata"]["namespace"] == "hm"
    assert [(rule["verbs"], rule.get("resourceNames")) for rule in role["rules"]] == [
        (["create"], None),
        (["get", "update"], ["shop-hunarmitra-operator"]),
    ]
    binding = of_kind(objects, "RoleBinding")["shop-hunarmitra-operator-lease"]
    assert binding["roleRef"]["name"] == "shop-hunarmitra-operator-lease"
    assert [(each["name"], each["namespace"]) for each in binding["subjects"]] == [("shop-hunarmitra-operator", "hm")]
