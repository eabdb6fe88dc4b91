"""`acme`: how certificates are ordered, and at which CAs."""

import collections.abc
import dataclasses
import ipaddress
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms, ordering_forms
from daemun.core.options.option import Doc, Level, NamedFile, Option, Place
from daemun.core.texts import rules, words

_Authorities = typing.Annotated[tuple[ordering_forms.Authority, ...], forms.ONE_OR_MORE]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAcme(ordering_forms.WrittenOrdering):
    email: forms.Text | None = None
    directory: _Authorities = (ordering_forms.WrittenAuthority(directory=model.LETS_ENCRYPT),)
    ca_file: forms.File | None = None
    eab: ordering_forms.Eab | None = None
    staging: ordering_forms.Directory | None = None
    hook: ordering_forms.Command = ()
    resolvers: typing.Annotated[forms.Texts, forms.ONE_OR_MORE] = ()


def _make(written: WrittenAcme) -> model.Acme:
    shared = ("email", "ca_file", "eab", "staging")
    filled = (
        dataclasses.replace(one, **{name: getattr(one, name) or getattr(written, name) for name in shared})
        for one in written.directory
    )
    return model.Acme(
        authorities=tuple(one.make() for one in filled),
        hook=written.hook,
        resolvers=written.resolvers,
        **written.as_fields(),
    )


def _check(value: model.Acme, place: Place) -> None:
    if not value.authorities:
        place.add("is empty; expected at least one CA", "directory")
    for authority in value.authorities:
        ordering_forms.check_authority(authority, place)
    seen = [authority.directory for authority in value.authorities]
    for url in {url for url in seen if seen.count(url) > 1}:
        place.add(f"{words.quoted(url)} is given twice", "directory")
    accounts = [authority.eab for authority in value.authorities if authority.eab is not None]
    if len(accounts) > len(set(accounts)):
        cause = "belongs to one of several directories; write `{directory: NAME, eab: ...}` in the list"
        place.add(cause, "eab")
    ordering_forms.check_ordering(value, place)
    ordering_forms.check_challenge(value, place)
    place.add(rules.check_command(value.hook), "hook")
    for index, server in enumerate(value.resolvers):
        place.add_value(server, _check_resolver(server), "resolvers", index)


def _files(value: model.Acme) -> collections.abc.Iterator[NamedFile]:
    for path in dict.fromkeys(authority.ca_file for authority in value.authorities):
        if path is not None:
            yield NamedFile(path=path, below=("ca_file",))


def _check_resolver(text: str) -> str | None:
    host, port = split_resolver(text)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "is not an address of a DNS server; expected 192.0.2.1 or [2001:db8::1]:53"
    return None if 1 <= port <= 65535 else "has no port from 1 to 65535"


def split_resolver(text: str) -> tuple[str, int]:
    """Address and port of "192.0.2.1", "192.0.2.1:53", "2001:db8::1" or "[2001:db8::1]:53"; port 0: no number."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    return host, (int(port) if port.isascii() and port.isdecimal() else 0) if port else 53


OPTION = Option(
    name="acme",
    form=typing.Annotated[WrittenAcme, pydantic.AfterValidator(_make)],
    default=model.Acme(),
    doc={
        "email": Doc(kind="text", default="none", meaning="where the CA may write to"),
        "directory": Doc(
            kind="`letsencrypt`, `letsencrypt-staging`, `zerossl`, `google`, https URL, "
            "`{directory, email, ca_file, eab: {kid, hmac_key}, staging}`, or a list of them",
            default="`letsencrypt`",
            meaning="the CA; of several, the next one is asked when one is down or refuses",
        ),
        "ca_file": Doc(kind="path", default="the system's roots", meaning="trust for a private CA's server"),
        "eab": Doc(
            kind="`{kid, hmac_key}`",
            default="none",
            meaning="the account at the CA's web page; `zerossl` and `google` need it",
        ),
        "staging": Doc(
            kind="as `acme.directory`",
            default="the CA's, if it has one",
            meaning="the CA's test system, where tries go after a failure until one passes",
        ),
        "profile": Doc(
            kind="text",
            default="the CA's",
            meaning="the kind of certificate: `classic`, `tlsserver`, `shortlived` at Let's Encrypt",
        ),
        "challenge": Doc(
            kind="`http-01`, `dns-01`, `dns-persist-01`",
            default="`http-01`; for wildcards `dns-01`",
            meaning="how a name is proved",
        ),
        "dns": Doc(
            kind="`{provider, command, wait, ...}`",
            default="none",
            meaning="who makes records in DNS, see [certificates.md](certificates.md)",
        ),
        "key_type": Doc(
            kind="`ecdsa-p256`, `ecdsa-p384`, `rsa-2048`, `rsa-3072`, `rsa-4096`, or a list of one of each",
            default="`ecdsa-p256`",
            meaning="the key of a certificate, from its next renewal on; with a list two certificates, of which a "
            "client gets the one it takes, see [certificates.md](certificates.md#keys-and-chains)",
        ),
        "preferred_chain": Doc(
            kind="text",
            default="the CA's",
            meaning="the common name of the root, or of another issuer, that the chain leads to, where the CA offers "
            "several",
        ),
        "hook": Doc(
            kind="program, or a list of it and its arguments", default="none", meaning="run after each new certificate"
        ),
        "resolvers": Doc(kind="address or list", default="the system's", meaning="DNS servers asked before an order"),
    },
    levels=frozenset({Level.GATE}),
    model_field="acme",
    check=_check,
    files=_files,
)
