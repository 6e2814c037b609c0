"""Each way to install of README.md, its commands copied word for word and run in a clean clone, as a newcomer does.

`make readme` runs these: they take ports, build images and make a kind cluster. What a machine has not is skipped.
"""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from scripts.kind import CLUSTER, SYSTEM
from tests.e2e.helm import our_images
from tests.e2e.messages import corpus

pytestmark = pytest.mark.readme

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
INSTALL_SECONDS = 900
MOST_COMMANDS = 5
PORTS = (8000, 8501, 5000)


def blocks(heading: str) -> list[str]:
    """The shell commands below a heading of the start, a text a block."""
    (section,) = re.findall(rf"^### {re.escape(heading)}\n(.*?)(?=^##)", README, re.DOTALL | re.MULTILINE)
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def commands(block: str) -> list[str]:
    """One text a command; a line that ends in a backslash goes on in the next."""
    return [line for line in re.sub(r"\\\n", "", block).splitlines() if line.strip()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("newcomer")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(place / "autoretrain")], check=True, timeout=120)
    return place / "autoretrain"


def run(text: str, *, within: Path, seconds: int = INSTALL_SECONDS) -> str:
    """Run shell commands; return what they said. The test fails with its end where one of them fails."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=within,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}"
    return done.stdout


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait(what: str, reached: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"{what} did not come about within {seconds:.0f} s"
        time.sleep(1)


def answers(address: str) -> bool:
    asked = ["curl", "--silent", "--fail", "--max-time", "5", "--output", os.devnull, address]
    return subprocess.run(asked, check=False).returncode == 0


@pytest.fixture
def in_the_foreground(tmp_path: Path) -> Iterator[Callable[[str, Path], "subprocess.Popen[bytes]"]]:
    """Start what a person starts in a terminal of its own; it is ended with the test, as Ctrl-C does."""
    started: list[subprocess.Popen[bytes]] = []

    def start(text: str, within: Path) -> "subprocess.Popen[bytes]":
        busy = [port for port in PORTS if listens(port)]
        if busy:
            pytest.skip(f"somebody listens on {busy}, which are the ports of the README")
        with (tmp_path / "said.log").open("wb") as said:
            started.append(
                subprocess.Popen(
                    ["bash", "-euo", "pipefail", "-c", text],
                    cwd=within,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                )
            )
        return started[-1]

    yield start
    for each in started:
        if each.poll() is None:
            os.killpg(each.pid, signal.SIGINT)
            each.wait(timeout=120)
    sys.stdout.write((tmp_path / "said.log").read_text(errors="replace")[-3000:])


def test_one_machine(tmp_path: Path, in_the_foreground):
    first, asked = blocks("One machine")[:2]
    assert len(commands(first)) + len(commands(asked)) <= MOST_COMMANDS
    started = in_the_foreground(first.replace("<this repository>", str(ROOT)), tmp_path)
    place = tmp_path / "autoretrain"

    def served() -> bool:
        assert started.poll() is None, "it ended by itself"
        return answers("http://127.0.0.1:8000/readyz")

    wait("a served model", served, seconds=INSTALL_SECONDS)
    spam, ham, drift = (run(command, within=place, seconds=60) for command in commands(asked))
    assert '"prediction":"spam"' in spam
    assert '"prediction":"ham"' in ham
    assert '"vocabulary_drift"' in drift
    assert answers("http://127.0.0.1:8501/_stcore/health")
    os.killpg(started.pid, signal.SIGINT)
    started.wait(timeout=60)
    wait("the end of everything", lambda: not any(map(listens, PORTS)), seconds=10)


@pytest.mark.skipif(
    subprocess.run(["bash", "-c", "docker compose version"], capture_output=True, check=False).returncode != 0,
    reason="there is no Docker with Compose here",
)
def test_docker_compose(clone: Path, in_the_foreground):
    (block,) = blocks("Docker Compose")
    try:
        in_the_foreground(block, clone)
        wait("a served model", lambda: answers("http://127.0.0.1:8000/readyz"), seconds=INSTALL_SECONDS)
        first, *_ = commands(blocks("One machine")[1])
        assert '"prediction":"spam"' in run(first, within=clone, seconds=60)
        wait("the dashboard", lambda: answers("http://127.0.0.1:8501/_stcore/health"), seconds=60)
        assert answers("http://127.0.0.1:5000/health")
    finally:
        run("docker compose down --volumes", within=clone, seconds=180)


@pytest.fixture
def no_cluster() -> Iterator[None]:
    """A machine on which our kind cluster may be made, and is away afterwards."""
    missing = [name for name in ("docker", "kind", "kubectl") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not on the PATH")
    found = subprocess.run(["kind", "get", "clusters"], capture_output=True, text=True, check=True).stdout
    if CLUSTER in found.split():
        pytest.skip(f"there is a kind cluster {CLUSTER}, which is somebody's: make kind-down deletes it")
    yield
    subprocess.run(["kind", "delete", "cluster", "--name", CLUSTER], check=True, timeout=180)


def test_kind(clone: Path, no_cluster: None):
    (block,) = blocks("kind")
    up, asked, told, down = commands(block)
    run(up, within=clone, seconds=1800)
    assert '"prediction":"spam"' in run(asked, within=clone, seconds=60)
    assert re.search(r"^Kind: +SpamModel$", run(told, within=clone, seconds=60), re.MULTILINE)
    run(down, within=clone, seconds=180)


@pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not on the PATH")
def test_helm(clone: Path, no_cluster: None, tmp_path: Path):
    (block,) = blocks("Helm")
    install, tested = commands(block)
    # Of a registry that is not here: kind gets the images as `kind load` brings them.
    run("make docker-build kind-cluster && .venv/bin/python scripts/kind.py load", within=clone, seconds=1800)
    registry = "--set images.registry=registry.example.com/team "
    assert registry in install
    values = our_images()
    if not answers("https://archive.ics.uci.edu"):
        # Without a way out, the sample's messages come from a ConfigMap.
        messages = corpus()
        (tmp_path / "messages.tsv").write_bytes(messages)
        run(
            f"kubectl create namespace {SYSTEM} && "
            f"kubectl -n {SYSTEM} create configmap messages --from-file={tmp_path / 'messages.tsv'}",
            within=clone,
            seconds=60,
        )
        volume = {"configMap": {"name": "messages"}, "path": "messages.tsv"}
        data = {"volume": volume, "sha256": hashlib.sha256(messages).hexdigest()}
        values["samples"] = {"smsSpam": {"spec": {"data": data}}}
    (tmp_path / "here.yaml").write_text(yaml.safe_dump(values))
    run(f"{install.replace(registry, '')} --values {tmp_path / 'here.yaml'}", within=clone, seconds=600)
    run(tested, within=clone, seconds=600)
    models = run(f"kubectl -n {SYSTEM} get spammodels", within=clone, seconds=60)
    assert re.search(r"^sms-spam +True", models, re.MULTILINE), models
