"""Records: TXT that show a CA that a name is ours, and addresses of a fleet; and the protocol of what makes them."""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One TXT, A or AAAA record. Several can be at one name: a name and its wildcard are proved in the same place.

    name, zone: absolute, without the dot at the end. value: printable ASCII, 255 characters at most; or an address.
    """

    name: str
    zone: str
    value: str
    kind: str = "TXT"

    def __str__(self) -> str:
        return f'{self.name} {self.kind} "{self.value}"'


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
