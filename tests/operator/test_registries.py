"""With which login, and how often, is a registry asked?"""

from pathlib import Path

import pytest

from autoretrain.adapters.registry_rest import RegistryUnavailable, RestRegistry
from controller.registries import Registries
from controller.settings import ControllerSettings
from tests.children import model_of
from tests.contract.test_registry_logins import OWNED, basic, guarded
from tests.operator.operator_world import document


def registry(settings: ControllerSettings):
    resource = document()
    return Registries(settings).of(model_of(resource), resource)


def test_the_controller_logs_in_with_its_netrc_file(tmp_path: Path):
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login operator password x\n")
    answers = {path.replace(path.rpartition("=")[2], "default.sms-spam"): body for path, body in OWNED.items()}
    with guarded(takes=basic("operator", "x"), answers=answers) as server:
        settings = ControllerSettings(mlflow_tracking_uri=server.address, registry_netrc_file=str(file))
        assert registry(settings).owner() == "us"


def test_without_a_netrc_file_it_has_no_login(tmp_path: Path):
    with guarded(takes="a login") as server, pytest.raises(RegistryUnavailable, match="we have none for it"):
        registry(ControllerSettings(mlflow_tracking_uri=server.address)).owner()
    assert server.seen == [""]


def test_a_registry_is_kept_from_pass_to_pass():
    registries, resource = Registries(ControllerSettings()), document()
    first = registries.of(model_of(resource), resource)
    assert isinstance(first, RestRegistry)
    assert registries.of(model_of(resource), resource) is first
