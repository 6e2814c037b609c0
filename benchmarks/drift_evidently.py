"""Is the drift that we measure found by evidently, too? The same windows for both, each against the same rows.

Our reference is the held-out part of the champion's training file. evidently gets the whole file for the text, so that
its default for more than 1,000 rows holds, a domain classifier (ROC AUC > 0.55); and for the champion's scores the
held-out part, since a model scores what it was fitted on otherwise: its default there is the Kolmogorov-Smirnov test
(p < 0.05). Windows of 250: those of the streams, and undrifted ones drawn from `uci_holdout_A.csv`. evidently needs
another pandas than we have, so uv runs it in an environment of its own, which it fetches: 1 GB.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
from bounds import clopper_pearson
from drift_champion import WINDOW, Champion
from drift_streams import BOTH, SPAM_ONLY
from real_messages import data_dir, read_csv, read_stream, read_truth

from autoretrain.domain.messages import LabelledMessage
from autoretrain.ml.drift.calibration import THRESHOLD
from autoretrain.ml.splits import in_holdout

PEER = Path(__file__).with_name("evidently_peer.py")
PACKAGES = ("evidently==0.7.23", "pandas<3")
UNDRIFTED = "no drift, drawn from held-out rows"
LONGEST_SECONDS = 7200


def group_of(kind: str, *, drift: bool) -> str:
    if not drift:
        return "no drift, whole streams"
    if kind in BOTH:
        return "both classes drift"
    return "only spam drifts" if kind in SPAM_ONLY else "only ham drifts"


def windows_of(data: Path, *, drawn: int, seed: int) -> list[tuple[str, list[LabelledMessage]]]:
    """Each window that is to be judged, with its group."""
    windows = []
    for name, stream in sorted(read_truth(data).items()):
        rows = read_stream(data, name)
        for window in stream["windows"]:
            if stream["kind"] != "prior_shift" and window["drift"] is not None:
                group = group_of(stream["kind"], drift=window["drift"])
                windows.append((group, rows[window["start"] : window["end"]]))
    holdout, rng = read_csv(data / "uci_holdout_A.csv"), np.random.default_rng(seed)
    for _ in range(drawn):
        chosen = rng.choice(len(holdout), size=WINDOW, replace=False)
        windows.append((UNDRIFTED, [holdout[index] for index in chosen]))
    return windows


def ask_peer(command: list[str], question: dict[str, object]) -> dict[str, list[float]]:
    """Return what evidently says: for each window whether `text` and `score` drifted, and what it cost."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "question.json"
        path.write_text(json.dumps(question))
        done = subprocess.run(
            [*command, str(PEER), str(path)], check=True, stdout=subprocess.PIPE, timeout=LONGEST_SECONDS
        )
    answer: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawn", type=int, default=200, help="undrifted windows drawn from held-out rows")
    parser.add_argument("--peer-python", help="a Python that has evidently; default: uv makes one")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data = data_dir()
    if not (data / "truth_dev.json").exists():
        sys.exit(f"no measurement data in {data}; set AUTORETRAIN_DATA_DIR")
    train = read_csv(data / "uci_train_A.csv")
    champion = Champion.of(train, seed=options.seed)
    windows = windows_of(data, drawn=options.drawn, seed=options.seed)
    texts = [[row.text for row in rows] for _, rows in windows]
    scores = {text: champion.model.score(text) for text in {*chain(*texts), *(row.text for row in train)}}

    started = time.process_time()
    ours = [champion.report(window, scores).score > THRESHOLD for window in texts]
    seconds = (time.process_time() - started) / len(windows)

    uv = [sys.executable, "-m", "uv", "run", "--no-project", *(part for name in PACKAGES for part in ("--with", name))]
    question = {
        "texts": [row.text for row in train],
        "scores": [scores[row.text] for row in train if in_holdout(row.text)],
        "windows": [[[text, scores[text]] for text in window] for window in texts],
    }
    said = ask_peer([options.peer_python] if options.peer_python else [*uv, "python"], question)

    print(f"seed {options.seed}; windows of {WINDOW} with an alarm, each by itself")
    print(f"{'':38}{'ours':16}{'evidently text':16}{'its scores':16}{'either':16}")
    for group, total in Counter(group for group, _ in windows).items():
        mine = [index for index, (name, _) in enumerate(windows) if name == group]
        ways = (
            [bool(ours[index]) for index in mine],
            [bool(said["text"][index]) for index in mine],
            [bool(said["score"][index]) for index in mine],
            [bool(said["text"][index] or said["score"][index]) for index in mine],
        )
        print(f"{group:38}" + "".join(f"{f'{sum(way)}/{total}':16}" for way in ways))
        if group == UNDRIFTED:
            print(f"{'  95 % at most':38}" + "".join(f"{clopper_pearson(sum(way), total)[1]:<16.1%}" for way in ways))
    print(f"CPU a window: ours {seconds * 1e3:.0f} ms, evidently {said['cpu_seconds'][0] * 1e3:.0f} ms")
    print(f"evidently: import {said['import_cpu_seconds'][0]:.1f} s CPU, peak {said['peak_mib'][0]:.0f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
