"""The chart on a cluster: upgraded in the middle of a run, rolled back, uninstalled and installed again; nothing lost.

`make e2e-chart` runs these on a cluster without an operator, since two would look after the same SpamModels. The
stories build on one another. The last one has PostgreSQL and Prometheus in a namespace of somebody else's.
"""

import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from autoretrain.ml.sample_corpus import generate_traffic
from scripts.kind import images
from tests.e2e.asking import ask_prometheus, ask_registry
from tests.e2e.breaking import leader
from tests.e2e.client import IngressClient
from tests.e2e.conftest import ADDRESS, API_KEY, RESTRICTED, RUN, SYSTEM, Place
from tests.e2e.helm import HELM_MINUTES, Release, generations, kept_uids, may, our_images, writers
from tests.e2e.kubectl import Kubectl, Object, wait
from tests.e2e.messages import corpus

pytestmark = [pytest.mark.cluster, pytest.mark.chart]

ROOT = Path(__file__).parents[2]
NOW = ROOT / "helm/autoretrain"
(BEFORE,) = (ROOT / "tests/chart/fixtures").glob("autoretrain-*.tgz")
NAME = "kept"
SAMPLE, SAMPLE_HOST = "sms-spam", "spam.test"
SERVICES, OUTSIDE = f"e2e-services-{RUN}", f"e2e-outside-{RUN}"
RUN_SECONDS = 300
DEFINITIONS = ("spammodels.autoretrain.dev", "spammodeldecisions.autoretrain.dev")


def add_namespace(cluster: Kubectl, name: str) -> Place:
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    return Place(cluster, name)


@pytest.fixture(scope="module")
def chart_of_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged chart with the definitions of now: images of then are not here, and those of now are not ready
    beside a definition that lacks their fields."""
    directory = tmp_path_factory.mktemp("before")
    with tarfile.open(BEFORE) as packed:
        packed.extractall(directory, filter="data")
    for name in ("crd.yaml", "crd-decision.yaml"):
        # The chart of then adds the annotations of its own.
        text, found = re.subn(
            r"\n  annotations:\n    autoretrain.dev/version: .*", "", (NOW / "files" / name).read_text()
        )
        assert found == 1
        (directory / "autoretrain" / "files" / name).write_text(text)
    return directory / "autoretrain"


@pytest.fixture(scope="module")
def release(own_cluster: Kubectl, chart_of_before: Path) -> Iterator[Release]:
    """The chart of before, installed with the images that are here. What the stories made is gone afterwards."""
    if shutil.which("helm") is None:
        pytest.skip("helm is not on the PATH")
    found = own_cluster.run("get", "deployments", "--all-namespaces", "--output=name").split()
    if "deployment.apps/autoretrain-controller" in found:
        again = "make kind-down && make kind-cluster && .venv/bin/python scripts/kind.py load"
        pytest.fail(f"the cluster has an operator, which would look after the same SpamModels. Make another: {again}")
    add_namespace(own_cluster, SYSTEM)
    made = Release("autoretrain", SYSTEM, our_images())
    try:
        made.install(chart_of_before)
        yield made
    finally:
        made.uninstall()
        for definition in DEFINITIONS:
            own_cluster.delete("customresourcedefinition", definition)
        # Waited for, since the next run begins by making it.
        gone = ("delete", "namespace", SYSTEM, "--ignore-not-found", "--timeout=120s")
        own_cluster.run(*gone, seconds=130)


@pytest.fixture(scope="module")
def place(release: Release, request: pytest.FixtureRequest) -> Place:
    """A namespace with a SpamModel that is Ready; its operator must be there first, so it is asked for by hand."""
    make_place: Callable[[str], Place] = request.getfixturevalue("make_place")
    made = make_place("e2e-chart")
    made.kube.apply(made.document(NAME, made.add_file("first", corpus(messages=6000))), namespace=made.namespace)
    made.wait_ready(NAME)
    return made


@pytest.fixture(scope="module")
def sample(release: Release, own_cluster: Kubectl) -> Object:
    """Values that switch the sample on, in the release's namespace, with data that need no way out of the cluster."""
    data = Place(own_cluster, SYSTEM).add_file("sample-messages", corpus())
    return {"samples": {"smsSpam": {"enabled": True, "host": SAMPLE_HOST, "spec": {"data": data}}}}


