"""Does the controller refuse to start with settings that can't be right, and say which without saying a secret?"""

from pathlib import Path

import pytest

from controller import main
from controller.settings import ControllerSettings

PREFIX = "AUTORETRAIN_CONTROLLER_"


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **variables: str) -> str:
    """What is said of a start with these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    assert main.main() == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db"),
        ("MLFLOW_TRACKING_URI", "mlflow:5000"),
        ("MLFLOW_TRACKING_URI", "http://"),
        ("MLFLOW_TRACKING_URI", ""),
        ("MLFLOW_TRACKING_URI", "http://mlflow:port"),
        ("PROMETHEUS_URL", "prometheus:9090"),
        ("PROMETHEUS_ALLOWED", "http://good:9090, ftp://bad"),
        ("REGISTRY_ALLOWED", "http://good:5000 http://without.a.comma:5000"),
        ("REGISTRY_ALLOWED", "http://mlflow:5000/?x=1"),
    ],
)
def test_an_address_that_is_none_is_refused_at_the_start(monkeypatch, capsys, name: str, value: str):
    said = refused(monkeypatch, capsys, **{name: value})
    assert said.startswith(f"{PREFIX}{name}={value}: ")
    assert "http" in said.removeprefix(f"{PREFIX}{name}={value}")


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_URI", "REGISTRY_ALLOWED"])
def test_a_login_in_a_registrys_address_is_refused_and_not_said(monkeypatch, capsys, name: str):
    said = refused(monkeypatch, capsys, **{name: "https://ann:hunter2@mlflow.example"})
    assert f"{PREFIX}REGISTRY_NETRC_FILE" in said
    assert "hunter2" not in said


def test_a_login_in_an_address_that_is_wrong_otherwise_is_not_said(monkeypatch, capsys):
    assert "hunter2" not in refused(monkeypatch, capsys, PROMETHEUS_URL="ftp://ann:hunter2@prometheus")


def test_a_login_in_prometheus_address_is_taken():
    url = "https://ann:hunter2@prometheus.example:9090"
    assert ControllerSettings(prometheus_url=url).prometheus_url == url


def test_a_netrc_file_that_is_not_there_is_refused_at_the_start(monkeypatch, capsys, tmp_path: Path):
    file = tmp_path / "netrc"
    said = refused(monkeypatch, capsys, REGISTRY_NETRC_FILE=str(file))
    assert said.startswith(f"{PREFIX}REGISTRY_NETRC_FILE={file}: ")
    assert "can't be read (No such file or directory)" in said


def test_a_netrc_file_in_another_format_is_refused_at_the_start_without_what_it_holds(monkeypatch, capsys, tmp_path):
    file = tmp_path / "netrc"
    file.write_text("ann:hunter2\n")
    said = refused(monkeypatch, capsys, REGISTRY_NETRC_FILE=str(file))
    assert "is not in the netrc format" in said
    assert "hunter2" not in said


def test_all_that_is_wrong_is_said_at_once(monkeypatch, capsys):
    said = refused(monkeypatch, capsys, PROMETHEUS_URL="x", REGISTRY_ALLOWED="y", PORT="0")
    assert sorted(line.partition("=")[0].removeprefix(PREFIX) for line in said.splitlines()) == [
        "PORT",
        "PROMETHEUS_URL",
        "REGISTRY_ALLOWED",
    ]
