"""`make kind-demo`: normal traffic through the Ingress, then a wave of new spam with late labels; see it healed."""

import json
import sys
import time
from typing import Any, Final

import kind

from autoretrain.app.scenario_traffic import ScenarioTraffic
from autoretrain.domain.errors import AutoRetrainError
from autoretrain.ml.sample_corpus import generate_traffic, generate_wave

NAME: Final = "demo"
NAMESPACE: Final = "spam-demo"
# A name that this machine resolves, so that a client needs no Host header of its own.
HOST: Final = "localhost"
KEY: Final = "demo-key-of-the-abuse-desk"
SECONDS: Final = 900.0


def status() -> dict[str, Any]:
    command = ("kubectl", "-n", NAMESPACE, "get", "spammodel", NAME, "--output=json")
    found: dict[str, Any] = json.loads(kind.run(*command, quiet=True)).get("status", {})
    return found


def follow(what: str, reached: Any, *, told: set[str]) -> None:
    """Print each new decision until `reached` says that the status is the wanted one."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        now = status()
        for entry in now.get("history", []):
            what, why = f"{entry.get('decision')} ({entry.get('reason')})", entry.get("message")
            line = f"  {entry.get('time', '')}  {what}: {why}\n"
            if line not in told:
                told.add(line)
                sys.stdout.write(line)
                sys.stdout.flush()
        if reached(now):
            return
        time.sleep(2)
    raise kind.StepError(f"{what} did not happen within {SECONDS:.0f} s")


def play() -> None:
    kind.prepare_namespace(NAMESPACE)
    metadata = {"name": "demo-keys", "namespace": NAMESPACE}
    kind.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"abuse-desk": KEY}})
    keys = {"apiKeysSecretRef": {"name": "demo-keys"}}
    kind.apply_model(name=NAME, namespace=NAMESPACE, sample="examples/demo.yaml", host=HOST, serving=keys)
    first = status()["champion"]["version"]
    told: set[str] = set()
    traffic = ScenarioTraffic(
        address=f"http://{HOST}:8080", api_key=KEY, messages_per_second=30, delay_seconds=8, reported_every=1
    )
    traffic.play(generate_traffic(seed=21, messages=3000))
    traffic.start()
    try:
        follow("a check of a whole window", lambda now: bool(now.get("drift")), told=told)
        sys.stdout.write("a wave of new spam begins; its labels come late\n")
        traffic.play(generate_wave(seed=22, messages=6000))
        follow("a promotion", lambda now: now.get("champion", {}).get("version") != first, told=told)
    finally:
        traffic.stop()
    sys.stdout.write(f"{traffic.sent} requests through the Ingress, {traffic.failed} failed\n")


def main() -> int:
    try:
        kind.require_own_cluster()
        play()
    except (kind.StepError, AutoRetrainError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
