"""What a person reads in the terminal: the welcome box, the check's table, a status."""

from collections.abc import Sequence

from autoretrain.adapters.settings import Settings

EXAMPLE = "WINNER! Claim your free prize now, text YES to 80082"


def welcome(settings: Settings, *, trained_on: str, notes: Sequence[str], with_dashboard: bool) -> str:
    """Return the box that a start ends with; `notes` are what to know of the champion's data."""
    base = f"http://{settings.host}:{settings.serving_port}"
    rows = [
        f"API        {base}/docs",
        f"MLflow     http://{settings.host}:{settings.mlflow_port}",
        *([f"Dashboard  http://{settings.host}:{settings.dashboard_port}"] if with_dashboard else []),
        f"Data       {trained_on}",
        *(f"           {note}" for note in notes),
        "",
        "Try:",
        f"  curl -X POST {base}/predict -H 'Content-Type: application/json' \\",
        f'    -d \'{{"message": "{EXAMPLE}"}}\'',
        "",
        "Ctrl-C stops everything",
    ]
    return boxed(rows)


def boxed(rows: list[str]) -> str:
    width = max(map(len, rows))
    body = "\n".join(f"│ {row.ljust(width)} │" for row in rows)
    return f"\n┌{'─' * (width + 2)}┐\n{body}\n└{'─' * (width + 2)}┘\n\n"
