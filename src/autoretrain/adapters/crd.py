"""What does the resource definition say about a document? Defaults, structure and rules, as an API server applies them.

The text is `crd.yaml` beside this file, byte-equal to `manifests/crd.yaml`. Structure is checked by jsonschema and the
rules by a CEL library; only the order of the steps and the wording of the answers are ours, and follow Kubernetes'.
"""

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import cel
import jsonschema
import yaml
from jsonschema.exceptions import ValidationError

from autoretrain.domain.errors import Problem

Schema = Mapping[str, Any]


@cache
def resource_schema() -> Schema:
    """Return the schema of a whole SpamModel document, as `crd.yaml` has it. Not to be changed by callers."""
    text = resources.files("autoretrain.adapters").joinpath("crd.yaml").read_text(encoding="utf-8")
    schema: Schema = yaml.safe_load(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def apply_defaults(value: Any, schema: Schema) -> Any:
    """Return a copy of `value` with nulls dropped and defaults filled in. `value` may have any shape."""
    if isinstance(value, list):
        return [apply_defaults(item, schema.get("items", {})) for item in value]
    if not isinstance(value, Mapping):
        return value
    filled = {name: child for name, child in value.items() if child is not None or not _declares(schema, name)}
    for name, child in schema.get("properties", {}).items():
        if name not in filled and "default" in child:
            filled[name] = child["default"]
    return {name: apply_defaults(child, _child_schema(schema, name)) for name, child in filled.items()}


def without_defaults(value: Any, schema: Schema) -> Any:
    """Return a copy of `value` without what a default would fill in: what its author really said."""
    if isinstance(value, list):
        return [without_defaults(item, schema.get("items", {})) for item in value]
    if not isinstance(value, Mapping):
        return value
    said = {name: without_defaults(child, _child_schema(schema, name)) for name, child in value.items()}
    return {
        name: child
        for name, child in said.items()
        if "default" not in _child_schema(schema, name) or child != _child_schema(schema, name)["default"]
    }


def find_problems(resource: Mapping[str, Any], schema: Schema) -> list[Problem]:
    """Return everything that is wrong with `resource`, whose defaults were applied: unknown fields, structure, rules.

    A rule that can't be evaluated because the structure is broken says nothing; the structure's problem does.
    """
    nodes = list(_walk(resource, schema))
    unknown = [problem for node in nodes for problem in _unknown_fields(node)]
    structure = _structural_problems(resource, schema)
    structure += [problem for node in nodes for problem in _duplicates(node)]
    rules = [problem for node in nodes for problem in _broken_rules(node, lenient=bool(structure))]
    return unknown + structure + rules


# Where a value and its schema meet.


@dataclass(frozen=True, slots=True)
class _Node:
    """One value with the schema that holds for it; `path` is empty at the root."""

    path: str
    value: Any
    schema: Schema


def _walk(value: Any, schema: Schema, path: str = "") -> Iterator[_Node]:
    yield _Node(path, value, schema)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, schema.get("items", {}), f"{path}[{index}]")
    elif isinstance(value, Mapping):
        for name, child in value.items():
            yield from _walk(child, _child_schema(schema, name), _join(path, name))


def _child_schema(schema: Schema, name: str) -> Schema:
    found: Schema = schema.get("properties", {}).get(name) or schema.get("additionalProperties") or {}
    return found


def _declares(schema: Schema, name: str) -> bool:
    return name in schema.get("properties", {}) or "additionalProperties" in schema


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


# What an API server checks.


def _unknown_fields(node: _Node) -> Iterator[Problem]:
    known = node.schema.get("properties")
    free = "additionalProperties" in node.schema or "x-kubernetes-preserve-unknown-fields" in node.schema
    if known is None or free or not isinstance(node.value, Mapping):
        return
    for name in node.value:
        if name not in known:
            path = _join(node.path, name)
            yield Problem(path, f'unknown field "{path}"{_hint_for_name(name, known)}')


def _hint_for_name(name: str, known: Mapping[str, Any]) -> str:
    if name in {"true", "false"}:
        return "; YAML reads the words on, yes, off and no as true and false"
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _duplicates(node: _Node) -> Iterator[Problem]:
    kind = node.schema.get("x-kubernetes-list-type")
    if kind not in {"map", "set"} or not isinstance(node.value, list):
        return
    keys = node.schema.get("x-kubernetes-list-map-keys", ())
    seen: Counter[str] = Counter()
    for index, item in enumerate(node.value):
        name = str(item if kind == "set" else [item.get(key) for key in keys] if isinstance(item, Mapping) else index)
        if seen[name]:
            shown = item if kind == "set" else {key: item.get(key) for key in keys}
            yield Problem(f"{node.path}[{index}]", f"Duplicate value: {_quoted(shown)}")
        seen[name] += 1