def operator_of(cluster: Kubectl) -> Object:
    found = cluster.get("deployment", "autoretrain-controller", namespace=SYSTEM)
    assert found is not None
    return found


def test_an_upgrade_in_the_middle_of_a_run_loses_nothing_and_starts_no_second_run(
    release: Release, place: Place, sample: Object
):
    before, uid, volumes = place.decisions(NAME), place.get(NAME)["metadata"]["uid"], kept_uids(place.kube, SYSTEM)
    with place.client(NAME) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        place.kube.annotate(NAME, namespace=place.namespace, retrain_requested="upgrade")
        wait("a run", lambda: "activeRun" in place.status(NAME) and len(place.jobs(NAME)) == 2, seconds=60)
        # Another level of the log, so that the operator's Pod is replaced, whatever else is new.
        release.upgrade(NOW, operator={"logLevel": "DEBUG"}, **sample)
        wait("the end of the run", lambda: place.at_rest(NAME), seconds=RUN_SECONDS)
    assert client.sent > 0
    assert client.failures == []
    assert len(place.jobs(NAME)) == 2
    assert place.status(NAME)["lastRun"]["trigger"] == "manual"
    after = place.decisions(NAME)
    assert after[: len(before)] == before
    assert [each.split()[0] for each in after].count("RETRAIN") == 2
    assert place.get(NAME)["metadata"]["uid"] == uid
    assert volumes.items() <= kept_uids(place.kube, SYSTEM).items()


def test_the_sample_is_made_by_the_upgrade_and_answers_through_the_ingress(release: Release, own_cluster: Kubectl):
    Place(own_cluster, SYSTEM).wait_ready(SAMPLE, seconds=RUN_SECONDS)
    client = IngressClient(ADDRESS, SAMPLE_HOST)

    def answer() -> str:
        response = client.predict("WINNER!! Claim your FREE prize now, call 09061701461")
        return response.json()["prediction"] if response.status_code == 200 else ""

    # Ready says that the Pods are; the Ingress controller may take a moment to know of them.
    assert wait("a prediction", answer, seconds=60) == "spam"
    release.helm("test", release.name)


def test_the_same_upgrade_again_changes_nothing_and_nobody_fights_over_a_field(
    release: Release, place: Place, sample: Object
):
    before = generations(place.kube, SYSTEM), generations(place.kube, place.namespace)
    release.upgrade(NOW, operator={"logLevel": "DEBUG"}, **sample)
    assert (generations(place.kube, SYSTEM), generations(place.kube, place.namespace)) == before
    charts = {"autoretrain-controller", "mlflow", "prometheus", "dashboard"}
    by_name = writers(place.kube, SYSTEM)
    assert {name: by_name[name] for name in charts} == {name: {"helm"} for name in charts}
    made_by_operator = {**writers(place.kube, place.namespace), **{n: by_name[n] for n in by_name.keys() - charts}}
    assert len(made_by_operator) == 4  # serving and monitor, of two models
    assert not {name for name, who in made_by_operator.items() if "helm" in who}


def test_two_operators_and_one_again(release: Release, place: Place, sample: Object):
    release.upgrade(NOW, **sample)
    jobs, first = len(place.jobs(NAME)), wait("a leader", lambda: leader(place.kube), seconds=60)
    release.upgrade(NOW, operator={"replicas": 2}, **sample)
    assert operator_of(place.kube)["status"]["readyReplicas"] == 2
    assert leader(place.kube) == first  # who decides was not begun anew for it
    assert place.kube.get("poddisruptionbudget", "autoretrain-controller", namespace=SYSTEM) is not None
    release.upgrade(NOW, **sample)
    found = operator_of(place.kube)
    assert (found["spec"]["strategy"], found["status"]["readyReplicas"]) == ({"type": "Recreate"}, 1)
    assert place.kube.get("poddisruptionbudget", "autoretrain-controller", namespace=SYSTEM) is None
    place.wait_ready(NAME)
    assert len(place.jobs(NAME)) == jobs


PARTS = {"postgres": 5432, "mlflow": 5000, "prometheus": 9090, "dashboard": 8501}
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()"


