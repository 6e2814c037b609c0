"""Which documents must be refused? The table `spec_cases.yaml`, for the library here and an API server elsewhere."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

VALID_TEXT = """\
apiVersion: autoretrain.dev/v1alpha1
kind: SpamModel
metadata: {name: sms-spam}
spec:
  data: {file: {path: messages.tsv}}
"""
VALID: dict[str, Any] = yaml.safe_load(VALID_TEXT)


@dataclass(frozen=True)
class Case:
    name: str
    document: dict[str, Any]
    path: str
    says: str
    here_only: bool


def load_cases() -> list[Case]:
    rows = yaml.load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"), Loader=_TextKeys)
    return [_build(row) for row in rows]


class _TextKeys(yaml.SafeLoader):
    """YAML whose names are text: `on` is the name "true", as Kubernetes has it."""

    def construct_mapping(self, node, deep=False):
        mapping = super().construct_mapping(node, deep=deep)
        return {{True: "true", False: "false"}.get(key, key): value for key, value in mapping.items()}


def _build(row: dict[str, Any]) -> Case:
    document = copy.deepcopy(VALID)
    for path in row.get("without", ()):
        *parents, last = path.split(".")
        place = document["spec"]
        for parent in parents:
            place = place[parent]
        del place[last]
    _merge(document, {part: row[part] for part in ("metadata", "spec") if part in row})
    return Case(row["name"], document, row["path"], row["says"], row.get("here_only", False))


def _merge(target: dict[str, Any], changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(target[name], value)
        else:
            target[name] = value
