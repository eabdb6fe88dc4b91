"""`from`: a site lies over the one that containers have of the same host (`core.site_overlays`)."""

import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option
from daemun.core.texts import words


def _parse(text: str) -> model.Overlay:
    if text != model.CONTAINERS:
        raise ValueError(f"expected {model.CONTAINERS}, found {words.quoted(text)}")
    return model.Overlay()


OPTION = Option[model.Overlay | None](
    name="from",
    form=typing.Annotated[
        pydantic.InstanceOf[model.Overlay],
        pydantic.BeforeValidator(forms.parse_text(_parse)),
        pydantic.WithJsonSchema({"enum": [model.CONTAINERS]}),
    ],
    default=None,
    doc=Doc(
        kind="`docker`",
        default="none",
        meaning="the site is that of the containers whose labels name its host: their routes are its own, and what is "
        "set here holds instead of what they set; needs no `routes`, and no target in a route, see "
        "[docker.md](docker.md#what-the-file-sets-over-labels)",
    ),
    levels=frozenset({Level.SITE}),
    model_field="overlay",
)
