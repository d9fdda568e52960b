"""Log lines as JSON, from the formatter and from the running operator."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from fake_pod import free_port
from test_slow_api_server import options

from hunarmitra_operator.logs import JsonFormatter


def test_a_line_is_one_object_with_the_fields_of_the_other_services() -> None:
    record = logging.LogRecord("a.b", logging.WARNING, "", 1, "two\nlines of %s", ("it",), None)
    text = JsonFormatter("hunarmitra-operator").format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert datetime.fromisoformat(line.pop("timestamp")).timestamp() == pytest.approx(record.created, abs=0.01)
    assert line == {
        "level": "WARNING",
        "logger": "a.b",
        "message": "two\nlines of it",
        "service": "hunarmitra-operator",
    }


def test_a_traceback_is_in_the_line() -> None:
    try:
        raise ValueError("nonsense")
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, "", 1, "a turn failed", (), sys.exc_info())
    text = JsonFormatter("s").format(record)
    assert "\n" not in text
    assert json.loads(text)["exception"].endswith("ValueError: nonsense")


def test_the_command_line_and_the_environment_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    assert options().log_format == "text"
    assert options("--log-format", "json").log_format == "json"
    monkeypatch.setenv("HUNARMITRA_OPERATOR_LOG_FORMAT", "json")
    assert options().log_format == "json"


@pytest.mark.parametrize(
    ("option", "wrong", "answer"),
    [
        ("--log-format", "xml", "'xml' is not one of text, json"),
        ("--log-level", "LOUD", "'LOUD' is not one of DEBUG, INFO, WARNING, ERROR"),
        ("--port", "65536", "'65536' is not a port"),
        ("--port", "http", "invalid port value: 'http'"),
    ],
)
def test_a_wrong_choice_is_refused_wherever_it_is_made(
    option: str,
    wrong: str,
    answer: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        options(option, wrong)
    assert f"argument {option}: {answer}" in capsys.readouterr().err
    name = option.removeprefix("--").replace("-", "_").upper()
    monkeypatch.setenv(f"HUNARMITRA_OPERATOR_{name}", wrong)
    with pytest.raises(SystemExit, match="2"):
        options()
    assert f"argument {option}: {answer}" in capsys.readouterr().err


def test_every_line_of_the_running_operator_is_json(tmp_path: Path) -> None:
    """kopf's lines too. Without an API server, both log something."""
    config = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "b", "user": "c"}}],
        "clusters": [{"name": "b", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}],
        "users": [{"name": "c", "user": {"token": "secret"}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    command = ["run", "--namespace=shop", f"--port={free_port()}", "--log-level=DEBUG", "--log-format=json"]
    environment = os.environ | {"KUBECONFIG": str(tmp_path / "kubeconfig")}
    seen = []
    with subprocess.Popen(
        [sys.executable, "-m", "hunarmitra_operator", *command],
        cwd=Path(__file__).parent.parent,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for text in process.stderr:
            seen.append(json.loads(text))
            if seen[-1]["message"].startswith("cannot list WebSocketScalers"):
                process.terminate()
    assert process.returncode == 0
    assert {line["service"] for line in seen} == {"hunarmitra-operator"}
    assert any(line["logger"].startswith("hunarmitra_operator") for line in seen)
