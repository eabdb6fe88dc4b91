"""What a measurement yields, and what follows from it. Pure: values in, values out.

A row compares contestants by one figure, of which less is better. Every contestant has one figure per round (of
requests: per variation), and all of one round were taken one after another, so that what disturbs the machine disturbs
them alike: a ratio is taken within each round, and the median of those is what counts.
"""

import collections.abc
import dataclasses
import enum
import statistics

Series = collections.abc.Mapping[str, tuple[float, ...]]
"""Contestant -> its figure in each round, in the order of the rounds."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is to be reached: the figure of `subject` is at most `most`, times that of `of` where one is named.

    everywhere: in each round, and not only in their median.
    """

    most: float
    subject: str
    of: str | None = None
    everywhere: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """what: "request over HTTP/1.1". unit: of the figure, "µs CPU a request".

    beside: further quantities that are shown and not judged, by name with unit, "requests/s".
    """

    what: str
    unit: str
    series: Series
    beside: collections.abc.Mapping[str, Series] = dataclasses.field(default_factory=dict)
    targets: tuple[Target, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The rows of one measurement. about: how it was measured, as Markdown.

    name: a word; also of its files. versions: program -> version. notes: what a reader must know of the figures, such
    as contestants that were missing. limit: the contestant that shows how far it goes at best; what each target comes
    to for it is shown, too. two_modes: whose figures tell of luck, and where: the run has failed then.
    """

    name: str
    title: str
    about: str
    rows: tuple[Row, ...]
    versions: collections.abc.Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    limit: str | None = None
    two_modes: tuple[str, ...] = ()


class Outcome(enum.Enum):
    REACHED = "reached"
    MISSED = "missed"
    NOT_MEASURED = "not measured"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """measured: the ratio, or the figure where the target is one; None when one of the two was not measured.

    for_limit: the same for the contestant that is the limit; None also where that is the one it is compared to.
    """

    row: Row
    target: Target
    measured: float | None
    for_limit: float | None = None

    @property
    def outcome(self) -> Outcome:
        if self.measured is None:
            return Outcome.NOT_MEASURED
        return Outcome.REACHED if self.measured <= self.target.most else Outcome.MISSED


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    median: float
    least: float
    most: float


def spread(figures: collections.abc.Sequence[float]) -> Spread:
    """Raises: ValueError without figures."""
    if not figures:
        raise ValueError("cannot take a median: there are no figures")
    return Spread(median=statistics.median(figures), least=min(figures), most=max(figures))


def ratios(series: Series, subject: str, of: str) -> tuple[float, ...]:
    """One for each round that both took part in."""
    pairs = zip(series.get(subject, ()), series.get(of, ()), strict=False)
    return tuple(ours / theirs for ours, theirs in pairs if theirs > 0)


def judge(row: Row, limit: str | None = None) -> tuple[Verdict, ...]:
    """limit: see Section."""
    return tuple(_judge(row, target, limit) for target in row.targets)


def _judge(row: Row, target: Target, limit: str | None) -> Verdict:
    for_limit = None
    if limit not in {None, target.of}:
        for_limit = _measured(row.series, dataclasses.replace(target, subject=limit))
    return Verdict(row=row, target=target, measured=_measured(row.series, target), for_limit=for_limit)


def _measured(series: Series, target: Target) -> float | None:
    figures = series.get(target.subject, ()) if target.of is None else ratios(series, target.subject, target.of)
    if not figures:
        return None
    return max(figures) if target.everywhere else statistics.median(figures)
