"""matplotlib figures as SVG inside a page: text stays text, colours and font are the page's.

Figures are drawn in five stand-in colours, which become CSS variables, so that one picture serves
light, dark and print. The bytes depend on the drawing alone: fixed hash salt, no date, coordinates
in hundredths of a point.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, LINE, ACCENT, SOFT = "#101112", "#707172", "#c0c1c2", "#0a7a5b", "#90c0b1"
_VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent", SOFT: "accent-soft"}

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "emamba",
    "path.simplify": False,
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.linewidth": 0.8,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.4,
}


def inline(figure: Figure, name: str, label: str) -> str:
    """`figure` as an <svg> element; `name` keeps its ids apart from other figures', `label` is read aloud."""
    written = io.StringIO()
    figure.savefig(
        written, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
    )
    width, height = (72 * inches for inches in figure.get_size_inches())
    body = written.getvalue()
    body = body[body.index(">", body.index("<svg")) + 1 :]
    opening = (
        f'<svg class="chart" style="width: {4 / 3 * width:.0f}px" viewBox="0 0 {width:g} {height:g}" '
        f'role="img" aria-label="{label}">'
    )
    return opening + _coloured(_named(_stripped(body), name))


def _stripped(body: str) -> str:
    """Without comments, metadata, matplotlib's own style sheet and fonts, and needless digits and space."""
    for pattern in (r"<!--.*?-->", r"<metadata>.*?</metadata>", r"<style.*?</style>", r"font-family:[^;]*;"):
        body = re.sub(pattern, "", body, flags=re.DOTALL)
    return re.sub(r"<[^>]+>\s*", lambda tag: _short(tag[0]), body)


def _short(tag: str) -> str:
    """A tag with coordinates in hundredths; text between tags, such as axis labels, keeps its digits."""
    tag = re.sub(r"(\d\.\d\d)\d+", r"\1", tag)
    return re.sub(r"\s+", " ", tag).strip()


def _named(body: str, name: str) -> str:
    """Ids that something refers to get the prefix `name`; the others go."""
    body = body.replace("xlink:href", "href")
    used = set(re.findall(r'(?:href="|url\()#([\w.-]+)', body))
    body = re.sub(r' id="([\w.-]+)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    return re.sub(r'(href="|url\()#', rf"\g<1>#{name}-", body)


def _coloured(body: str) -> str:
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var(--{variable})")
    return body
