"""A site in daemun.yaml: its names, its certificate, its routes, and options."""

import typing

import pydantic

from daemun.core import model
from daemun.core.options import catalogue, forms, option
from daemun.sources import yaml_acme, yaml_entry


class SiteEntry(yaml_entry.Entry):
    """A target's text, a map of paths, or this map. Routes are checked one by one, as `yaml_route.ROUTE`."""

    shape = 'a target such as "http://127.0.0.1:8000", a map of paths, or a map with `routes`'
    aliases: typing.Annotated[list[forms.Host], forms.ONE_OR_MORE] = []
    redirect_aliases: bool = False
    tls: yaml_acme.Tls = yaml_acme.TlsWord.AUTO
    http: typing.Annotated[model.HttpMode, forms.choice(model.HttpMode), forms.Also(forms.is_(False))] | None = None
    on_demand: yaml_acme.OnDemand = None
    enabled: bool = True
    routes: dict[str, typing.Any]
    nginx: str = ""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if isinstance(value, str):
            return {"routes": {"/": value}}
        if isinstance(value, dict) and value and all(isinstance(key, str) and key.startswith("/") for key in value):
            return {"routes": value}
        return value


SITE: type[SiteEntry] = catalogue.with_options("SiteEntry", SiteEntry, option.Level.SITE)
"""With the options."""
