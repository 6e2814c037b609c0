"""Is docker-compose.yml what its page promises? Read as Docker would read it, as far as that goes without Docker."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url

from autoretrain.adapters.alert_addresses import AlertSettings
from autoretrain.adapters.settings import Settings
from autoretrain.adapters.spammodel import load_document, parse_spam_model
from autoretrain.app.runner import serving_settings
from autoretrain.cli.main import build_parser
from scripts.kind import OUR_IMAGES

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
VARIABLE = re.compile(r"\$\{(\w+)(?::([-+])([^${}]*))?\}")
SERVICES = (
    "agent",
    "agent-scheduler",
    "fastapi-serving",
    "mlflow-server",
    "postgres",
    "prometheus",
    "streamlit-dashboard",
)
OURS = ("agent", "agent-scheduler", "fastapi-serving", "mlflow-server", "streamlit-dashboard")
TOP_LEVEL = {"name", "services", "volumes"}
KEYS = {
    *("image", "build", "pull_policy", "entrypoint", "command", "environment", "user", "ports", "volumes"),
    *("profiles", "depends_on", "healthcheck", "restart", "stop_grace_period"),
    *("read_only", "tmpfs", "cap_drop", "security_opt", "mem_limit"),
}


def rendered(**environment: str) -> dict[str, Any]:
    """Return the file with its variables filled in, the innermost first; an empty one is as one that is not set."""

    def value(found: re.Match[str]) -> str:
        name, operator, word = found.groups()
        given = environment.get(name, "")
        if operator == "+":
            return word if given else ""
        return given or word or ""

    text, changed = TEXT, 1
    while changed:
        text, changed = VARIABLE.subn(value, text)
    document: dict[str, Any] = yaml.safe_load(text)
    return {key: part for key, part in document.items() if not key.startswith("x-")}


def services(**environment: str) -> dict[str, dict[str, Any]]:
    return rendered(**environment)["services"]


def mounts(service: dict[str, Any]) -> list[tuple[str, str]]:
    """Return source and target of each."""
    found = []
    for volume in service.get("volumes", []):
        source, target = volume.split(":")[:2] if isinstance(volume, str) else (volume["source"], volume["target"])
        found.append((source, target))
    return found


def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def known_to(settings: type[Settings] | type[AlertSettings], *, prefix: str) -> set[str]:
    names = set()
    for name, field in settings.model_fields.items():
        aliases = getattr(field.validation_alias, "choices", [field.validation_alias or f"{prefix}{name.upper()}"])
        names |= set(aliases)
    return names


def settings_of(service: str, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name in known_to(Settings, prefix="AUTORETRAIN_"):
        monkeypatch.delenv(name, raising=False)
    for name, value in services(**environment)[service]["environment"].items():
        monkeypatch.setenv(name, "" if value is None else value)  # Docker fills in after parsing
    return Settings()


def test_it_has_the_services_that_it_promises_and_no_key_that_the_specification_does_not_know():
    assert sorted(services()) == sorted(SERVICES)
    assert set(rendered()) <= TOP_LEVEL
    assert {name: set(service) - KEYS for name, service in services().items() if set(service) - KEYS} == {}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_comes_back_says_how_it_is_and_may_do_little(name: str):
    service = services()[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "mem_limit" in service


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_exists_and_is_no_circle(name: str):
    def before(service: str, seen: tuple[str, ...]) -> None:
        assert service not in seen, f"{service} waits for itself"
        for other in services()[service].get("depends_on", {}):
            before(other, (*seen, service))

    before(name, ())


def test_the_loop_starts_once_the_store_and_the_registry_answer():
    waits = services()["agent-scheduler"]["depends_on"]
    assert waits["postgres"] == waits["mlflow-server"] == {"condition": "service_healthy"}


def test_ports_are_this_machines_alone_unless_told_otherwise():
    ports = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert ports == {
        "fastapi-serving": ["127.0.0.1:8000:8000"],
        "mlflow-server": ["127.0.0.1:5000:5000"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "streamlit-dashboard": ["127.0.0.1:8501:8501"],
    }
    told = services(AUTORETRAIN_HOST="0.0.0.0", AUTORETRAIN_SERVING_PORT="8080")
    assert told["fastapi-serving"]["ports"] == ["0.0.0.0:8080:8000"]


def test_images_of_others_are_those_of_the_makefile_and_run_by_no_root():
    makefile = dict(re.findall(r"^export (\w+_IMAGE) \?= (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name, variable in (("postgres", "POSTGRES_IMAGE"), ("prometheus", "PROMETHEUS_IMAGE")):
        assert services()[name]["image"] == makefile[variable] == example()[variable]
        assert services(**{variable: "other:1"})[name]["image"] == "other:1"
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", services()[name]["user"])


def test_images_of_ours_are_built_once_each_never_pulled_and_run_by_no_root():
    built = {}
    for name in OURS:
        service = services()[name]
        assert service["pull_policy"] == "never"
        if build := service.get("build"):
            assert service["image"] not in built
            built[service["image"]] = ROOT / build["context"] / build["dockerfile"]
    assert {services()[name]["image"] for name in OURS} == set(built)
    assert {image.removeprefix("autoretrain/").removesuffix(":dev") for image in built} <= set(OUR_IMAGES)
    for recipe in built.values():
        assert "\nUSER 10001:10001\n" in recipe.read_text()


def test_a_volume_of_ours_is_mounted_where_its_user_may_write():
    recipe = (ROOT / "images" / "trainer" / "Dockerfile").read_text()
    owned = re.search(r"install --directory --owner=autoretrain --group=autoretrain (.+)$", recipe, re.MULTILINE)
    mounted = {target for name in ("agent-scheduler", "mlflow-server") for _, target in mounts(services()[name])}
    assert owned
    assert set(owned[1].split()) == {target for target in mounted if target.startswith("/var/lib/")}


def test_who_only_reads_a_volume_does_not_make_it_his():
    """Docker fills an empty volume from the image of the container that is made first, and gives it its owner."""
    read = [v for service in services().values() for v in service.get("volumes", []) if isinstance(v, str)]
    named = [v for v in read if v.split(":")[0] in rendered()["volumes"] and ":ro" in v]
    assert named
    assert [v for v in named if not v.endswith(":ro,nocopy")] == []


def test_every_volume_is_declared_and_every_file_is_there():
    used = [source for service in services().values() for source, _ in mounts(service)]
    names = {source for source in used if re.fullmatch(r"[\w-]+", source) and not (ROOT / source).exists()}
    assert names == set(rendered()["volumes"])
    assert [source for source in used if source not in names and not (ROOT / source).exists()] == []


def test_the_example_of_settings_names_each_variable_that_is_read_and_no_other():
    assert set(example()) == {name for name, _, _ in VARIABLE.findall(TEXT)} | set(re.findall(r"\$\{(\w+)", TEXT))


def test_the_example_of_settings_changes_nothing_as_it_is():
    assert rendered(**example()) == rendered()


@pytest.mark.parametrize("name", sorted(set(example()) - {"AUTORETRAIN_REGISTERED_MODEL_NAME"}))
def test_a_variable_reaches_some_service(name: str):
    assert rendered(**{name: "something-else"}) != rendered()


@pytest.mark.filterwarnings("ignore")  # what MLflow does as it is imported
@pytest.mark.parametrize("name", OURS)
def test_what_a_service_of_ours_is_told_is_known_to_what_it_runs(name: str):
    told = set(services()[name]["environment"])
    if name == "mlflow-server":
        from mlflow import environment_variables
        from mlflow.cli import server

        known = {option.envvar for option in server.params} | set(vars(environment_variables))
    else:
        known = known_to(Settings, prefix="AUTORETRAIN_")
        known |= known_to(AlertSettings, prefix="") | {"OPENAI_API_KEY", "ANTHROPIC_API_KEY"}
    assert told - known == set()


@pytest.mark.parametrize("name", ["agent-scheduler", "streamlit-dashboard"])
def test_a_command_is_understood(name: str):
    build_parser().parse_args(services()[name]["command"])


def test_without_a_variable_serving_is_told_what_the_document_says(monkeypatch):
    told = settings_of("fastapi-serving", monkeypatch)
    document = load_document(ROOT / "examples" / "sms-spam.yaml")
    wanted = serving_settings(parse_spam_model(document, uid="", generation=0))
    assert told.model == wanted["AUTORETRAIN_MODEL"]
    assert (told.registered_model_name or told.model) == wanted["AUTORETRAIN_REGISTERED_MODEL_NAME"]
    assert str(told.audit_rate) == wanted["AUTORETRAIN_AUDIT_RATE"]
    assert str(told.window_max_age_seconds) == wanted["AUTORETRAIN_WINDOW_MAX_AGE_SECONDS"]


def test_an_empty_variable_is_as_one_that_is_not_set(monkeypatch):
    told = settings_of("agent-scheduler", monkeypatch)
    assert (told.data, told.api_keys_file, told.log_level) == (None, None, "INFO")
    monkeypatch.setenv("SMTP_PORT", "")
    assert AlertSettings().smtp_port == 587


def test_a_file_of_messages_keeps_its_name_which_tells_how_it_is_written(monkeypatch):
    service = services(AUTORETRAIN_DATA="data/messages.csv")["agent-scheduler"]
    assert ("data/messages.csv", "/messages/data/messages.csv") in mounts(service)
    told = settings_of("agent-scheduler", monkeypatch, AUTORETRAIN_DATA="data/messages.csv")
    assert told.data == Path("/messages/data/messages.csv")


def test_a_named_file_that_is_not_there_is_no_empty_directory():
    named = [v for name in OURS for v in services()[name]["volumes"] if isinstance(v, dict)]
    assert len(named) == 4
    assert all(v["bind"]["create_host_path"] is False and v["read_only"] for v in named)


def test_the_dashboard_reads_the_document_that_the_loop_has_in_force(monkeypatch):
    told = settings_of("streamlit-dashboard", monkeypatch, AUTORETRAIN_MODEL="spam.other")
    assert told.spec == Path("/var/lib/autoretrain/documents/spam.other.json")


def test_what_is_asked_for_on_the_dashboard_reaches_the_loop():
    [state] = [volume for volume in services()["streamlit-dashboard"]["volumes"] if volume.startswith("state:")]
    assert state in services()["agent-scheduler"]["volumes"]
    assert not state.endswith(":ro")


def test_the_dashboard_asks_the_registry_and_knows_the_operators_key(monkeypatch):
    told = settings_of("streamlit-dashboard", monkeypatch, AUTORETRAIN_DASHBOARD_KEY="secret")
    assert told.dashboard_key.get_secret_value() == "secret"
    assert told.mlflow_tracking_uri == settings_of("agent-scheduler", monkeypatch).mlflow_tracking_uri


def test_the_store_is_reached_by_the_socket_and_without_a_password(monkeypatch):
    for name in ("agent-scheduler", "fastapi-serving", "streamlit-dashboard"):
        url = make_url(settings_of(name, monkeypatch).resolved_store_url())
        assert (url.host, url.password, url.query["host"]) == (None, None, "/var/run/postgresql")
        assert ("postgres-socket", "/var/run/postgresql") in mounts(services()[name])
    assert "ports" not in services()["postgres"]


def test_nobody_but_the_databases_own_user_is_its_superuser():
    rules = [line.split() for line in (ROOT / "compose" / "pg_hba.conf").read_text().splitlines() if line[:1] != "#"]
    trusted = [rule for rule in rules if rule[-1] == "trust"]
    roles = set(re.findall(r"^CREATE ROLE (\w+)", (ROOT / "compose" / "roles.sql").read_text(), re.MULTILINE))
    assert {rule[2] for rule in trusted} == roles
    assert all(rule[1] == rule[2] for rule in trusted)
    assert [rule for rule in rules if rule[-1] != "trust"] == [["local", "all", "postgres", "peer"]]
    assert {rule[3] for rule in rules if rule[0] == "host"} == {"127.0.0.1/32"}


def test_prometheus_asks_the_parts_that_have_figures_at_their_ports():
    [job] = yaml.safe_load((ROOT / "compose" / "prometheus.yml").read_text())["scrape_configs"]
    targets = [target for config in job["static_configs"] for target in config["targets"]]
    assert targets == [f"fastapi-serving:{Settings().serving_port}", f"agent-scheduler:{Settings().monitor_port}"]


def dry_run(target: str, **environment: str) -> list[list[str]]:
    command = ["make", "--dry-run", "--no-print-directory", target, *(f"{k}={v}" for k, v in environment.items())]
    # a make that called these tests exports its images and its flags; a user's shell has neither
    inherited = ("POSTGRES_IMAGE", "PROMETHEUS_IMAGE", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    env = {name: value for name, value in os.environ.items() if name not in inherited}
    shown = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=True).stdout
    return [shlex.split(line) for line in shown.splitlines()]


def test_make_docker_up_waits_until_all_are_healthy_and_takes_the_images_of_the_env_file():
    first = dry_run("docker-up")[0]
    assert first[first.index("docker") :][:6] == ["docker", "compose", "up", "--build", "--detach", "--wait"]
    assert first[: first.index("docker")] == ["env", "-u", "POSTGRES_IMAGE", "-u", "PROMETHEUS_IMAGE"]
    assert "POSTGRES_IMAGE" not in dry_run("docker-up", POSTGRES_IMAGE="other:1")[0]


def test_make_docker_down_keeps_the_volumes():
    [command] = dry_run("docker-down")
    assert command[command.index("docker") :] == ["docker", "compose", "down"]
