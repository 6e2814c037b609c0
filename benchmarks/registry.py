"""How long does a cold process need from its start to the champion's first answer?

Side by side, interleaved, each in a process of its own over one registered version: our way (the plain artefact out of
the store, no scikit-learn, no MLflow), and `mlflow.pyfunc.load_model("models:/…@champion")` of the same version. Both
answer the same message and must give the same score.

    python benchmarks/registry.py [--rounds 7]
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bounds import Bounds

from autoretrain.adapters.registry_mlflow import MlflowRegistry
from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import Deployment
from autoretrain.domain.spec import AlgorithmSpec, TrainingSpec
from autoretrain.ml.sample_corpus import generate_corpus
from autoretrain.ml.training import search

MODEL = "default.benchmark"
MESSAGE = "WINNER! Claim your free prize now, text WIN to 80082"
MUST_SECONDS, AIM_SECONDS = 2.0, 1.0
FROM_STORE = """
from autoretrain.adapters.store import Store
from autoretrain.ml.artefact import digest_of
from autoretrain.ml.linear import LinearModel
with Store("{store}", model="{model}") as store:
    deployment = store.deployment()
    artefact = store.artefact(deployment.digest)
assert digest_of(artefact.model) == deployment.digest
print(LinearModel.load(artefact.model).score({message!r}))
"""
FROM_MLFLOW = """
from autoretrain.adapters.mlflow_connection import MlflowConnection
with MlflowConnection("{tracking}").session():
    import mlflow
    mlflow.set_tracking_uri("{tracking}")
    model = mlflow.pyfunc.load_model("models:/{model}@champion")
print(model.predict([{message!r}])[0].score)
"""


def register_champion(directory: Path) -> dict[str, str]:
    """One version of the default profile, as large as one trained on real messages."""
    spec = TrainingSpec(
        profile="WordAndCharacter",
        seed=0,
        algorithms=(AlgorithmSpec(name="LinearSVM", parameters={"C": ["1"], "preprocessing": ["Plain"]}),),
        active_deadline_seconds=900,
        backoff_limit=0,
    )
    trained = search(generate_corpus(seed=1), spec)
    places = {
        "store": f"sqlite:///{directory / 'store.db'}",
        "tracking": f"sqlite:///{directory / 'mlflow.db'}",
        "model": MODEL,
    }
    registry = MlflowRegistry(places["tracking"], name=MODEL)
    version = registry.register_artefact(model=trained.artefact, reference=b"{}", card="{}", run_name="benchmark")
    registry.set_aliases(champion=version.version, candidate=None, previous=None)
    with Store(places["store"], model=MODEL) as store:
        store.migrate()
        store.put_artefact(registry.fetch_artefact(version.version))
        store.deploy(Deployment(version=version.version, digest=version.digest))
    print(f"artefact: {len(trained.artefact) / 1e6:.2f} MB")
    return places


def cold(code: str) -> tuple[float, float, str]:
    """Seconds by the clock, seconds of CPU, and what the process printed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="autoretrain-benchmark-") as directory:
        places = register_champion(Path(directory))
        codes = {
            "empty process": "print('-')",
            "store, plain artefact": FROM_STORE.format(**places, message=MESSAGE),
            "mlflow.pyfunc": FROM_MLFLOW.format(**places, message=MESSAGE),
        }
        seconds: dict[str, list[float]] = {name: [] for name in codes}
        cpu: dict[str, list[float]] = {name: [] for name in codes}
        answers: dict[str, str] = {}
        for _ in range(rounds):
            for name, code in codes.items():
                took, used, answers[name] = cold(code)
                seconds[name].append(took)
                cpu[name].append(used)
    assert answers["store, plain artefact"] == answers["mlflow.pyfunc"], answers
    print(f"cold process to the first answer, n = {rounds}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'':<24}{'median s':>10}{'min s':>8}{'max s':>8}{'CPU s':>8}{'ratio':>8}")
    ours = median(seconds["store, plain artefact"])
    for name, values in seconds.items():
        figures = f"{median(values):>10.2f}{min(values):>8.2f}{max(values):>8.2f}{median(cpu[name]):>8.2f}"
        print(f"{name:<24}{figures}{median(values) / ours:>8.2f}")
    bounds = Bounds()
    bounds.must(f"store, first answer < {MUST_SECONDS:.0f} s", f"{ours:.2f} s", met=ours < MUST_SECONDS)
    bounds.aim(f"store, first answer <= {AIM_SECONDS:.0f} s", f"{ours:.2f} s", met=ours <= AIM_SECONDS)
    return bounds.report()


if __name__ == "__main__":
    raise SystemExit(main())