@pytest.fixture
def reached_by_a_stranger(own_cluster: Kubectl) -> Iterator[Callable[[], set[str]]]:
    """Which parts of the chart a Pod of another namespace reaches just now."""
    namespace = f"e2e-stranger-{RUN}"
    add_namespace(own_cluster, namespace)
    container = {
        "name": "stranger",
        "image": "autoretrain/serving:dev",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "infinity"],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "containers": [container],
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 0,
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger"}, "spec": spec}
    within = ("-n", namespace)

    def reached() -> set[str]:
        found = set()
        for name, port in PARTS.items():
            asked = ("exec", *within, "stranger", "--", "python", "-c", CONNECT, f"{name}.{SYSTEM}", str(port))
            try:
                own_cluster.run(*asked)
            except AssertionError:
                continue
            found.add(name)
        return found

    try:
        own_cluster.apply(pod, namespace=namespace)
        own_cluster.run("wait", *within, "pod/stranger", "--for=condition=Ready", "--timeout=60s", seconds=70)
        yield reached
    finally:
        own_cluster.delete("namespace", namespace)


def test_behind_network_policies_all_of_it_works_and_a_stranger_reaches_nothing(
    release: Release, place: Place, sample: Object, reached_by_a_stranger: Callable[[], set[str]]
):
    assert reached_by_a_stranger() == set(PARTS)
    closed = {"enabled": True, "spamModels": {"enabled": True, "namespaces": [place.namespace, SYSTEM]}}
    release.upgrade(NOW, networkPolicies=closed, **sample)
    wait("closed doors", lambda: not reached_by_a_stranger(), seconds=60)
    jobs = len(place.jobs(NAME))
    with place.client(NAME) as client:
        client.play(generate_traffic(seed=4, messages=1000))
        place.kube.annotate(NAME, namespace=place.namespace, retrain_requested="behind-closed-doors")
        wait("a run", lambda: len(place.jobs(NAME)) == jobs + 1, seconds=60)
        wait("its end", lambda: place.at_rest(NAME), seconds=RUN_SECONDS)
        wait("figures", lambda: place.condition(NAME, "MetricsAvailable").get("status") == "True", seconds=180)
    assert place.status(NAME)["lastRun"]["trigger"] == "manual"
    assert client.sent > 0
    assert client.failures == []
    release.helm("test", release.name)
    assert reached_by_a_stranger() == set()
    release.upgrade(NOW, **sample)
    wait("open doors", lambda: reached_by_a_stranger() == set(PARTS), seconds=60)


def test_a_rollback_to_the_chart_of_before_and_forward_again_costs_no_request(
    release: Release, place: Place, sample: Object
):
    champion, jobs = place.champion(NAME), len(place.jobs(NAME))
    with place.client(NAME) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        release.helm("rollback", release.name, "1", "--wait", f"--timeout={HELM_MINUTES}m")
        place.wait_ready(NAME)
        release.upgrade(NOW, **sample)
        place.wait_ready(NAME)
    assert client.sent > 0
    assert client.failures == []
    assert (place.champion(NAME), len(place.jobs(NAME))) == (champion, jobs)


def test_uninstalled_and_installed_again_it_finds_what_was_there(release: Release, place: Place, sample: Object):
    here = Place(place.kube, SYSTEM)
    models = [(place, NAME), (here, SAMPLE)]
    before = [(each.get(name)["metadata"]["uid"], each.champion(name), len(each.jobs(name))) for each, name in models]
    decided, known, kept = place.decisions(NAME), ask_registry(place, NAME), kept_uids(place.kube, SYSTEM)
    with place.client(NAME) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        release.uninstall()
        assert set(place.kube.run("get", "deployments", "-n", SYSTEM, "--output=name").split()) == {
            f"deployment.apps/{SAMPLE}-serving",
            f"deployment.apps/{SAMPLE}-monitor",
        }
        assert kept_uids(place.kube, SYSTEM) == kept
        for definition in DEFINITIONS:
            place.kube.run("get", "customresourcedefinition", definition)
        release.install(NOW, **sample)
        for each, name in models:
            each.wait_ready(name)
    assert client.failures == []
    after = [(each.get(name)["metadata"]["uid"], each.champion(name), len(each.jobs(name))) for each, name in models]
    assert after == before
    assert place.decisions(NAME)[: len(decided)] == decided
    assert ask_registry(place, NAME) == known
    assert here.condition(SAMPLE, "Stalled").get("reason") != "RegistryOwned"


