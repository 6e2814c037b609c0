"""How long does a whole training run take, with its registry, and where does the time go?

Each round is `python src/train.py` in a new directory: imports, an empty MLflow database, the default search, pictures,
drift references, registration. Stages are timed by the lines that the process prints. CPU time stands beside wall time:
on a machine that others use too, the first is what the run costs.

    python benchmarks/training.py [--data FILE] [--rounds 3] [--profile WordAndCharacter]
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
from real_messages import data_dir

ROOT = Path(__file__).resolve().parent.parent
MUST_SECONDS, AIM_SECONDS = 120.0, 30.0
DOCUMENT = """\
apiVersion: autoretrain.dev/v1alpha1
kind: SpamModel
metadata: {{name: benchmark}}
spec:
  data: {{file: {{path: "{data}"}}}}
  training: {{profile: {profile}}}
"""


def run_once(data: Path, *, profile: str) -> tuple[dict[str, float], float, float]:
    """Seconds of each stage, of the whole, and of CPU."""
    with tempfile.TemporaryDirectory(prefix="autoretrain-benchmark-") as directory:
        document = Path(directory) / "model.yaml"
        document.write_text(DOCUMENT.format(data=data, profile=profile))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTORETRAIN_")}
        environment.pop("MLFLOW_TRACKING_URI", None)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "src" / "train.py"), "--file", str(document), "--json"],
            cwd=directory, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        stages: dict[str, float] = {}
        name, since, lines = "Start and read the data", started, []
        for line in process.stderr:
            lines.append(line)
            if not line.startswith(" "):
                stages[name] = time.perf_counter() - since
                name, since = line.strip(), time.perf_counter()
        if process.wait(timeout=300) != 0:
            sys.exit("the run failed:\n" + "".join(lines))
        ended = time.perf_counter()
        stages[name] = ended - since
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return stages, ended - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_dir() / "SMSSpamCollection")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", default="WordAndCharacter", choices=["Word", "WordAndCharacter"])
    arguments = parser.parse_args()
    if not arguments.data.exists():
        sys.exit(f"{arguments.data} is not there; name a file of labelled messages with --data")
    rounds = [run_once(arguments.data.resolve(), profile=arguments.profile) for _ in range(arguments.rounds)]
    print(f"whole run, profile {arguments.profile}, {arguments.data.name}, n = {len(rounds)}, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    print(f"{'stage':<28}{'median s':>10}{'min s':>8}{'max s':>8}")
    for stage in rounds[0][0]:
        seconds = [stages[stage] for stages, _, _ in rounds]
        print(f"{stage:<28}{median(seconds):>10.2f}{min(seconds):>8.2f}{max(seconds):>8.2f}")
    walls, cpus = [wall for _, wall, _ in rounds], [cpu for _, _, cpu in rounds]
    print(f"{'whole run, wall':<28}{median(walls):>10.2f}{min(walls):>8.2f}{max(walls):>8.2f}")
    print(f"{'whole run, CPU':<28}{median(cpus):>10.2f}{min(cpus):>8.2f}{max(cpus):>8.2f}")
    whole, bounds = median(walls), Bounds()
    bounds.must(f"whole run, wall < {MUST_SECONDS:.0f} s", f"{whole:.1f} s", met=whole < MUST_SECONDS)
    bounds.aim(f"whole run, wall <= {AIM_SECONDS:.0f} s", f"{whole:.1f} s", met=whole <= AIM_SECONDS)
    return bounds.report()


if __name__ == "__main__":
    raise SystemExit(main())
