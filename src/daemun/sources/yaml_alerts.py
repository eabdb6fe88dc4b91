"""What daemun.yaml may say of alerts."""

import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms
from daemun.sources import yaml_entry


class NtfyEntry(yaml_entry.Entry):
    """A topic's URL, or this map."""

    shape = 'the URL of a topic such as "https://ntfy.sh/mine", or a map with its `url`'
    url: forms.Secret
    token: forms.Secret | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return value if isinstance(value, dict) and "url" in value else {"url": value}


class MailEntry(yaml_entry.Entry):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, validate_by_name=True, validate_by_alias=True)
    server: str
    sender: typing.Annotated[str, pydantic.Field(alias="from")]
    to: typing.Annotated[list[str], forms.ONE_OR_MORE]
    port: int | None = None
    security: typing.Annotated[model.MailSecurity, forms.choice(model.MailSecurity)] = model.MailSecurity.STARTTLS
    user: str | None = None
    password: forms.Secret | None = None


class AlertsEntry(yaml_entry.Entry):
    webhook: typing.Annotated[list[forms.Secret], forms.ONE_OR_MORE] = []
    ntfy: typing.Annotated[list[NtfyEntry], forms.ONE_OR_MORE] = []
    smtp: typing.Annotated[list[MailEntry], forms.ONE_OR_MORE] = []
