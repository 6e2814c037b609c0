"""Write the parts of docs/reference that follow from the code: settings, CRD fields, commands. A test compares them."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from autoretrain.adapters.settings import Settings
from autoretrain.cli.main import build_parser
from controller.settings import ControllerSettings

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"


def render_settings() -> str:
    rows = ["# Settings", "", "Environment variables, read once at start by every command.", ""]
    rows += _settings_of(Settings, prefix="AUTORETRAIN_")
    rows += [
        "",
        "## The operator",
        "",
        "The same for the controller, in `manifests/operator/deployment.yaml` or the chart's `operator.extraEnv`.",
        "",
    ]
    rows += _settings_of(ControllerSettings, prefix="AUTORETRAIN_CONTROLLER_")
    return "\n".join(rows) + "\n"


def _settings_of(settings: type[BaseSettings], *, prefix: str) -> list[str]:
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in settings.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined) else str(field.default)
        # A field with one other name has that alone; one with several is read by its own name, too.
        variable = field.validation_alias if isinstance(field.validation_alias, str) else f"{prefix}{name.upper()}"
        rows.append(f"| `{variable}` | {f'`{default}`' if default else ''} | {field.description} |")
    return rows


def render_crd() -> str:
    crd = yaml.safe_load((ROOT / "manifests" / "crd.yaml").read_text())
    [version] = [v for v in crd["spec"]["versions"] if v["storage"]]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    rows = [
        "# SpamModel",
        "",
        "Fields of `spec`; decimals are strings, so they stand in quotes. The text of the contract is",
    ]
    rows += ["[manifests/crd.yaml](../../manifests/crd.yaml); the same rules hold on one machine.", ""]
    rows += ["| field | type | default | meaning |", "|---|---|---|---|"]
    rows += list(_fields(schema, path="spec"))
    rows += ["", "## Rules over several fields", ""]
    rows += [f"- `{path}`: {message}" for path, message in _rules(schema, path="spec")]
    return "\n".join(rows) + "\n"


def _fields(schema: Mapping[str, Any], *, path: str) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        where = f"{path}.{name}"
        inner = field["items"] if field.get("type") == "array" else field
        if not inner.get("properties"):
            yield f"| `{where}` | {_type(field)} | {_default(field)} | {field.get('description', '')} |"
            continue
        yield f"| `{where}` | {_type(field)} | | {field.get('description', '')} |"
        yield from _fields(inner, path=f"{where}[]" if inner is not field else where)


def _type(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return " / ".join(str(value) for value in field["enum"])
    bounds = [f"{name} {field[name]}" for name in ("minimum", "maximum") if name in field]
    return " ".join([str(field.get("type", "any")), *bounds])


def _default(field: Mapping[str, Any]) -> str:
    if "default" not in field or field["default"] in ("", {}):
        return ""
    default = field["default"]
    shown = yaml.safe_dump(default, default_flow_style=True).splitlines()[0] if isinstance(default, list) else default
    return f"`{shown}`"


def _rules(schema: Mapping[str, Any], *, path: str) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", []):
        yield path, rule.get("message", rule["rule"])
    for name, field in schema.get("properties", {}).items():
        yield from _rules(field, path=f"{path}.{name}")


def render_commands() -> str:
    rows = [
        "# Commands",
        "",
        "`autoretrain COMMAND --help` says the rest. Exit codes: 0 done, 1 failed, 2 wrong usage,",
    ]
    rows += ["64 bad data or document, 130 ended by Ctrl-C.", "", "| command | what it does |", "|---|---|"]
    [action] = [a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    rows += [f"| `autoretrain {choice.dest}` | {choice.help} |" for choice in action._choices_actions]
    clustered = [name for name, parser in action.choices.items() if "--context" in parser._option_string_actions]
    rows += ["", f"With `--context` or `--namespace`, these speak of a SpamModel on a cluster: {', '.join(clustered)}."]
    return "\n".join(rows) + "\n"


PAGES = {"settings.md": render_settings, "crd.md": render_crd, "commands.md": render_commands}


def main() -> int:
    """Write each page."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, render in PAGES.items():
        (REFERENCE / name).write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
