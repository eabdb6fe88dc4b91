"""TXT records that show a CA that a name is ours, and who makes them."""

import dataclasses
import typing

from daemun import secret
from daemun.core import model


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One TXT record. Several can be at one name: a name and its wildcard are proved in the same place.

    name, zone: absolute, without the dot at the end. value: printable ASCII, 255 characters at most.
    """

    name: str
    zone: str
    value: str

    def __str__(self) -> str:
        return f'{self.name} TXT "{self.value}"'


class Maker(typing.Protocol):
    """Changes DNS. Blocking, for a minute or five at most. Calls for one zone never overlap: many providers replace all
    records of a name by what they read a moment before.

    Both methods raise: RetryableError with what to do, without any secret; ConfigError when an option is
    missing or cannot be read.
    """

    def create(self, record: Record) -> None:
        """A record that is there already is no error, and others of the same name stay."""
        ...

    def remove(self, record: Record) -> None:
        """A record that is not there is no error, and others of the same name stay."""
        ...


def maker_for(dns: model.Dns) -> Maker:
    """The provider that the configuration names, with its secrets as they are now. Raises: ConfigError."""
    # Here, in the thread of an order: requests and dns-lexicon take a third of a second to import.
    from daemun.certs.dns01 import by_hook, by_lexicon, by_update  # noqa: PLC0415

    options = {name: secret.read(value) for name, value in dns.options}
    if dns.provider == model.HOOK:
        return by_hook.Hook(dns.command)
    if dns.provider == model.RFC2136:
        return by_update.make(options)
    return by_lexicon.Lexicon(dns.provider, options)
