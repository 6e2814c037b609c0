"""Is docs/reference/http.md true? Each example is sent as it stands there, and the answer has what is documented."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.adapters.store import Store
from autoretrain.app.training import TrainingRequest, run_training
from autoretrain.domain.deployment import Deployment, Experiment, ModelArtefact
from autoretrain.domain.messages import Label, LabelKind, NewLabel, Prediction
from autoretrain.domain.spec import ExperimentMode
from autoretrain.ml.sample_corpus import generate_corpus
from autoretrain.serving import limits
from autoretrain.serving.app import create_app
from autoretrain.serving.problems import STATUS_OF
from tests.serving.conftest import open_client
from tests.serving.models import make_artefact
from tests.spec_cases import VALID
from tests.unit.app.test_training import FakeRegistry

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "reference" / "http.md").read_text()
MODEL = "default.sms-spam"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
DRAWN, NOT_DRAWN = "5f0c8a4e9b7d4c1f8e2a6b3d0c9f7e15", "0d9b6f1c2e7a4b58a3c4d5e6f7a8b9c0"
DRAWN_TEXT = "Congratulations! You've won a $1000 prize. Call 0800 555 0199 now to claim."
# What is the same on every machine; of other values the type is compared.
FIXED = {
    *("prediction", "trusted", "source", "accepted", "verdict", "reason", "recommendation", "drift_detected", "role"),
    *("type", "title", "status", "detail", "errors", "error", "name", "datatype", "shape", "extensions", "live"),
    *("ready", "mode", "percent", "loaded", "min_samples", "threshold", "id", "versions", "platform"),
}


@dataclass(frozen=True)
class Example:
    section: str
    method: str
    path: str
    headers: dict[str, str]
    content: bytes
    status: int
    answer_headers: dict[str, str]
    answer: str
    name: str = field(compare=False)


def read_block(block: str) -> tuple[str, dict[str, str], str]:
    """First line, headers and body of one block."""
    head, _, body = block.partition("\n\n")
    first, *rest = head.splitlines()
    return first, dict(line.split(": ", 1) for line in rest), body


def read_examples(text: str) -> Iterator[Example]:
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"```http\n(.*?)```", section, re.DOTALL)
        for asked, answered in zip(blocks[::2], blocks[1::2], strict=True):
            line, headers, body = read_block(asked)
            status_line, answer_headers, answer = read_block(answered)
            method, path = line.split(" ")
            version, status, _ = status_line.split(" ", 2)
            assert version == "HTTP/1.1", f"{line}: no answer follows"
            file = re.match(r"< (\S+)", body)
            content = (ROOT / file[1]).read_bytes() if file else body.encode()
            title = section.splitlines()[0]
            yield Example(
                section=title,
                method=method,
                path=path,
                headers=headers,
                content=content,
                status=int(status),
                answer_headers=answer_headers,
                answer=answer.strip(),
                name=f"{title}: {line} {status}",
            )


EXAMPLES = list(read_examples(TEXT))


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> ModelArtefact:
    """A version that a whole training run made, with its card and references; only MLflow is left out."""
    algorithm = {"name": "LinearSVM", "parameters": {"C": ["1"], "preprocessing": ["Plain"]}}
    document = VALID | {"spec": VALID["spec"] | {"training": {"profile": "Word", "algorithms": [algorithm]}}}
    request = TrainingRequest(
        run_name="run-a",
        experiment="docs",
        trigger="Manual",
        uid="uid-1",
        label_cutoff=0,
        data_source="a generated sample",
        generated_sample=True,
    )
    registry = FakeRegistry()
    with Store(f"sqlite:///{tmp_path_factory.mktemp('train') / 'store.db'}", model=MODEL) as store:
        store.migrate()
        spec = parse_spam_model(document, uid="uid-1", generation=1).spec
        base = tuple(generate_corpus(seed=3, messages=2500))
        run_training(request, store=store, registry=registry, base=base, spec=spec, now=NOW)
    return registry.registered[0][0]


@pytest.fixture(scope="module")
def template(artefact: ModelArtefact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with version 1 served, a hundred audit labels, and the two predictions of the examples."""
    directory = tmp_path_factory.mktemp("template")
    with Store(f"sqlite:///{directory / 'store.db'}", model=MODEL) as store:
        store.migrate()
        store.put_artefact(artefact)
        store.deploy(Deployment(version="1", digest=artefact.digest))
        answered = [answered_message(f"id-{number}", number) for number in range(100)]
        store.add_predictions([*answered, answered_message(NOT_DRAWN, 0, probability=None), answered_message(DRAWN, 0)])
        store.add_labels([audit_label(one, wrong=number < 4) for number, one in enumerate(answered)])
    return directory


def answered_message(name: str, number: int, *, probability: float | None = 0.01) -> Prediction:
    label = Label.SPAM if number % 4 == 0 else Label.HAM
    return Prediction(
        prediction_id=name,
        text=DRAWN_TEXT if name == DRAWN else f"message {number}",
        label=label,
        score=0.9 if label is Label.SPAM else 0.1,
        model_version="1",
        at=datetime.now(UTC),
        audit_probability=probability,
    )


def audit_label(prediction: Prediction, *, wrong: bool) -> NewLabel:
    other = {Label.SPAM: Label.HAM, Label.HAM: Label.SPAM}
    return NewLabel(
        label=other[prediction.label] if wrong else prediction.label,
        kind=LabelKind.AUDIT,
        source="desk",
        trusted=True,
        received_at=datetime.now(UTC),
        prediction_id=prediction.prediction_id,
    )


