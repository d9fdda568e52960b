"""The operator's use of kopf, and its command line."""

from __future__ import annotations

import argparse
import re
import ssl
from pathlib import Path

import kopf
import pytest

from hunarmitra_operator import command, handlers
from hunarmitra_operator.__main__ import main


def test_no_handler_needs_a_finalizer_or_an_annotation() -> None:
    registry = kopf.get_default_registry()
    assert len(registry._watching.get_all_handlers()) == 1
    assert registry._changing.get_all_handlers() == []
    assert registry._spawning.get_all_handlers() == []


def test_a_stalled_watch_is_noticed() -> None:
    settings = kopf.OperatorSettings()
    handlers.configure(settings)
    assert settings.watching.server_timeout == 120
    assert settings.watching.client_timeout == 150
    assert settings.networking.request_timeout == 10
    assert settings.peering.standalone
    assert not settings.posting.enabled


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(
        "current-context: a\n"
        "contexts: [{name: a, context: {cluster: b, user: c}}]\n"
        "clusters: [{name: b, cluster: {server: 'https://127.0.0.1:6443/'}}]\n"
        "users: [{name: c, user: {token: secret}}]\n"
    )
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


@pytest.mark.usefixtures("kubeconfig")
def test_a_clusters_authority_without_key_usage_is_taken_but_still_checked() -> None:
    access = handlers.access(kopf.OperatorSettings())
    assert access.server == "https://127.0.0.1:6443"
    assert access.headers["Authorization"] == "Bearer secret"
    assert isinstance(access.tls, ssl.SSLContext)
    assert not access.tls.verify_flags & ssl.VERIFY_X509_STRICT
    assert access.tls.verify_mode is ssl.CERT_REQUIRED
    assert access.tls.check_hostname


def test_nothing_to_log_in_with_is_an_error_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(OSError, match="neither a service account nor a kubeconfig"):
        handlers.access(kopf.OperatorSettings())


def test_a_namespace_has_to_be_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("HUNARMITRA_OPERATOR_NAMESPACES", raising=False)
    assert main(["run"]) == 2
    assert "name a namespace" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "listed", "watched"),
    [
        ([], "shop, stage,,shop", ("shop", "stage")),
        ([], "*", ()),
        ([], "shop,*", ()),
        ([], " , ", None),
        (["--namespace", "shop", "--namespace", "shop"], "stage", ("shop",)),
        (["--all-namespaces"], "stage", ()),
    ],
)
def test_namespaces_come_from_options_or_the_environment(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], listed: str, watched: tuple[str, ...] | None
) -> None:
    monkeypatch.setenv("HUNARMITRA_OPERATOR_NAMESPACES", listed)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.namespaces(parser.parse_args(arguments)) == watched


@pytest.mark.parametrize(("arguments", "listed"), [(["--namespace", "Shop"], ""), ([], "stage,sh_op")])
def test_a_name_that_no_namespace_can_have_is_rejected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], listed: str
) -> None:
    monkeypatch.setenv("HUNARMITRA_OPERATOR_NAMESPACES", listed)
    with pytest.raises(SystemExit):
        main(["run", *arguments])
    assert "is not the name of a namespace" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help_is_there(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    assert "usage: python -m hunarmitra_operator" in capsys.readouterr().out


def test_the_image_contains_no_development_tool() -> None:
    package = Path(handlers.__file__).parent
    dockerfile = (package.parent / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--)(.+)$", dockerfile, re.MULTILINE)
    assert copied == ["requirements.txt /tmp/requirements.txt", "hunarmitra_operator hunarmitra_operator"]
    sources = {path.stem: path.read_text() for path in package.rglob("*.py")}
    assert "simulate" not in sources
    assert [name for name, text in sources.items() if re.search(r"^\s*(from|import) tools", text, re.MULTILINE)] == []
