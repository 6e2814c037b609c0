"""A Pod whose template says what it serves: with the store away, with the registry away, and with neither lying."""

import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import Deployment, Experiment
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.domain.spec import ExperimentMode
from autoretrain.serving.app import create_app
from autoretrain.serving.fixed import FixedDeployment
from tests.contract.test_registry_logins import basic, guarded
from tests.contract.test_registry_rest import ANSWERS, ARTEFACT, answering, free_port
from tests.serving.conftest import open_client
from tests.serving.models import MODEL, SPAM, make_artefact

NOWHERE = "postgresql://nobody@127.0.0.1:9/none?connect_timeout=1"


def fixed(tmp_path: Path, **more) -> Settings:
    given = {"served_version": "1", "served_digest": ARTEFACT.digest, "mlflow_tracking_uri": "sqlite:///unused.db"}
    return Settings(**{"state_dir": tmp_path, "model": MODEL, "audit_rate": 0.0, **given, **more})


async def predict(client: httpx.AsyncClient, path: str = "/predict") -> httpx.Response:
    return await client.post(path, json={"message": SPAM})


async def test_what_the_store_wants_does_not_matter(tmp_path: Path, store: Store):
    store.put_artefact(make_artefact())
    store.put_artefact(make_artefact("2"))
    store.deploy(Deployment(version="2", digest=make_artefact("2").digest))
    async with open_client(create_app(fixed(tmp_path))) as client:
        assert (await predict(client)).headers["x-model-version"] == "v1"


async def test_it_starts_and_answers_with_the_store_away_and_loses_no_feedback_silently(tmp_path: Path):
    with answering(ANSWERS) as address:
        settings = fixed(tmp_path, store_url=NOWHERE, mlflow_tracking_uri=address)
        async with open_client(create_app(settings)) as client:
            assert (await client.get("/readyz")).status_code == 200
            assert (await predict(client)).json()["prediction"] == "spam"
            refused = await client.post("/feedback", json={"message": SPAM, "label": "spam"})
            assert refused.status_code == 503


async def test_it_starts_with_the_registry_away(tmp_path: Path, store: Store):
    store.put_artefact(make_artefact())
    settings = fixed(tmp_path, mlflow_tracking_uri=f"http://127.0.0.1:{free_port()}")
    async with open_client(create_app(settings)) as client:
        assert (await predict(client)).headers["x-model-digest"] == ARTEFACT.digest


async def test_a_damaged_copy_in_the_store_is_left_for_the_registrys(tmp_path: Path, store: Store):
    damaged = replace(ARTEFACT, model=ARTEFACT.model.replace(b"free", b"fr3e"))
    store.put_artefact(damaged)
    with answering(ANSWERS) as address:
        async with open_client(create_app(fixed(tmp_path, mlflow_tracking_uri=address))) as client:
            assert (await predict(client)).headers["x-model-digest"] == ARTEFACT.digest
    kept = store.artefact(ARTEFACT.digest)
    assert kept is not None
    assert kept.model == ARTEFACT.model


async def test_what_the_registry_gave_is_kept_for_the_next_pod(tmp_path: Path, store: Store):
    with answering(ANSWERS) as address:
        async with open_client(create_app(fixed(tmp_path, mlflow_tracking_uri=address))) as client:
            assert (await predict(client)).status_code == 200
    kept = store.artefact(ARTEFACT.digest)
    assert kept is not None
    assert (kept.version, kept.model) == ("1", ARTEFACT.model)


async def test_a_corrupt_artefact_is_neither_served_nor_kept(tmp_path: Path, store: Store):
    corrupt = {path: body.replace(b"free", b"fare") for path, body in ANSWERS.items()}
    with answering(corrupt) as address:
        async with open_client(create_app(fixed(tmp_path, mlflow_tracking_uri=address))) as client:
            assert (await client.get("/readyz")).status_code == 503
            assert (await predict(client)).status_code == 503
    assert store.artefact_by_version("1") is None