def services_of_somebody_else(directory: Path) -> Path:
    """PostgreSQL with its passwords, and Prometheus, by the manifests, in a namespace that is not the chart's."""
    replaced = [{"name": "autoretrain/controller", "newTag": "dev"}]
    for name, wanted in images().items():
        repository, _, tag = wanted.rpartition(":")
        replaced.append({"name": name, "newName": repository, "newTag": tag})
    # kustomize takes no absolute paths, and none through a link.
    shutil.copytree(ROOT / "manifests", directory / "manifests")
    kustomization = {
        "namespace": SERVICES,
        "resources": [f"manifests/{part}" for part in ("passwords", "postgresql", "prometheus")],
        "images": replaced,
    }
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return directory


@pytest.fixture
def outside(release: Release, place: Place, own_cluster: Kubectl, tmp_path: Path) -> Iterator[Place]:
    """A release in a namespace of its own, the only one that it looks after; its database and metrics are elsewhere."""
    release.uninstall()
    add_namespace(own_cluster, SERVICES)
    made = add_namespace(own_cluster, OUTSIDE)
    overlay = services_of_somebody_else(tmp_path)
    second = Release(
        "second",
        OUTSIDE,
        {
            **our_images(),
            "crds": {"enabled": False},
            "operator": {"namespaces": [OUTSIDE]},
            "postgresql": {"enabled": False},
            "mlflow": {"database": {"existingSecret": "database"}},
            "prometheus": {"enabled": False, "url": f"http://prometheus.{SERVICES}:9090"},
        },
    )
    try:
        own_cluster.run("apply", "--server-side", "--kustomize", str(overlay))
        for what in ("statefulset/postgres", "deployment/prometheus"):
            own_cluster.run("rollout", "status", "-n", SERVICES, what, "--timeout=300s", seconds=310)
        query = "--output=go-template={{.data.mlflow | base64decode}} {{.data.url | base64decode}}"
        found = own_cluster.run("get", "secret", "postgres-passwords", "-n", SERVICES, query)
        password, url = found.split()
        uri = f"postgresql+psycopg://mlflow:{password}@postgres.{SERVICES}:5432/mlflow"
        texts = {"database": {"uri": uri}, "autoretrain-store": {"url": url}, "api-keys": {"desk": API_KEY}}
        secrets = [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": text}
            for name, text in texts.items()
        ]
        own_cluster.apply(*secrets, namespace=OUTSIDE)
        second.install(NOW)
        yield made
    finally:
        second.uninstall()
        own_cluster.run("delete", "--kustomize", str(overlay), "--ignore-not-found", "--wait=false")
        for namespace in (SERVICES, OUTSIDE):
            own_cluster.delete("namespace", namespace)


def test_with_postgresql_and_prometheus_elsewhere_a_model_is_served_and_measured_and_no_other_is_touched(
    outside: Place, place: Place
):
    kube, account = outside.kube, f"system:serviceaccount:{OUTSIDE}:autoretrain-controller"
    foreign = place.get(NAME)["metadata"]["resourceVersion"]
    kube.apply(outside.document(NAME, outside.add_file("messages", corpus())), namespace=OUTSIDE)
    outside.wait_ready(NAME, seconds=RUN_SECONDS)
    with outside.client(NAME) as client:
        client.play(generate_traffic(seed=3, messages=1000))
        wait("figures", lambda: outside.condition(NAME, "MetricsAvailable").get("status") == "True", seconds=180)
    assert client.sent > 0
    assert client.failures == []
    assert ask_prometheus(kube, f'up{{namespace="{OUTSIDE}",component="controller"}} == 1', namespace=SERVICES)
    # In its own namespace it may, elsewhere it may not, and it did not.
    for verb, kind in (("list", "spammodels"), ("create", "jobs"), ("patch", "deployments"), ("list", "pods")):
        assert may(kube, verb, kind, OUTSIDE, account)
        assert not may(kube, verb, kind, place.namespace, account)
    assert place.get(NAME)["metadata"]["resourceVersion"] == foreign
