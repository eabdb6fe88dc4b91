"""RESULTS.md from what was measured. Pure."""

import collections.abc
import fractions
import itertools
import math

from bench import figures, saved


def number(value: float) -> str:
    """Three digits that mean something: "0.0123", "12.3", "12,300"."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    return f"{round(value, 2 - magnitude):,.{max(0, 2 - magnitude)}f}"


def limit(value: float) -> str:
    """ "1.05", "1/3"."""
    fraction = fractions.Fraction(value).limit_denominator(20)
    if fraction.numerator == 1 and math.isclose(fraction, value):
        return str(fraction)
    return f"{value:,g}"


def write(parts: collections.abc.Sequence[saved.Saved], further: collections.abc.Sequence[str] = ()) -> str:
    """further: sections that are Markdown already."""
    verdicts = [verdict for part in parts for row in part.section.rows for verdict in figures.judge(row)]
    counted = {outcome: sum(verdict.outcome is outcome for verdict in verdicts) for outcome in figures.Outcome}
    counts = ", ".join(f"{count} {outcome.value}" for outcome, count in counted.items() if count)
    lines = [
        "# Results",
        "",
        "Written by `make bench`; see [CONTRIBUTING.md](../CONTRIBUTING.md#benchmarks). Figures are medians of the",
        "rounds, with the lowest and the highest in brackets; a ratio is the median of those within each round. Less",
        "is better.",
    ]
    if verdicts:
        lines += ["", f"Targets: {counts}."]
    for part in parts:
        lines += ["", *_section(part)]
    for text in further:
        lines += ["", text.strip()]
    return "\n".join(lines) + "\n"


def _section(part: saved.Saved) -> list[str]:
    section, on = part.section, part.machine
    lines = [f"## {section.title}", "", section.about.strip(), "", f"    {part.command}", ""]
    lines += [
        f"{on.date}, daemun at {on.commit}. {on.processor}, {on.cores} cores, {number(on.memory_gib)} GiB,",
        f"{on.kernel}, Python {on.python}; load {on.load:g} before it began.",
        "",
    ]
    if section.versions:
        lines += ["Versions: " + ", ".join(f"{name} {is_}" for name, is_ in section.versions.items()) + ".", ""]
    if section.two_modes:
        lines += ["**The figures of these are luck, and none of them holds: two modes.**", ""]
        lines += [*(f"- {one}" for one in section.two_modes), ""]
    lines += [f"![{section.title}](results/{section.name}.svg)", ""]
    for contestants, rows in itertools.groupby(section.rows, key=lambda row: tuple(row.series)):
        lines += [*_table(contestants, list(rows)), ""]
    lines += _targets(section)
    lines += [f"- {note}" for note in section.notes]
    while lines[-1] == "":
        lines.pop()
    return lines


def _table(contestants: tuple[str, ...], rows: list[figures.Row]) -> list[str]:
    lines = [_line("", "", *contestants), _line(*["---"] * (len(contestants) + 2))]
    for row in rows:
        lines.append(_line(row.what, row.unit, *(_shown(row.series, name) for name in contestants)))
        for unit, series in row.beside.items():
            lines.append(_line("", unit, *(_shown(series, name, brief=True) for name in contestants)))
    return lines


def _shown(series: figures.Series, name: str, *, brief: bool = False) -> str:
    values = series.get(name, ())
    if not values:
        return "–"
    spread = figures.spread(values)
    if brief or len(values) == 1:
        return number(spread.median)
    return f"**{number(spread.median)}** ({number(spread.least)}–{number(spread.most)})"


def _targets(section: figures.Section) -> list[str]:
    verdicts = [verdict for row in section.rows for verdict in figures.judge(row, section.limit)]
    if not verdicts:
        return []
    lines = [["target", "", "to reach", "measured", ""], ["---"] * 5, *map(_verdict, verdicts)]
    if section.limit is not None:
        besides = [section.limit, "---", *(_measured(one.for_limit, one.target) for one in verdicts)]
        lines = [[*line, beside] for line, beside in zip(lines, besides, strict=True)]
    return [*(_line(*line) for line in lines), ""]


def _verdict(verdict: figures.Verdict) -> list[str]:
    target = verdict.target
    times = "" if target.of is None else " ×"
    where = ", the worst" if target.everywhere else ""
    reach = f"≤ {limit(target.most)}{times} {target.of or verdict.row.unit}{where}"
    outcome = verdict.outcome.value
    if verdict.outcome is figures.Outcome.MISSED:
        outcome = f"**{outcome}**"
    return [verdict.row.what, target.subject, reach, _measured(verdict.measured, target), outcome]


def _measured(value: float | None, target: figures.Target) -> str:
    return "–" if value is None else number(value) + ("" if target.of is None else " ×")


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
