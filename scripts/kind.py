"""What does `make kind-up` do, step by step? A kind cluster, images, manifests, data, the sample; no other cluster.

Every kubectl call uses a kubeconfig that kind wrote for the cluster of our name, and `require_own_cluster` looks at its
node before anything is written: the context that happens to be selected on this machine never matters.
"""

import argparse
import base64
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from autoretrain.adapters.settings import Settings
from autoretrain.app.data import prepare_data
from autoretrain.domain.errors import AutoRetrainError

ROOT: Final = Path(__file__).resolve().parent.parent
STATE: Final = ROOT / ".autoretrain" / "kind"
CLUSTER: Final = "autoretrain"
SYSTEM: Final = "autoretrain-system"
NAMESPACE: Final = "spam"
MODEL: Final = "sms-spam"
DATA: Final = f"{MODEL}-data"
STORE: Final = "autoretrain-store"
HOST: Final = "spam.test"
ADDRESS: Final = "http://127.0.0.1:8080"
OUR_IMAGES: Final = ("agent", "controller", "serving", "trainer")
CONFIG_MAP_BYTES: Final = 1_000_000
CALL_SECONDS: Final = 120
BUILD_SECONDS: Final = 1800
READY_SECONDS: Final = 900
WAKE_SECONDS: Final = 180


class StepError(Exception):
    """A step can't go on; the message says why and what to do."""


def setting(name: str, default: str) -> str:
    return os.environ.get(name, "").strip() or default


def images() -> dict[str, str]:
    """Third-party images, as the manifests name them and as they are wanted."""
    return {
        "postgres": setting("POSTGRES_IMAGE", "postgres:17"),
        "prom/prometheus": setting("PROMETHEUS_IMAGE", "prom/prometheus:v2.53.3"),
    }


def run(*command: str, stdin: str | None = None, seconds: int = CALL_SECONDS, quiet: bool = False) -> str:
    """Run one command; return what it printed. Its output is shown unless `quiet`."""
    environment = {**os.environ, "KUBECONFIG": str(STATE / "kubeconfig")} if command[0] == "kubectl" else None
    try:
        done = subprocess.run(
            command,
            input=stdin,
            text=True,
            cwd=ROOT,
            env=environment,
            timeout=seconds,
            check=True,
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.PIPE if quiet else None,
        )
    except FileNotFoundError:
        raise StepError(f"{command[0]} is not on the PATH") from None
    except subprocess.TimeoutExpired:
        raise StepError(f"{' '.join(command[:4])} ... took more than {seconds} s") from None
    except subprocess.CalledProcessError as error:
        raise StepError(f"{' '.join(command[:6])} failed. {(error.stderr or '').strip()[-2000:]}") from None
    return done.stdout or ""


def clusters() -> list[str]:
    return run("kind", "get", "clusters", quiet=True).split()


def require_own_cluster() -> None:
    """Take kind's own kubeconfig for our cluster and look at its node. Raises StepError where it is not ours."""
    if CLUSTER not in clusters():
        raise StepError(f"there is no kind cluster named {CLUSTER}: make kind-up makes it")
    STATE.mkdir(parents=True, exist_ok=True)
    kubeconfig = STATE / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(run("kind", "get", "kubeconfig", "--name", CLUSTER, quiet=True))
    nodes = run("kubectl", "get", "nodes", "--output=name", quiet=True).split()
    if f"node/{CLUSTER}-control-plane" not in nodes:
        raise StepError(f"kind's kubeconfig for {CLUSTER} leads to the nodes {nodes}, which are not its own")


def make_cluster() -> None:
    """Make the cluster if there is none, and add what a real one has: KIND_ADDONS, else an Ingress controller."""
    if CLUSTER in clusters():
        sys.stdout.write(f"kind cluster {CLUSTER} is there\n")
        wake_cluster()
    else:
        node = ["--image", image] if (image := setting("KIND_NODE_IMAGE", "")) else []
        config = setting("KIND_CONFIG", "manifests/kind/cluster.yaml")
        run("kind", "create", "cluster", "--name", CLUSTER, "--config", config, *node, "--wait", "180s", seconds=600)
    require_own_cluster()
    if addons := setting("KIND_ADDONS", ""):
        run(addons, CLUSTER, seconds=BUILD_SECONDS)
    else:
        if not (manifest := setting("INGRESS_MANIFEST", "")):
            raise StepError("neither KIND_ADDONS nor INGRESS_MANIFEST is set; `make kind-up` sets the second")
        run("kubectl", "apply", "--server-side", "--filename", manifest)


