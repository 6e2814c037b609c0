"""How a YAML file becomes the object that `kubectl apply` would send, with the line of whatever is wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from autoretrain.domain.errors import InvalidSpec, Problem

MAX_BYTES = 1_048_576


class _KubernetesLoader(yaml.SafeLoader):
    """Safe YAML as Kubernetes reads it: names are text, dates stay text, and nothing is said twice."""


def _construct_mapping(loader: _KubernetesLoader, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        name = {True: "true", False: "false"}[key] if isinstance(key, bool) else str(key)
        if not isinstance(key_node, yaml.ScalarNode) or name in mapping:
            problem = f'"{name}" is already set above' if name in mapping else "a name must be text"
            raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
        mapping[name] = loader.construct_object(value_node, deep=True)
    return mapping


def _construct_text(loader: _KubernetesLoader, node: yaml.ScalarNode) -> str:
    return loader.construct_scalar(node)


_KubernetesLoader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:timestamp", _construct_text)


def load_document(path: Path) -> dict[str, Any]:
    """Return the one document in the YAML file `path`. Raises InvalidSpec, with the line where there is one."""
    return parse_document(read_document(path), path)


def read_document(path: Path) -> str:
    """Return the text of the file `path`. Raises InvalidSpec where it is none that could be a document."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _invalid(path, f"is larger than {MAX_BYTES} bytes, which no API server would take")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise _invalid(path, f"can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise _invalid(path, f"is not UTF-8: byte {error.start} can't be decoded") from None


def parse_document(text: str, path: Path) -> dict[str, Any]:
    """Return the one document in `text`, the content of `path`. Raises InvalidSpec as load_document does."""
    try:
        # Safe: the loader is a SafeLoader with stricter mappings.
        documents = [document for document in yaml.load_all(text, Loader=_KubernetesLoader) if document is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        hint = "; write a value that starts with * or @ in quotes" if _starts_with_indicator(text, mark) else ""
        raise _invalid(path, f"{error.problem}{hint}", line=mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        raise _invalid(path, str(error)) from None
    if len(documents) != 1:
        raise _invalid(path, "is empty" if not documents else f"holds {len(documents)} documents; one is needed")
    if not isinstance(documents[0], Mapping):
        raise _invalid(path, "is not a SpamModel document: it must start with apiVersion, kind, metadata and spec")
    return dict(documents[0])


def _starts_with_indicator(text: str, mark: yaml.Mark | None) -> bool:
    """Say whether `mark` is in a value such as an unquoted cron expression, which YAML takes for an alias."""
    if mark is None:
        return False
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    return line.partition(":")[2].strip().startswith(("*", "@"))


def _invalid(path: Path, message: str, *, line: int | None = None) -> InvalidSpec:
    return InvalidSpec((Problem(str(path) if line is None else f"{path}, line {line}", message),))