class World:
    """A fresh copy of the template, changed as a section of the page says."""

    def __init__(self, template: Path, directory: Path, artefact: ModelArtefact) -> None:
        self._directory, self._artefact = directory / "state", artefact
        shutil.copytree(template, self._directory)

    def open(self, section: str) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        settings = Settings(
            state_dir=self._directory, model=MODEL, mlflow_tracking_uri="sqlite:///unused.db", audit_rate=0.0
        )
        match section:
            case "API keys":
                keys = self._directory / "keys"
                keys.write_text("mail-gateway: correct-horse-battery\n")
                settings = settings.model_copy(update={"api_keys_file": keys})
            case "Experiments":
                self._run_ab_test(settings)
            case "Without a champion":
                shutil.rmtree(self._directory)
                with Store(settings.resolved_store_url(), model=MODEL) as store:
                    store.migrate()
        return open_client(create_app(settings))

    def _run_ab_test(self, settings: Settings) -> None:
        second = make_artefact("2", {"prize": 4.0, "lunch": -9.0})
        experiment = Experiment(mode=ExperimentMode.AB, version="2", digest=second.digest, percent=50)
        with Store(settings.resolved_store_url(), model=MODEL) as store:
            store.put_artefact(second)
            store.deploy(Deployment(version="1", digest=self._artefact.digest, experiment=experiment))


@pytest.fixture
def world(template: Path, tmp_path: Path, artefact: ModelArtefact) -> World:
    return World(template, tmp_path, artefact)


def compare(documented: Any, returned: Any, *, at: str = "") -> None:
    """Same fields everywhere, same types, and the same values where those do not depend on the model."""
    if isinstance(documented, dict):
        assert isinstance(returned, dict), at
        assert sorted(documented) == sorted(returned), at
        for name, value in documented.items():
            if name in FIXED and not isinstance(value, dict | float):
                assert returned[name] == value, f"{at}.{name}"
            compare(value, returned[name], at=f"{at}.{name}")
    elif isinstance(documented, list):
        assert isinstance(returned, list), at
        assert bool(documented) == bool(returned), at
        # Terms differ in number by model; where the numbers agree, each is compared.
        for number, value in enumerate(documented):
            compare(value, returned[min(number, len(returned) - 1)], at=f"{at}[{number}]")
    else:
        assert json_type(documented) == json_type(returned), f"{at}: {documented!r} and {returned!r}"


def json_type(value: Any) -> str:
    if value is None or isinstance(value, bool | str):
        return type(value).__name__
    return "number"


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
async def test_the_example_is_answered_as_documented(example: Example, world: World):
    async with world.open(example.section) as client:
        answer = await client.request(example.method, example.path, headers=example.headers, content=example.content)
    assert answer.status_code == example.status, answer.text
    for name, value in example.answer_headers.items():
        if name == "Content-Type":
            assert answer.headers[name].partition(";")[0] == value
        else:
            assert name in answer.headers
    if example.answer_headers.get("Content-Type", "").endswith("json"):
        compare(json.loads(example.answer), answer.json())
    else:
        assert [line for line in example.answer.splitlines() if line not in answer.text.splitlines()] == []


@pytest.mark.slow
async def test_an_experiment_is_named_as_documented_and_its_sender_meets_the_documented_version(world: World):
    (documented,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    (example,) = [one for one in EXAMPLES if one.section == "Experiments"]
    async with world.open("Experiments") as client:
        current = (await client.get("/models/current")).json()
        performance = (await client.get("/metrics/performance")).json()
        versions = {(await client.post("/predict", content=example.content)).json()["model_version"] for _ in range(5)}
    compare(json.loads(documented), current["experiment"])
    assert performance["experiment"]["model_version"] == "v2"
    assert len(versions) == 1


def test_every_route_has_an_example_and_every_example_a_route(tmp_path: Path):
    app = create_app(Settings(state_dir=tmp_path, model=MODEL, mlflow_tracking_uri="sqlite:///unused.db"))
    routes = {(method.upper(), path) for path, known in app.openapi()["paths"].items() for method in known}
    shown = set()
    for example in EXAMPLES:
        path = example.path.partition("?")[0]
        (route,) = [
            route
            for method, route in routes
            if method == example.method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route), path)
        ]
        shown.add((example.method, route))
    assert routes - shown == set()


def test_the_limits_are_those_of_the_code():
    rows = re.findall(r"^\| (.+?) \| (\d+) ([^|]+?) \|$", TEXT.partition("## Limits")[2], re.MULTILINE)
    documented = {what: (int(number), unit) for what, number, unit in rows}
    kib = 1024
    assert documented == {
        "a message": (limits.MAX_MESSAGE_CHARACTERS, "characters, at least 1"),
        "`/predict/batch`, `infer`": (limits.MAX_BATCH, "messages"),
        "`/feedback/batch`": (limits.MAX_FEEDBACK, "reports"),
        "`/labels`": (limits.MAX_LABELS, "labels"),
        "`/drift/calculate`": (limits.MAX_DRIFT_MESSAGES, "messages"),
        "body of `/predict/batch`, `/feedback/batch` and `/v2`": (limits.body_limit("/v2/x") // kib, "KiB"),
        "body of `/drift/calculate`": (limits.body_limit("/drift/calculate") // kib, "KiB"),
        "any other body": (limits.body_limit("/predict") // kib, "KiB"),
    }
    assert limits.body_limit("/predict/batch") == limits.body_limit("/feedback/batch") == limits.body_limit("/v2/x")


def test_every_status_that_an_error_becomes_is_in_the_table():
    documented = set(map(int, re.findall(r"^\| (\d{3}) \|", TEXT, re.MULTILINE)))
    assert set(STATUS_OF.values()) <= documented
