"""`crowdsec`: whose decisions on addresses hold for every site (docs.crowdsec.net/docs/local_api/bouncers)."""

import dataclasses
import typing

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import url_rules


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CrowdSec(forms.OptionMap):
    """url: of the local API. key: what `cscli bouncers add` printed."""

    shape: typing.ClassVar[str] = "a map with `url` and `key`"
    meanings: typing.ClassVar[dict[str, str]] = {
        "url": "of CrowdSec's local API, such as http://127.0.0.1:8080",
        "key": "what `cscli bouncers add daemun` printed",
    }
    url: forms.Text
    key: forms.Secret


def _check(value: CrowdSec | None, place: Place) -> None:
    if value is not None:
        place.add_value(value.url, url_rules.check_web_url(value.url), "url")
        place.add(forms.hint_path(value.key), "key", severity=model.Severity.WARNING)


OPTION = Option[CrowdSec | None](
    name="crowdsec",
    form=CrowdSec | None,
    default=None,
    doc=Doc(
        kind="`{url, key}`; the key a secret",
        default="none",
        meaning="the local API of CrowdSec, whose bans hold for every site within seconds, see [Bans](#bans)",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
)
"""None: no CrowdSec."""
