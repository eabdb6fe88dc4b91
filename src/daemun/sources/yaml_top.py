"""What stands in daemun.yaml beside its sites."""

import contextlib
import typing

import pydantic

from daemun.core import model, short_texts, words
from daemun.core.options import catalogue, forms, option, status_option
from daemun.sources import yaml_acme, yaml_entry, yaml_words

# --- short forms and words -------------------------------------------------------------------------------------


def _only(*known: str, later: str) -> pydantic.BeforeValidator:
    """A key of which this version knows a few words."""

    def parse(value: object) -> object:
        word = "off" if value is False else value
        if isinstance(word, str) and word in known:
            return word
        raise ValueError(f"{words.describe(value)} is not in this version yet ({later}); write {words.listed(known)}")

    return pydantic.BeforeValidator(parse)


def _listen(value: object) -> object:
    """People write a port or an address alone."""
    if isinstance(value, dict):
        return value
    cure = ""
    with contextlib.suppress(ValueError):
        (address,) = [short_texts.parse_address(one) for one in (value if isinstance(value, list) else [value])]
        http = address.port if address.host is None else f'"{address}"'
        cure = f"; write `listen: {{http: {http}}}`, with `https:` beside it for the port of HTTPS"
    raise ValueError(f"expected a map such as {{http: 80, https: 443}}, found {words.describe(value)}{cure}")


def _default(value: object) -> object:
    if isinstance(value, str):
        if value != "refuse":
            raise ValueError(f"expected refuse, {{site: HOST}} or {{redirect: URL}}, found {words.quoted(value)}")
        return {}
    return value


Addresses = typing.Annotated[
    list[
        typing.Annotated[
            pydantic.InstanceOf[model.Address],
            pydantic.BeforeValidator(short_texts.parse_address),
            pydantic.WithJsonSchema({"type": ["integer", "string"]}),
        ]
    ],
    forms.ONE_OR_MORE,
]


# --- maps ------------------------------------------------------------------------------------------------------


class ListenEntry(yaml_entry.Entry):
    http: Addresses = [model.Address(port=80)]
    https: Addresses = [model.Address(port=443)]


class DefaultEntry(yaml_entry.Entry):
    shape = "refuse, {site: HOST} or {redirect: URL}"
    site: forms.Host | None = None
    redirect: str | None = None
    status: forms.Number = status_option.OPTION.default


class FileEntry(yaml_entry.Entry):
    """The top of the file. Sites are checked one by one, as `yaml_site.SITE`."""

    shape = f"a map with `sites`; {yaml_words.MINIMAL_FILE}"
    listen: typing.Annotated[ListenEntry, pydantic.BeforeValidator(_listen)] = ListenEntry()
    acme: yaml_acme.AcmeEntry = yaml_acme.AcmeEntry()
    compat: typing.Annotated[
        str,
        _only("none", "nginx-proxy", later="the words of other proxies"),
        pydantic.WithJsonSchema({"enum": ["none", "nginx-proxy", False]}),
    ] = "none"
    default: typing.Annotated[DefaultEntry, pydantic.BeforeValidator(_default), forms.Also(forms.is_("refuse"))] = (
        DefaultEntry()
    )
    nginx: str = ""
    sites: typing.Any = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, value: object) -> object:
        """`x-` keys are the owner's own, for anchors, as in compose files."""
        if not isinstance(value, dict):
            return value
        return {key: one for key, one in value.items() if not (isinstance(key, str) and key.startswith("x-"))}


FILE: type[FileEntry] = catalogue.with_options("FileEntry", FileEntry, option.Level.GATE)
"""With the options."""
