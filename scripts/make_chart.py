"""Write what the Helm chart has from elsewhere: copies of manifests, the tables of its values and of connections.

A test compares them. Run it after a change of manifests/, of the chart's values.yaml or of its connections.yaml.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
CHART: Final = ROOT / "helm" / "autoretrain"
COPIES: Final = {
    "manifests/crd.yaml": "crd.yaml",
    "manifests/crd-decision.yaml": "crd-decision.yaml",
    "manifests/postgresql/roles.sql": "roles.sql",
    "manifests/prometheus/pods.yml": "pods.yml",
    "manifests/prometheus/prometheus.yml": "prometheus.yml",
    "manifests/prometheus/rules.yml": "rules.yml",
    "manifests/samples/sms-spam.yaml": "sms-spam.yaml",
}
"""File of the repository: its name in the chart's files/. A chart can't reach beyond its own directory."""


def render_values(text: str) -> str:
    """Return the table of the values in `text`. Raises ValueError where a value has no comment above it."""
    rows = ["| value | default | meaning |", "|---|---|---|"]
    for path, default, comment in _values(yaml.compose(text), text.splitlines(), path=""):
        shown = f"`{default}`" if default is not None else ""
        rows.append(f"| `{path}` | {shown} | {comment.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


def _values(node: yaml.MappingNode, lines: Sequence[str], *, path: str) -> Iterator[tuple[str, str | None, str]]:
    for key, value in node.value:
        where = f"{path}{key.value}"
        comment = _comment_above(key.start_mark.line, lines)
        if _is_section(value, lines):
            if comment:
                yield where, None, comment
            yield from _values(value, lines, path=f"{where}.")
        elif not comment:
            raise ValueError(f"values.yaml: {where} has no comment above it")
        else:
            default = yaml.safe_load(yaml.serialize(value))
            yield where, yaml.safe_dump(default, default_flow_style=True, width=999).split("\n...")[0].strip(), comment


def _is_section(node: yaml.Node, lines: Sequence[str]) -> bool:
    """A map whose entries are values of their own, so each with a comment or a section again."""
    if not isinstance(node, yaml.MappingNode) or not node.value:
        return False
    return any(_comment_above(key.start_mark.line, lines) or _is_section(value, lines) for key, value in node.value)


def _comment_above(line: int, lines: Sequence[str]) -> str:
    found: list[str] = []
    while line > 0 and lines[line - 1].strip().startswith("#"):
        line -= 1
        found.insert(0, lines[line].strip().removeprefix("#").strip())
    return " ".join(found)


def render_connections(text: str) -> str:
    rows = ["| from | to | port | for |", "|---|---|---|---|"]
    rows += ["| {from} | {to} | {port} | {why} |".format(**each) for each in yaml.safe_load(text)["connections"]]
    return "\n".join(rows)


def with_table(page: Path, name: str, table: str) -> str:
    """Return the page's text with `table` between its two marks of that name. Raises ValueError without them."""
    begin, end = f"<!-- {name}: scripts/make_chart.py -->\n", f"\n<!-- end of {name} -->"
    new, number = re.subn(
        f"{re.escape(begin)}.*{re.escape(end)}", lambda _: f"{begin}\n{table}\n{end}", page.read_text(), flags=re.DOTALL
    )
    if number != 1:
        raise ValueError(f"{page}: there is not one place for {name}")
    return new


def render_files() -> dict[Path, str]:
    """Return every file that this writes, with its text."""
    readme, how_to = CHART / "README.md", ROOT / "docs" / "how-to" / "helm.md"
    return {
        **{CHART / "files" / name: (ROOT / source).read_text() for source, name in COPIES.items()},
        readme: with_table(readme, "values", render_values((CHART / "values.yaml").read_text())),
        how_to: with_table(how_to, "connections", render_connections((CHART / "files/connections.yaml").read_text())),
    }


def main() -> int:
    for path, text in render_files().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