def _broken_rules(node: _Node, *, lenient: bool) -> Iterator[Problem]:
    for rule in node.schema.get("x-kubernetes-validations", ()):
        try:
            holds = _program(rule["rule"]).execute({"self": node.value})
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            if not lenient:
                yield Problem(node.path, f"{rule['message']} (the rule could not be evaluated: {error})")
            continue
        if not holds:
            path = node.path + rule.get("fieldPath", "")
            message = " ".join(rule["message"].split())
            scalar = isinstance(node.value, str | int | float)
            yield Problem(path.lstrip("."), f"Invalid value: {_quoted(node.value)}: {message}" if scalar else message)


@cache
def _program(rule: str) -> Any:
    return cel.compile(rule)


def _structural_problems(resource: Mapping[str, Any], schema: Schema) -> list[Problem]:
    errors = sorted(_validator_class()(schema).iter_errors(resource), key=lambda error: error.json_path)
    wrong_type = {error.json_path for error in errors if error.validator == "type"}
    return [_translate(error) for error in errors if error.validator == "type" or error.json_path not in wrong_type]


@cache
def _validator_class() -> Any:
    """Return a validator whose patterns end where the text ends: in Python a `$` also matches before a last newline."""
    checks: Any = jsonschema.Draft202012Validator
    pattern = checks.VALIDATORS["pattern"]

    def whole_text(validator: Any, expression: str, value: Any, schema: Schema) -> Any:
        ended = expression[:-1] + r"\Z" if expression.endswith("$") else expression
        return pattern(validator, ended, value, schema)

    extend: Any = jsonschema.validators.extend
    return extend(checks, {"pattern": whole_text})


def _translate(error: ValidationError) -> Problem:
    """Say what jsonschema found in the words of an API server."""
    path = ""
    for step in error.absolute_path:
        path = f"{path}[{step}]" if isinstance(step, int) else _join(path, str(step))
    limit: Any = error.validator_value
    value: Any = error.instance
    own_schema: Any = error.schema
    match error.validator:
        case "required":
            missing = next(name for name in limit if name not in value and f"'{name}'" in error.message)
            return Problem(_join(path, missing), "Required value")
        case "type" | "anyOf":
            wanted = limit if isinstance(limit, str) else "integer or string"
            hint = _hint_for_type(value, wanted)
            return Problem(path, f'Invalid value: "{_type_name(value)}": must be of type {wanted}{hint}')
        case "enum":
            return Problem(
                path, f"Unsupported value: {_quoted(value)}: supported values: {', '.join(map(_quoted, limit))}"
            )
        case "maxLength":
            return Problem(path, f"Too long: may not be more than {limit} characters")
        case "maxItems" | "maxProperties":
            return Problem(path, f"Too many: {len(value)}: must have at most {limit} items")
        case "minItems" | "minProperties":
            return Problem(path, f"Invalid value: {len(value)}: should have at least {limit} items")
        case "minimum":
            return Problem(path, f"Invalid value: {value}: should be greater than or equal to {limit}")
        case "maximum":
            return Problem(path, f"Invalid value: {value}: should be less than or equal to {limit}")
        case "minLength":
            return Problem(path, f"Invalid value: {_quoted(value)}: should be at least {limit} chars long")
        case "pattern":
            example = f'; write it as "{own_schema["default"]}"' if "default" in own_schema else ""
            return Problem(path, f"Invalid value: {_quoted(value)}: should match '{limit}'{example}")
        case _:
            return Problem(path, error.message)


def _hint_for_type(value: Any, wanted: str) -> str:
    if wanted != "string":
        unquoted = isinstance(value, str) and value.strip().lstrip("-").isdigit()
        return f"; write it without quotes: {value.strip()}" if unquoted and wanted == "integer" else ""
    if isinstance(value, bool):
        return "; YAML reads the words on, yes, off and no as true and false: write it in quotes"
    return f'; write it in quotes: "{value}"' if isinstance(value, int | float) else ""


def _type_name(value: Any) -> str:
    names = {dict: "object", list: "array", bool: "boolean", int: "integer", float: "number", str: "string"}
    return names.get(type(value), "null")


def _quoted(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
