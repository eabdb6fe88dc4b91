"""Problems, as the command line prints them. Pure, apart from printing.

A problem from the API is JSON, one that was found without a daemon is a `model.Problem`: both become JSON here.
"""

import collections.abc
import typing

from daemun.cli import output
from daemun.core import model

Json = dict[str, typing.Any]


def lines_of(problems: collections.abc.Iterable[Json]) -> list[str]:
    """ "error: daemun.yaml:3:11: cannot ...", errors first."""
    ordered = sorted(problems, key=lambda problem: problem["severity"] != "error")
    return [f"{problem['severity']}: {describe(problem)}" for problem in ordered]


def errors_of(problems: collections.abc.Iterable[Json]) -> list[Json]:
    """Those that keep something from being live."""
    return [problem for problem in problems if problem["severity"] == "error"]


def print_all(problems: collections.abc.Iterable[Json]) -> None:
    for line in lines_of(problems):
        output.print_line(line)


def describe(problem: Json) -> str:
    """As `str` of a `model.Problem`."""
    return model.located(problem["origin"], problem["message"])