def wake_cluster() -> None:
    """Start the nodes that ended with this machine, and wait: for a while its API knows neither nodes nor rights."""
    run("docker", "start", *run("kind", "get", "nodes", "--name", CLUSTER, quiet=True).split(), quiet=True)

    def answers() -> bool:
        require_own_cluster()
        run("kubectl", "wait", "nodes", "--all", "--for=condition=Ready", "--timeout=5s", quiet=True)
        return True

    wait_for(f"an answer of the kind cluster {CLUSTER} (`make kind-down` deletes it)", answers, seconds=WAKE_SECONDS)


def build_images() -> None:
    for name in OUR_IMAGES:
        started = time.monotonic()
        recipe = f"images/{name}/Dockerfile"
        tag = f"autoretrain/{name}:dev"
        run("docker", "build", "--quiet", "--file", recipe, "--tag", tag, ".", seconds=BUILD_SECONDS, quiet=True)
        sys.stdout.write(f"{tag}: {time.monotonic() - started:.0f} s\n")


def load_images() -> None:
    """Put our images onto the nodes. The others are pulled there, unless KIND_ADDONS loaded them."""
    require_own_cluster()
    ours = [f"autoretrain/{name}:dev" for name in OUR_IMAGES]
    run("kind", "load", "docker-image", "--name", CLUSTER, *ours, seconds=600, quiet=True)


def write_overlay() -> Path:
    """The manifests with the images that were asked for and a Prometheus that looks every five seconds."""
    overlay = STATE / "overlay"
    overlay.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "manifests/kind/prometheus.yml", overlay / "prometheus.yml")
    replaced = []
    for name, wanted in images().items():
        repository, _, tag = wanted.rpartition(":")
        replaced.append({"name": name, "newName": repository, "newTag": tag})
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": SYSTEM,
        "resources": [os.path.relpath(ROOT / "manifests", overlay)],
        "images": replaced,
        "configMapGenerator": [{"name": "prometheus-config", "behavior": "merge", "files": ["prometheus.yml"]}],
    }
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return overlay


def install() -> None:
    """Apply the manifests and wait until all of it is ready."""
    require_own_cluster()
    run("kubectl", "apply", "--kustomize", str(write_overlay()), quiet=True)
    wait_for("the API of SpamModels", lambda: run("kubectl", "get", "spammodels", "-A", quiet=True) is not None)
    deployments = [f"deployment/{name}" for name in ("mlflow", "prometheus", "dashboard", "autoretrain-controller")]
    for what in ("statefulset/postgres", *deployments):
        run("kubectl", "-n", SYSTEM, "rollout", "status", what, "--timeout=300s", seconds=330)


def apply(document: dict[str, Any], *, manager: str = "make") -> None:
    command = ("kubectl", "apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", "--filename=-")
    run(*command, stdin=json.dumps(document), quiet=True)


def prepare_namespace(namespace: str) -> None:
    """A namespace that enforces `restricted`, with a role of its own in the store and the Secret that Pods look for.

    A Secret that is there is left: its password is the role's. One of an older `make kind-up` names the owner's role.
    The dashboard is given the same address.
    """
    require_own_cluster()
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
    find = ("kubectl", "-n", namespace, "get", "secret", STORE, "--ignore-not-found", "--output=jsonpath={.data.url}")
    encoded = run(*find, quiet=True) or make_store_role(namespace)
    shown = {"name": "dashboard-stores", "namespace": SYSTEM}
    # Each namespace's entry has a manager of its own, so that applying one takes no other away.
    manager = f"make-{namespace}"
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": shown, "data": {namespace: encoded}}, manager=manager)


def make_store_role(namespace: str) -> str:
    """Make a role for the namespace in PostgreSQL, and the Secret with its address; return that in base64."""
    password = secrets.token_hex(16)
    # The password goes in with the script: an argument would show in a list of processes.
    script = f"\\set password {password}\n{(ROOT / 'manifests/postgresql/namespace.sql').read_text()}"
    psql = ("psql", "--username=postgres", "--dbname=autoretrain", f"--set=namespace={namespace}")
    run("kubectl", "-n", SYSTEM, "exec", "--stdin", "statefulset/postgres", "--", *psql, stdin=script, quiet=True)
    url = f"postgresql://ns-{namespace}:{password}@postgres.{SYSTEM}:5432/autoretrain"
    encoded = base64.b64encode(url.encode()).decode()
    metadata = {"name": STORE, "namespace": namespace}
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"url": encoded}})
    return encoded