async def test_the_registered_name_may_differ_from_the_models(tmp_path: Path, store: Store):
    renamed = {path.replace(f"name={MODEL}", "name=team.sms"): body for path, body in ANSWERS.items()}
    with answering(renamed) as address:
        settings = fixed(tmp_path, mlflow_tracking_uri=address, registered_model_name="team.sms")
        async with open_client(create_app(settings)) as client:
            assert (await predict(client)).status_code == 200


@pytest.mark.parametrize(
    ("variables", "takes"),
    [
        ({"USERNAME": "ann", "PASSWORD": "x"}, basic("ann", "x")),
        ({"TOKEN": "abc"}, "Bearer abc"),
    ],
    ids=["login", "token"],
)
async def test_it_logs_in_to_a_secured_registry_as_mlflow_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: Store, variables: dict[str, str], takes: str
):
    for name, value in variables.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    with guarded(takes=takes, answers=ANSWERS) as server:
        async with open_client(create_app(fixed(tmp_path, mlflow_tracking_uri=server.address))) as client:
            assert (await predict(client)).status_code == 200


def test_a_login_is_not_shown_with_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hunter3")
    shown = repr(fixed(tmp_path))
    assert "mlflow_tracking_password" in shown
    assert "hunter" not in shown


async def test_below_a_path_the_routes_and_their_limits_are_the_same(tmp_path: Path, store: Store):
    store.put_artefact(make_artefact())
    async with open_client(create_app(fixed(tmp_path, root_path="/sms"))) as client:
        assert (await predict(client, "/sms/predict")).status_code == 200
        assert (await predict(client, "/predict")).status_code == 200
        batch = {"messages": [SPAM * 20] * 1000}
        assert (await client.post("/sms/predict/batch", json=batch)).status_code == 200


@pytest.mark.parametrize("half", [{"served_version": ""}, {"served_digest": ""}])
def test_half_a_deployment_is_refused(tmp_path: Path, half: dict):
    with pytest.raises(AutoRetrainError, match="go together"):
        create_app(fixed(tmp_path, **half))


def test_an_experiment_comes_with_its_mode_and_share(tmp_path: Path):
    experiment = {"mode": "AB", "version": "2", "digest": "sha256:2", "percent": 10}
    source = FixedDeployment.from_settings(fixed(tmp_path, served_experiment=json.dumps(experiment)))
    assert source is not None
    wanted = Experiment(mode=ExperimentMode.AB, version="2", digest="sha256:2", percent=10)
    assert source.deployment() == Deployment(version="1", digest=ARTEFACT.digest, experiment=wanted)


@pytest.mark.parametrize("wrong", ["{", "[]", '{"mode": "Sometimes", "version": "2", "digest": "d", "percent": 1}'])
def test_an_experiment_that_is_none_is_refused_by_its_name(tmp_path: Path, wrong: str):
    with pytest.raises(AutoRetrainError, match="AUTORETRAIN_SERVED_EXPERIMENT"):
        FixedDeployment.from_settings(fixed(tmp_path, served_experiment=wrong))


def test_nothing_said_leaves_it_to_the_store(tmp_path: Path):
    assert FixedDeployment.from_settings(fixed(tmp_path, served_version="", served_digest="")) is None


async def test_a_server_that_never_got_ready_leaves_word_why_as_it_ends(tmp_path: Path, store: Store):
    store.put_artefact(replace(ARTEFACT, model=ARTEFACT.model.replace(b"free", b"fr3e")))
    word = tmp_path / "termination-log"
    async with open_client(create_app(fixed(tmp_path, termination_file=word))) as client:
        assert (await client.get("/readyz")).status_code == 503
    assert word.read_text().startswith("version 1 can't be served: version 1 has digest sha256:")


async def test_a_server_that_was_ready_leaves_no_word(tmp_path: Path, store: Store):
    store.put_artefact(make_artefact())
    word = tmp_path / "termination-log"
    async with open_client(create_app(fixed(tmp_path, termination_file=word))) as client:
        assert (await client.get("/readyz")).status_code == 200
    assert not word.exists()
