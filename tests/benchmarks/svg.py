"""A plot of bars, written out by hand: a README shows it as it is, in a light and in a dark page."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

_COLOURS = (
    "#8c8c8c",
    "#c9b458",
    "#5b8dd9",
    "#4c72b0",
    "#937ab5",
    "#dd8452",
    "#55a868",
    "#b5b5b5",
    "#da8bc3",
    "#c44e52",
    "#64b5cd",
    "#1b7f79",
)
_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _HEAD = 860, 250, 90, 18, 10, 34
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600;font-size:14px}.s{fill:#59636e}"
    "line{stroke:#d1d9e0}@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.s{fill:#9198a1}line{stroke:#3d444d}}"
)


@dataclass(frozen=True)
class Bar:
    """`parts`: (what, how much), from left to right; `note` stands behind it."""

    label: str
    parts: list[tuple[str, float]]
    note: str

    @property
    def total(self) -> float:
        """Its length."""
        return sum(value for _, value in self.parts)


def plot(charts: list[tuple[str, list[Bar]]]) -> str:
    """The charts below each other; each has a scale of its own and starts at zero."""
    body: list[str] = []
    top = 10
    for title, bars in charts:
        lines, top = _chart(title, bars, top)
        body += lines
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}" '
        f'role="img"><style>{_STYLE}</style>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _chart(title: str, bars: list[Bar], top: int) -> tuple[list[str], int]:
    scale = (_WIDTH - _LEFT - _RIGHT) / max((bar.total for bar in bars), default=1.0)
    lines = [f'<text class="t" x="10" y="{top + 16}">{escape(title)}</text>']
    names = list(dict.fromkeys(name for bar in bars for name, _ in bar.parts))
    y = top + _HEAD
    for bar in bars:
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(bar.label)}</text>')
        x = float(_LEFT)
        for name, value in bar.parts:
            width = max(value, 0.0) * scale
            colour = _COLOURS[names.index(name) % len(_COLOURS)]
            hover = escape(f"{name}: {value:.1f} ms")
            lines.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}">'
                f"<title>{hover}</title></rect>"
            )
            x += width
        lines.append(f'<text class="s" x="{x + 6:.1f}" y="{y + 13}">{escape(bar.note)}</text>')
        y += _BAR + _GAP
    lines.append(f'<line x1="{_LEFT}" x2="{_LEFT}" y1="{top + _HEAD - 4}" y2="{y - 4}"/>')
    if len(names) > 1:
        legend, y = _legend(names, y)
        lines += legend
    return lines, y + 14


def _legend(names: list[str], y: int) -> tuple[list[str], int]:
    lines, x = [], 10
    for number, name in enumerate(names):
        if x + 14 + 7 * len(name) > _WIDTH:
            x, y = 10, y + 18
        colour = _COLOURS[number % len(_COLOURS)]
        lines.append(f'<rect x="{x}" y="{y}" width="10" height="10" fill="{colour}"/>')
        lines.append(f'<text class="s" x="{x + 14}" y="{y + 10}">{escape(name)}</text>')
        x += 24 + 7 * len(name)
    return lines, y + 22
