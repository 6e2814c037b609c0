"""What does a trained variant look like? Confusion matrix, precision against recall, and its strongest terms, as PNG.

Figures are made without pyplot, so nothing is global, no display is looked for and nothing has to be closed.
"""

import io
import logging
from collections.abc import Sequence
from functools import cache
from typing import Final

# Its first import on a machine says that fonts are being listed; that is no news to whoever trains a model.
logging.getLogger("matplotlib").setLevel(logging.ERROR)

from matplotlib.axes import Axes  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.font_manager import findfont, get_font  # noqa: E402

from autoretrain.domain.messages import Label  # noqa: E402
from autoretrain.ml.evaluation import curve_of, evaluate  # noqa: E402

_HAM, _SPAM, _GREY = "#2f6f9f", "#b5452c", "#555555"
_DOTS_PER_INCH: Final = 100
_LONGEST_TERM: Final = 28
_FONT: Final = "DejaVu Sans"  # comes with Matplotlib, so every machine has it


def draw_confusion_matrix(labels: Sequence[Label], predictions: Sequence[Label], *, title: str) -> bytes:
    """Counts of true against predicted class, with each row's share."""
    figure, axes = _figure(4.4, 3.8, title=title, left=0.7)
    classes = (Label.HAM, Label.SPAM)
    pairs = list(zip(labels, predictions, strict=True))
    counts = [[sum(pair == (true, said) for pair in pairs) for said in classes] for true in classes]
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for y, row in enumerate(counts):
        for x, count in enumerate(row):
            share = shares[y][x]
            colour = "white" if share > 0.5 else "black"
            axes.text(x, y, f"{count:,}\n{share:.1%}", ha="center", va="center", color=colour, fontsize=12)
    axes.set_xticks(range(2), [label.value for label in classes])
    axes.set_yticks(range(2), [label.value for label in classes])
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return _png(figure)


def draw_precision_recall(
    labels: Sequence[Label], scores: Sequence[float], *, predictions: Sequence[Label], title: str
) -> bytes:
    """The attainable pairs, and the one that was chosen. Raises ValueError unless there are rows of both classes."""
    curve = curve_of(labels, scores)
    chosen = evaluate(labels, predictions, scores=scores)
    figure, axes = _figure(4.8, 3.8, title=title, left=0.7)
    axes.step(curve.recall, curve.precision, where="post", color=_HAM, linewidth=1.6)
    axes.plot([chosen.recall], [chosen.precision], "o", color=_SPAM, label=f"threshold: F1 {chosen.f1:.3f}")
    axes.set_xlim(0.0, 1.01)
    axes.set_ylim(0.0, 1.02)
    axes.set_xlabel("recall of spam")
    axes.set_ylabel("precision")
    axes.grid(alpha=0.25)
    axes.legend(loc="lower left", frameon=False, title=f"area {chosen.pr_auc:.4f}")
    return _png(figure)


def draw_top_terms(terms: Sequence[tuple[str, float]], *, title: str) -> bytes:
    """Terms with their weight, strongest first; positive ones speak for spam, negative ones for ham."""
    figure, axes = _figure(5.6, 0.9 + 0.24 * max(1, len(terms)), title=title, left=2.3)
    ordered = sorted(terms, key=lambda item: item[1])
    weights = [weight for _, weight in ordered]
    axes.barh(range(len(ordered)), weights, color=[_SPAM if weight > 0 else _HAM for weight in weights])
    axes.set_yticks(range(len(ordered)), [_readable(term) for term, _ in ordered], fontsize=8, fontfamily=_FONT)
    axes.axvline(0.0, color=_GREY, linewidth=0.8)
    axes.set_xlabel("weight: ham < 0 < spam")
    return _png(figure)


def _readable(term: str) -> str:
    # A dollar sign would start a formula. Spaces at the ends of a character n-gram are part of it, so they are shown.
    shown = term.replace(" ", "␣") if term != term.strip() else term
    shown = shown if len(shown) <= _LONGEST_TERM else shown[: _LONGEST_TERM - 1] + "…"
    return "".join(_drawable(character) for character in shown).replace("$", r"\$")


@cache
def _drawable(character: str) -> str:
    """The character, or its number where the font has no picture of it."""
    known = character.isprintable() and get_font(findfont(_FONT)).get_char_index(ord(character))
    return character if known else f"U+{ord(character):04X}"


def _figure(width: float, height: float, *, title: str, left: float) -> tuple[Figure, Axes]:
    """Axes with margins in inches. To let Matplotlib find the margins would draw everything twice."""
    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH)
    bottom, top, right = 0.5, 0.3, 0.2
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height))
    axes.set_title(title, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    # `savefig` would draw everything twice, to measure it first.
    FigureCanvasAgg(figure).print_png(out)
    return out.getvalue()