def load_data(namespace: str) -> dict[str, Any]:
    """Prepare the data on this machine as `make run` does and put it into a ConfigMap; return `spec.data` for it."""
    prepared = prepare_data(Settings())
    content = prepared.path.read_bytes()
    if len(content) > CONFIG_MAP_BYTES:
        size = f"{prepared.path} has {len(content)} bytes"
        raise StepError(f"{size}, more than a ConfigMap holds: use a claim (docs/how-to/cluster.md)")
    metadata = {"name": DATA, "namespace": namespace, "annotations": {"autoretrain.dev/origin": prepared.source_note}}
    encoded = base64.b64encode(content).decode()
    apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": {prepared.path.name: encoded}})
    sys.stdout.write(f"data: {prepared.source_note}, {len(prepared.rows)} messages\n")
    return {
        "volume": {"configMap": {"name": DATA}, "path": prepared.path.name},
        "sha256": hashlib.sha256(content).hexdigest(),
        # A file that `--data` names is told by its name; the prepared ones are TSV.
        "format": {".csv": "CSV", ".jsonl": "JSONL"}.get(prepared.path.suffix.lower(), "TSV"),
    }


def wait_for(what: str, ready: Callable[[], bool], *, seconds: int = 60) -> None:
    """Ask every second until `ready` is true or its command succeeds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if ready():
                return
        except StepError:
            pass
        time.sleep(1)
    raise StepError(f"{what} was not there within {seconds} s")


def apply_model(*, name: str, namespace: str, sample: str, host: str, serving: dict[str, Any] | None = None) -> None:
    """Apply a sample with its data in a ConfigMap and an Ingress; leave the file in STATE; wait until it is Ready."""
    prepare_namespace(namespace)
    document = yaml.safe_load((ROOT / sample).read_text())
    document["metadata"] = {"name": name, "namespace": namespace}
    document["spec"]["data"] = load_data(namespace)
    document["spec"]["serving"] = {**document["spec"].get("serving", {}), **(serving or {}), "ingress": {"host": host}}
    written = STATE / f"{name}.yaml"
    written.write_text(yaml.safe_dump(document, sort_keys=False))
    apply(document)
    sys.stdout.write(f"{name} in {namespace} is applied ({written.relative_to(ROOT)}); waiting for its first model\n")
    condition = ("wait", f"spammodel/{name}", "--for=condition=Ready", f"--timeout={READY_SECONDS}s")
    run("kubectl", "-n", namespace, *condition, seconds=READY_SECONDS + 30, quiet=True)


def deploy() -> None:
    install()
    apply_model(name=MODEL, namespace=NAMESPACE, sample="manifests/samples/sms-spam.yaml", host=HOST)
    run("kubectl", "-n", NAMESPACE, "get", "spammodels")
    body = """'{"message": "WINNER! Claim your free prize now"}'"""
    sys.stdout.write(
        f"\ncurl {ADDRESS}/predict -H 'Host: {HOST}' -H 'Content-Type: application/json' -d {body}\n"
        f"kubectl --context kind-{CLUSTER} -n {NAMESPACE} describe spammodel {MODEL}\n"
    )


def reload() -> None:
    """Build and load our images again and start every Pod of ours anew; the tag is the same, so nothing else would."""
    build_images()
    load_images()
    run("kubectl", "-n", SYSTEM, "rollout", "restart", "deployment/autoretrain-controller")
    ours = "app.kubernetes.io/managed-by=autoretrain,app.kubernetes.io/component in (serving,monitor,agent)"
    run("kubectl", "delete", "pods", "--all-namespaces", "--selector", ours, "--wait=false")


def up() -> None:
    make_cluster()
    build_images()
    load_images()
    deploy()


def down() -> None:
    # By name and by kind's own labels on the nodes: a cluster that does not answer any more can be deleted too.
    run("kind", "delete", "cluster", "--name", CLUSTER)
    shutil.rmtree(STATE, ignore_errors=True)


STEPS: Final[dict[str, Callable[[], None]]] = {
    "up": up,
    "cluster": make_cluster,
    "build": build_images,
    "load": load_images,
    "install": install,
    "deploy": deploy,
    "reload": reload,
    "down": down,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="The project's own kind cluster.")
    parser.add_argument("step", choices=STEPS)
    try:
        STEPS[parser.parse_args().step]()
    except (StepError, AutoRetrainError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
