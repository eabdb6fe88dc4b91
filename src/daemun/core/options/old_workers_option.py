"""`old_workers`: what generations of workers that were replaced may cost while their connections stay open."""

import dataclasses
import typing

import pydantic

from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import quantity_rules, rules

_LEAST_BYTES = 1 << 20
"""Less than any worker has, so that with it each change would wait."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OldWorkersBudget(forms.OptionMap):
    """generations, memory_bytes: the budget. wait_s: how long a change that needs a reload waits for others, and for
    connections to end by themselves, while the budget is used up; then the oldest generation is drained.
    sockets_per_s: how many of its connections are closed a second, unless there are very many.
    """

    generations: forms.Number = 8
    memory_bytes: typing.Annotated[forms.Size, pydantic.Field(alias="memory")] = 512 << 20
    wait_s: typing.Annotated[forms.Duration, pydantic.Field(alias="wait")] = 60.0
    sockets_per_s: typing.Annotated[forms.Number, pydantic.Field(alias="per_second")] = 5


def _check(value: OldWorkersBudget, place: Place) -> None:
    least, most = _LEAST_BYTES, rules.MAX_BYTES_OF_A_FILE
    place.add(rules.check_number(value.generations, least=1, most=1000), "generations")
    place.add(quantity_rules.check_size(value.memory_bytes, least=least, most=most), "memory")
    place.add(quantity_rules.check_duration(value.wait_s, least=0, most=3600), "wait")
    place.add(rules.check_number(value.sockets_per_s, least=1, most=10_000), "per_second")


OPTION = Option(
    name="old_workers",
    form=OldWorkersBudget,
    default=OldWorkersBudget(),
    doc={
        "generations": Doc(
            kind="number, 1 to 1000",
            default="`8`",
            meaning="how many generations of workers may finish their connections before changes that need a "
            "reload are held back, see [nginx.md](nginx.md)",
        ),
        "memory": Doc(kind="size", default="`512m`", meaning="the same, by the memory of those workers together"),
        "wait": Doc(
            kind="duration, up to `1h`",
            default="`1m`",
            meaning="how long such a change waits for others, and for connections to end, before the oldest "
            "generation is drained",
        ),
        "per_second": Doc(
            kind="number",
            default="`5`",
            meaning="how many connections of it are closed a second; more when it has more than 900",
        ),
    },
    levels=frozenset({Level.GATE}),
    check=_check,
)
