"""Rows as bars, an SVG. Pure.

Written here and not by a plotting library: bars need sixty lines, a library as large as all of daemun's dependencies
together, and a plain file is compared by git line by line.
"""

import collections.abc
import html

from bench import figures, report

_WIDTH = 900
_LEFT = 190
_RIGHT = 150
_BAR = 16
_STEP = 22
_HEAD = 34
_OURS = "#0b6e4f"
_OTHERS = "#9aa5b1"
_INK = "#1f2933"


def write(title: str, rows: collections.abc.Sequence[figures.Row]) -> str:
    """One group of bars a row: the medians, and a line from the lowest to the highest figure."""
    shown = [row for row in rows if any(row.series.values())]
    height = 40 + sum(_HEAD + _STEP * len(_bars(row)) for row in shown) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="13" role="img">',
        f"<title>{html.escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(12, 26, title, size=17),
    ]
    top = 40
    for row in shown:
        lines += _row(row, top)
        top += _HEAD + _STEP * len(_bars(row))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _bars(row: figures.Row) -> list[tuple[str, figures.Spread]]:
    return [(name, figures.spread(values)) for name, values in row.series.items() if values]


def _row(row: figures.Row, top: int) -> list[str]:
    bars = _bars(row)
    most = max(spread.most for _, spread in bars) or 1.0
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    lines = [_text(12, top + 22, f"{row.what}, {row.unit}", weight="bold")]
    for number, (name, spread) in enumerate(bars):
        y = top + _HEAD + _STEP * number
        end = _LEFT + spread.median * scale
        middle = y + _BAR / 2
        colour = _OURS if name.startswith("daemun") else _OTHERS
        lines += [
            _text(_LEFT - 8, y + 13, name, anchor="end"),
            f'<rect x="{_LEFT}" y="{y}" width="{end - _LEFT:.1f}" height="{_BAR}" fill="{colour}"/>',
            f'<path d="M{_LEFT + spread.least * scale:.1f} {middle}H{_LEFT + spread.most * scale:.1f}" '
            f'stroke="{_INK}" stroke-width="1.5"/>',
            _text(round(_LEFT + spread.most * scale) + 8, y + 13, report.number(spread.median)),
        ]
    return lines


def _text(x: int, y: int, text: str, *, size: int = 13, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x}" y="{y}" fill="{_INK}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">'
        f"{html.escape(text)}</text>"
    )
