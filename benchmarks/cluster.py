"""What does it cost on a cluster: requests while Pods come and go, a Pod's start, images, `make kind-up`?

Asks the cluster that `make kind-up` made and its sample, whose serving it changes again and again: two clients call all
the time, one through the Ingress on connections that live, one at the Service with a new connection for each request.
`--only kind-up` deletes that cluster and makes it again from images that are built.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Self

from bounds import Bounds

ROOT = Path(__file__).resolve().parents[1]
KUBECONFIG = ROOT / ".autoretrain" / "kind" / "kubeconfig"
NODE = "node/autoretrain-control-plane"
NAMESPACE, MODEL, HOST, ADDRESS = "spam", "sms-spam", "spam.test", "127.0.0.1:8080"
BASE = "python:3.13-slim"
CALLER, CALLER_FILE = "benchmark-caller", Path(__file__).parent / "cluster_caller.py"
REQUESTS = 100_000
INGRESS_THREADS = 8
"""A request through the Ingress waits longer than one at the Service: so many reach as many requests a second."""
CALL_SECONDS, ROLLOUT_SECONDS, TRAINING_SECONDS = 60, 240, 600
MUST_START, AIM_START, AIM_UP = 30, 3, 180
AIM_MEGABYTES = {"controller": 200, "serving": 80}
MESSAGES = (
    "see you at eight",
    "ok lol",
    "call mum please",
    "on my way",
    "thanks a lot",
    "home late",
    "WINNER! Claim a prize",
)
"""Mostly ham, as the guard expects after a promotion."""
SERVING = f"autoretrain.dev/spammodel={MODEL},app.kubernetes.io/component=serving"
PARTS = ("images", "start", "requests")


def kubectl(*arguments: str, text: str = "", seconds: float = CALL_SECONDS) -> str:
    """Return what kubectl printed; raises SystemExit with what it complained of."""
    environment = {**os.environ, "KUBECONFIG": str(KUBECONFIG)}
    done = subprocess.run(
        ["kubectl", *arguments], input=text, capture_output=True, text=True, timeout=seconds, env=environment
    )
    if done.returncode:
        raise SystemExit(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def until(what: str, look: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not look():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.5)


def require_own_cluster() -> None:
    if not KUBECONFIG.exists():
        raise SystemExit("there is no cluster of this project's own: make kind-up makes it")
    if NODE not in kubectl("get", "nodes", "--output=name").split():
        raise SystemExit(f"{KUBECONFIG} leads to a cluster that is not this project's; nothing was changed")


def kind_up(bounds: Bounds) -> None:
    subprocess.run(["make", "kind-down"], cwd=ROOT, check=True, timeout=ROLLOUT_SECONDS)
    began = time.perf_counter()
    subprocess.run(["make", "kind-up"], cwd=ROOT, check=True, timeout=1800)
    took = time.perf_counter() - began
    bounds.aim(f"make kind-up from built images <= {AIM_UP} s", f"{took:.0f} s", met=took <= AIM_UP)


def images(bounds: Bounds) -> None:
    def megabytes(image: str) -> float:
        found = subprocess.run(
            ["docker", "image", "inspect", "--format={{.Size}}", image], capture_output=True, text=True, timeout=60
        )
        if found.returncode:
            raise SystemExit(f"{image}: {found.stderr.strip()}")
        return int(found.stdout) / 1e6

    base = megabytes(BASE)
    for name in ("agent", "controller", "serving", "trainer"):
        above = megabytes(f"autoretrain/{name}:dev") - base
        print(f"image {name:<11}{above:>6.0f} MB above {BASE} ({base:.0f} MB)")
        if aim := AIM_MEGABYTES.get(name):
            bounds.aim(f"image {name} <= {aim} MB above its base", f"{above:.0f} MB", met=above <= aim)


def pod_starts(bounds: Bounds, *, starts: int) -> None:
    """From the moment that the API shows a new serving Pod to that in which it shows it ready, by our own clock."""
    fields = '{.metadata.name}{" "}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}'
    took = []
    for _ in range(starts):
        pods = json.loads(kubectl("get", "pods", "-n", NAMESPACE, "-l", SERVING, "-o", "json"))["items"]
        known = {pod["metadata"]["name"] for pod in pods}
        leaving = {pod["metadata"]["name"] for pod in pods if "deletionTimestamp" in pod["metadata"]}
        command = ["kubectl", "get", "pods", "-n", NAMESPACE, "-l", SERVING, "--watch", f"--output=jsonpath={fields}"]
        environment = {**os.environ, "KUBECONFIG": str(KUBECONFIG)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as watch:
            limit = Thread(target=_end_after, args=(watch, ROLLOUT_SECONDS), daemon=True)
            limit.start()
            kubectl("delete", "pod", min(known - leaving), "-n", NAMESPACE, "--wait=false")
            seen: dict[str, float] = {}
            for line in watch.stdout or ():
                name, _, ready = line.strip().partition(" ")
                if name in known:
                    continue
                seen.setdefault(name, time.perf_counter())
                if ready == "True":
                    took.append(time.perf_counter() - seen[name])
                    break
            else:
                raise SystemExit(f"no new Pod was ready within {ROLLOUT_SECONDS} s")
            watch.terminate()
        wait_rollout()
    print(f"serving Pod, made to ready: {median(took):.1f} s ({min(took):.1f} to {max(took):.1f}, {starts} Pods)")
    start = median(took)
    bounds.must(f"serving Pod made to ready < {MUST_START} s", f"{start:.1f} s", met=start < MUST_START)
    bounds.aim(f"serving Pod made to ready <= {AIM_START} s", f"{start:.1f} s", met=start <= AIM_START)


def _end_after(watch: subprocess.Popen, seconds: float) -> None:
    try:
        watch.wait(seconds)
    except subprocess.TimeoutExpired:
        watch.terminate()


class IngressCaller:
    """A process that calls through the Ingress on connections that it keeps."""

    def __init__(self, threads: int) -> None:
        self._place = TemporaryDirectory()
        self._stop, self._said = Path(self._place.name) / "stop", Path(self._place.name) / "said"
        place = ["--host", HOST, "--keep", "--threads", str(threads), "--stop", str(self._stop)]
        self._command = [sys.executable, str(CALLER_FILE), *place, ADDRESS, *MESSAGES]

    def __enter__(self) -> Self:
        with self._said.open("w") as said:
            self._process = subprocess.Popen(self._command, stdout=said)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(CALL_SECONDS)
        self._place.cleanup()

    def counted(self) -> dict:
        """What it has said last; raises SystemExit where it has ended before its time."""
        if self._process.poll() and not self._stop.exists():
            raise SystemExit(f"the caller at the Ingress ended with {self._process.returncode}")
        return last_said(self._said.read_text())

    def stop(self) -> dict:
        self._stop.touch()
        self._process.wait(CALL_SECONDS)
        return self.counted()


class ServiceCaller:
    """A Pod that calls the Service with a new connection for each request."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def __enter__(self) -> Self:
        deployment = json.loads(kubectl("get", "deployment", f"{MODEL}-serving", "-n", NAMESPACE, "-o", "json"))
        text = CALLER_FILE.read_text(encoding="utf-8")
        place = ["--threads", str(self._threads), "--stop", "/tmp/stop"]
        container = {
            "name": CALLER,
            "image": deployment["spec"]["template"]["spec"]["containers"][0]["image"],
            "imagePullPolicy": "IfNotPresent",
            "command": ["python", "-c", text, *place, f"{MODEL}-serving:80", *MESSAGES],
            "resources": {"requests": {"cpu": "250m"}},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        spec = {"restartPolicy": "Never", "containers": [container], "securityContext": security}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": CALLER}, "spec": spec}
        kubectl("delete", "pod", CALLER, "-n", NAMESPACE, "--ignore-not-found", "--grace-period=0", "--force")
        kubectl("apply", "-n", NAMESPACE, "-f", "-", text=json.dumps(pod))
        kubectl("wait", "-n", NAMESPACE, f"pod/{CALLER}", "--for=condition=Ready", "--timeout=50s")
        return self

    def __exit__(self, *_: object) -> None:
        kubectl("delete", "pod", CALLER, "-n", NAMESPACE, "--grace-period=0", "--force")

    def counted(self) -> dict:
        return last_said(kubectl("logs", "-n", NAMESPACE, CALLER, "--tail=1"))

    def stop(self) -> dict:
        kubectl("exec", "-n", NAMESPACE, CALLER, "--", "touch", "/tmp/stop")
        phase = ("get", "pod", CALLER, "-n", NAMESPACE, "-o", "jsonpath={.status.phase}")
        until("the caller's end", lambda: kubectl(*phase) == "Succeeded", seconds=CALL_SECONDS)
        return self.counted()


def last_said(text: str) -> dict:
    """How many requests a caller sent, and what went wrong; it says so each thousand requests."""
    whole = text[: text.rfind("\n") + 1].splitlines()
    return json.loads(whole[-1]) if whole else {"sent": 0, "problems": []}


def wait_rollout() -> None:
    limit = f"--timeout={ROLLOUT_SECONDS}s"
    kubectl("rollout", "status", "-n", NAMESPACE, f"deployment/{MODEL}-serving", limit, seconds=ROLLOUT_SECONDS + 10)


def change(**spec: object) -> None:
    """Change the sample's spec, and wait until a pass has seen that and the Deployment is as it says."""
    kubectl("patch", "spammodel", MODEL, "-n", NAMESPACE, "--type=merge", "-p", json.dumps({"spec": spec}))
    until("a pass", lambda: told("metadata.generation") == told("status.observedGeneration"), seconds=CALL_SECONDS)
    wait_rollout()


def told(field: str) -> str:
    return kubectl("get", "spammodel", MODEL, "-n", NAMESPACE, "-o", f"jsonpath={{.{field}}}")


def autoretrain(verb: str, *options: str) -> None:
    """Ask what a user would ask, and do not follow it: the caller waits for what it needs."""
    place = [MODEL, "--context", "kind-autoretrain", "--namespace", NAMESPACE, "--no-wait"]
    command = [str(Path(sys.executable).parent / "autoretrain"), verb, *place, *options]
    environment = {**os.environ, "KUBECONFIG": str(KUBECONFIG)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=CALL_SECONDS, env=environment)
    if done.returncode:
        raise SystemExit(f"autoretrain {verb}: {done.stdout}{done.stderr}")


def train_another() -> str:
    """Train a version of the other profile; return it, whether it was promoted or not."""
    before, champion = told("status.lastRun.name"), told("status.champion.version")
    profile = told("spec.training.profile")
    change(training={"profile": "Word" if profile == "WordAndCharacter" else "WordAndCharacter"})
    autoretrain("retrain")

    def ended() -> bool:
        return told("status.lastRun.name") != before and not told("status.activeRun.name")

    until("the end of a run", ended, seconds=TRAINING_SECONDS)
    now = told("status.champion.version")
    return now if now != champion else told("status.candidate.summary.version")


def serve_version(version: str, verb: str, *options: str) -> None:
    """Promote or roll back by hand, and wait until that version is served."""
    autoretrain(verb, "--reason", "benchmark", *options)
    until(f"v{version} as the champion", lambda: told("status.champion.version") == version, seconds=ROLLOUT_SECONDS)
    wait_rollout()


def requests(bounds: Bounds, *, wanted: int) -> None:
    """Call by both ways while versions are promoted and rolled back, templates rolled out, and Pods taken away."""
    change(serving={"scaling": {"mode": "Fixed", "replicas": 2}})
    first = told("status.champion.version")
    second = train_another()
    if second == told("status.champion.version"):
        first, second = second, first
    began, rounds = time.perf_counter(), 0
    with ServiceCaller(threads=2) as service, IngressCaller(threads=INGRESS_THREADS) as ingress:
        while min(ingress.counted()["sent"], service.counted()["sent"]) < wanted:
            if rounds == 0:
                serve_version(second, "promote", "--version", second, "--force")
                serve_version(first, "rollback")
            change(serving={"podTemplate": {"annotations": {"example.com/round": str(rounds)}}})
            for replicas in (3, 1, 2):
                change(serving={"scaling": {"replicas": replicas}})
            rounds += 1
        ways = {
            "at the Ingress, kept connections": ingress.stop(),
            "at the ClusterIP, new connections": service.stop(),
        }
    took = time.perf_counter() - began
    print(f"1 promotion, 1 rollback, {rounds} rollouts, {2 * rounds} down-scales in {took:.0f} s")
    for way, counted in ways.items():
        sent, problems = counted["sent"], counted["problems"]
        print(f"{way}: {sent} requests ({sent / took:.0f}/s), {len(problems)} failed {problems[:5] or ''}")
        bounds.must(f"failed requests {way}", f"{len(problems)} of {sent}", met=not problems)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["kind-up", *PARTS], nargs="+", default=PARTS)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="by each of the two ways")
    options = parser.parse_args()
    bounds = Bounds()
    if "kind-up" in options.only:
        kind_up(bounds)
    require_own_cluster()
    if "images" in options.only:
        images(bounds)
    if "start" in options.only:
        pod_starts(bounds, starts=options.starts)
    if "requests" in options.only:
        requests(bounds, wanted=options.requests)
    return bounds.report()


if __name__ == "__main__":
    raise SystemExit(main())
