"""An entry of `streams` as a row of a table. Pure."""

import typing

from daemun.cli import output

Json = dict[str, typing.Any]


def name_in(text: str) -> str | None:
    """In lower case, of "stream NAME", as messages name one; None: it is no such text."""
    kind, space, name = text.strip().partition(" ")
    return name.strip().strip('"').lower() if kind.lower() == "stream" and space else None


def listen_of(stream: Json) -> str:
    """Where it comes in: "1883", "53/udp", "443 mail.test"."""
    addresses = (f"{one}/udp" if stream["protocol"] == "udp" else one for one in stream["listen"])
    return " ".join([*addresses, *stream.get("hosts", ())])


def servers_of(stream: Json) -> str:
    return " ".join(stream["to"]) or "(no server now)"


def row_of(stream: Json) -> tuple[str, ...]:
    """For `daemun sites`."""
    state = output.state_of(stream["state"])
    return (stream["name"], state, listen_of(stream), servers_of(stream), stream["origin"])
