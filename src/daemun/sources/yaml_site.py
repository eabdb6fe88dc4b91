"""What daemun.yaml may say of a site."""

import typing

import pydantic

from daemun.core import model
from daemun.sources import yaml_acme, yaml_entry


def _hsts(value: object) -> object:
    return {} if value is True else None if value is False else value


class HstsEntry(yaml_entry.OptionMap):
    """`true`, or this map."""

    shape = "true, false or a map"
    max_age: yaml_entry.Duration = float(model.Hsts().max_age_s)
    include_subdomains: bool = False
    preload: bool = False

    def translate(self) -> model.Hsts:
        return model.Hsts(
            max_age_s=round(self.max_age), include_subdomains=self.include_subdomains, preload=self.preload
        )


class SiteEntry(yaml_entry.OptionMap):
    """A target's text, a map of paths, or this map. Routes are checked one by one, as `yaml_route.RouteEntry`."""

    shape = 'a target such as "http://127.0.0.1:8000", a map of paths, or a map with `routes`'
    aliases: typing.Annotated[list[yaml_entry.Host], yaml_entry.ONE_OR_MORE] = []
    redirect_aliases: bool = False
    tls: yaml_acme.Tls = yaml_acme.TlsWord.AUTO
    http: typing.Annotated[model.HttpMode, yaml_entry.choice(model.HttpMode)] | None = None
    hsts: typing.Annotated[HstsEntry | None, pydantic.BeforeValidator(_hsts)] = None
    on_demand: yaml_acme.OnDemand = None
    redirect_status: int = model.USUAL_REDIRECT_STATUS
    underscores_in_headers: bool = False
    compress: yaml_entry.Compress | None = None
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
