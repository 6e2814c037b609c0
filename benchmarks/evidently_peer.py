"""What does evidently say of each window? `drift_evidently.py` runs this where evidently is, and nothing of ours.

Takes a file {"texts": [...], "scores": [...], "windows": [[[text, score], ...], ...]}, the first two being the
references; prints one JSON object.
"""

import json
import resource
import sys
import time
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics import ValueDrift

IMPORTED = time.process_time()
DEFINITIONS = {
    "text": DataDefinition(text_columns=["text"]),
    "score": DataDefinition(numerical_columns=["score"]),
}


def dataset(column: str, values: list[object]) -> Dataset:
    return Dataset.from_pandas(pd.DataFrame({column: values}), data_definition=DEFINITIONS[column])


def drifted(column: str, values: list[object], reference: Dataset) -> tuple[bool, str]:
    """Return evidently's verdict by its default for such a column, and what that default is."""
    report = Report([ValueDrift(column=column)]).run(dataset(column, values), reference)
    (metric,) = report.dict()["metrics"]
    method, threshold = metric["config"]["method"], metric["config"]["threshold"]
    value = float(metric["value"])
    return value < threshold if "p_value" in method else value > threshold, f"{method}, {threshold}"


def main() -> None:
    question = json.loads(Path(sys.argv[1]).read_text())
    references = {"text": dataset("text", question["texts"]), "score": dataset("score", question["scores"])}
    said: dict[str, list[float]] = {"text": [], "score": []}
    methods = set()
    started = time.process_time()
    for rows in question["windows"]:
        for number, (column, reference) in enumerate(references.items()):
            verdict, method = drifted(column, [row[number] for row in rows], reference)
            said[column].append(verdict)
            methods.add(f"{column}: {method}")
    spent = time.process_time() - started
    print("evidently's defaults: " + "; ".join(sorted(methods)), file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cost = {"cpu_seconds": [spent / len(question["windows"])], "import_cpu_seconds": [IMPORTED], "peak_mib": [peak]}
    print(json.dumps(said | cost))


if __name__ == "__main__":
    main()
