"""Six steps with real processes: train, deploy, predict, inject drift, retraining triggered, new model deployed.

Also a script: `python tests/test_integration.py`. With AUTORETRAIN_TEST_STACK=compose the processes are the containers
of docker-compose.yml, as a project of their own on free ports.
"""

import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from autoretrain.adapters.sample_files import write_sample
from autoretrain.app.scenario_stack import ScenarioStack
from autoretrain.app.scenario_traffic import ScenarioTraffic
from autoretrain.ml.sample_corpus import generate_traffic, generate_wave

KEY = "default.integration"
API_KEY = "key-of-the-integration-test"
DOCUMENT = """\
apiVersion: autoretrain.dev/v1alpha1
kind: SpamModel
metadata: {name: integration}
spec:
  data: {file: {path: corpus.tsv}}
  training: {profile: Word}
  monitoring:
    intervalSeconds: 5
    window: {size: 250, minSamples: 200}
    audit: {rate: "0.2"}
  triggers: {cooldownSeconds: 0}
  guard: {durationSeconds: 15, minMessages: 200, maxDurationSeconds: 120}
"""

IN_CONTAINERS = os.environ.get("AUTORETRAIN_TEST_STACK") == "compose"
STOPPED_BY = 128 + (signal.SIGTERM if IN_CONTAINERS else signal.SIGINT)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    directory = tmp_path_factory.mktemp("integration")
    document, keys = directory / "model.yaml", directory / "keys"
    document.write_text(DOCUMENT)
    corpus = write_sample(directory, seed=5)
    keys.write_text(f"desk: {API_KEY}\n")
    made = stack_class()(
        directory=directory / "state-root",
        document=document,
        data=corpus,
        # What serving is told of the document: `run` tells it, and containers are told by their variables.
        environment={
            "AUTORETRAIN_API_KEYS_FILE": str(keys),
            "AUTORETRAIN_MODEL": KEY,
            "AUTORETRAIN_AUDIT_RATE": "0.2",
        },
    )
    try:
        made.start()
        yield made
    finally:
        made.stop()


def stack_class() -> type[ScenarioStack]:
    if not IN_CONTAINERS:
        return ScenarioStack
    from tests.compose_stack import ComposeStack  # the script itself does not find `tests`, pytest does

    return ComposeStack


def test_a_wave_of_new_spam_leads_to_a_new_model_without_a_failed_request(stack):
    # 1 and 2: trained and deployed.
    first = stack.status(KEY).champion
    assert stack.current()["digest"] == first.digest
    # 3: it predicts.
    answer = httpx.post(f"{stack.address}/predict", json={"message": "are you coming home for dinner?"}, timeout=5)
    assert answer.status_code == 200
    assert answer.json()["prediction"] == "ham"
    # 4: drift comes in.
    traffic = ScenarioTraffic(
        address=stack.address, api_key=API_KEY, messages_per_second=60, delay_seconds=3, reported_every=1
    )
    traffic.play(generate_traffic(seed=6, messages=600))
    traffic.start()
    try:
        stack.wait("a quiet window", lambda: stack.status(KEY).drift is not None, seconds=120)
        assert stack.status(KEY).run_ordinal == 1
        traffic.play(generate_wave(seed=7, messages=6000))
        # 5: a run is triggered.
        stack.wait("a run was triggered", lambda: stack.status(KEY).run_ordinal > 1, seconds=180)
        # 6: the new model is deployed.
        stack.wait("a new champion", lambda: stack.status(KEY).champion.version != first.version, seconds=240)
        assert stack.status(KEY).previous.version == first.version
        assert stack.current()["digest"] == stack.status(KEY).champion.digest
    finally:
        traffic.stop()
    assert (traffic.failed, traffic.failures) == (0, [])
    assert traffic.sent > 1000
    told = stack.command("explain")
    assert "PROMOTE" in told
    assert stack.stop() == STOPPED_BY


if __name__ == "__main__":
    sys.exit(pytest.main([str(Path(__file__)), "-v", "-p", "no:randomly"]))
