"""What daemun.yaml may say of alerts."""

import typing

import pydantic

from daemun.core import model
from daemun.sources import yaml_entry


class NtfyEntry(yaml_entry.OptionMap):
    """A topic's URL, or this map."""

    shape = 'the URL of a topic such as "https://ntfy.sh/mine", or a map with its `url`'
    url: yaml_entry.Secret
    token: yaml_entry.Secret | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return value if isinstance(value, dict) and "url" in value else {"url": value}


class MailEntry(yaml_entry.OptionMap):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, validate_by_name=True, validate_by_alias=True)
    server: str
    sender: typing.Annotated[str, pydantic.Field(alias="from")]
    to: typing.Annotated[list[str], yaml_entry.ONE_OR_MORE]
    port: int | None = None
    security: typing.Annotated[model.MailSecurity, yaml_entry.choice(model.MailSecurity)] = model.MailSecurity.STARTTLS
    user: str | None = None
    password: yaml_entry.Secret | None = None


class AlertsEntry(yaml_entry.OptionMap):
    webhook: typing.Annotated[list[yaml_entry.Secret], yaml_entry.ONE_OR_MORE] = []
    ntfy: typing.Annotated[list[NtfyEntry], yaml_entry.ONE_OR_MORE] = []
    smtp: typing.Annotated[list[MailEntry], yaml_entry.ONE_OR_MORE] = []
