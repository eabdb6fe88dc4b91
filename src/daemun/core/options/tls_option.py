"""`tls`: who signs the certificate of a site, and how it is ordered where it differs from `acme`."""

import collections.abc
import dataclasses
import enum
import re
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms, ordering_forms, tls_policy_form
from daemun.core.options.option import Doc, Label, Level, NamedFile, Option, Place
from daemun.core.texts import names, rules, words

PROTOCOLS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_CIPHERS = re.compile(r"[A-Za-z0-9:+!@=_-]{1,2000}\Z")


class Word(enum.Enum):
    """`model.TlsMode` without FILES, which is set by giving the files."""

    AUTO = "auto"
    ACME = "acme"
    LOCAL = "local"
    OFF = "off"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFiles(forms.OptionMap):
    """A certificate of one's own."""

    meanings: typing.ClassVar[dict[str, str]] = {
        **tls_policy_form.MEANINGS,
        "certificate": "the file with the certificate and its chain",
        "key": "the file with its key",
    }
    certificate: forms.File
    key: forms.File
    min: tls_policy_form.Min | None = None
    ciphers: tls_policy_form.Ciphers | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WrittenOrder(ordering_forms.WrittenOrdering):
    meanings: typing.ClassVar[dict[str, str]] = {
        **tls_policy_form.MEANINGS,
        **ordering_forms.WrittenOrdering.meanings,
        "mode": "where the certificate comes from: auto, acme, local or off",
        "directory": "the CA, as in `acme`",
    }
    mode: typing.Annotated[Word, forms.choice(Word)] = Word.AUTO
    directory: ordering_forms.Authority | None = None
    min: tls_policy_form.Min | None = None
    ciphers: tls_policy_form.Ciphers | None = None


def _find_kind(value: object) -> str:
    if not isinstance(value, dict):
        return "(word)"
    return "(order)" if value and not {"certificate", "key"} & value.keys() else "(files)"


def _make(written: Word | WrittenFiles | WrittenOrder) -> model.Tls:
    if isinstance(written, Word):
        return model.Tls(mode=model.TlsMode(written.value))
    policy = tls_policy_form.make(written.min, written.ciphers)
    if isinstance(written, WrittenFiles):
        return model.Tls(mode=model.TlsMode.FILES, certificate=written.certificate, key=written.key, policy=policy)
    authority = None if written.directory is None else written.directory.make()
    ordering = model.Ordering(authority=authority, **written.as_fields())
    return model.Tls(mode=model.TlsMode(written.mode.value), ordering=ordering, policy=policy)


def _check(value: model.Tls, place: Place) -> None:
    _check_files(value, place)
    _check_names(value, place)
    if value.ordering.authority is not None:
        ordering_forms.check_authority(value.ordering.authority, place)
    if value.ordering.email is not None:
        place.add_value(value.ordering.email, rules.check_email(value.ordering.email), "email")
    if value.policy is not None and value.mode is model.TlsMode.OFF:
        place.add("has versions and ciphers, but tls is off; leave `min` and `ciphers` out")
    if value.policy is not None:
        check_policy(value.policy, place.below("policy"))


def _check_files(value: model.Tls, place: Place) -> None:
    for name, path in (("certificate", value.certificate), ("key", value.key)):
        if value.mode is model.TlsMode.FILES and path is None:
            place.add("is missing; a certificate of your own needs both `certificate` and `key`", name)
        if path is not None:
            place.add_value(path, rules.check_absolute(path), name)
            if value.mode is not model.TlsMode.FILES:
                place.add(f"belongs to a certificate of your own, but tls is {value.mode.value}", name)
    for path in (value.clients.ca_file, value.clients.crl_file) if value.clients is not None else ():
        if path is not None:
            place.add_value(path, rules.check_absolute(path), "clients")


def _check_names(value: model.Tls, place: Place) -> None:
    assert place.site is not None
    patterns = [name for name in place.site.names if names.is_pattern(name)]
    if patterns and value.mode not in {model.TlsMode.OFF, model.TlsMode.FILES}:
        shown = words.listed([words.quoted(name) for name in patterns], last="and")
        place.add(f"no certificate can be made for {shown}; name one of your own, or serve it without HTTPS")
    for name in value.group:
        place.add_value(name, rules.check_host(name), "group")
    if value.group and place.site.host not in value.group:
        place.add(f"the certificate for {words.quoted(value.group[0])} would not be for this site", "group")


def _files(value: model.Tls) -> collections.abc.Iterator[NamedFile]:
    if value.certificate is not None:
        yield NamedFile(path=value.certificate, below=("certificate",))
    if value.key is not None:
        yield NamedFile(path=value.key, below=("key",), is_private_key=True)
    authority = value.ordering.authority
    if authority is not None and authority.ca_file is not None:
        yield NamedFile(path=authority.ca_file, below=("directory", "ca_file"))


def check_policy(policy: model.TlsPolicy, place: Place) -> None:
    if not policy.protocols or not set(policy.protocols) <= set(PROTOCOLS):
        place.add(f"expected some of {words.listed(PROTOCOLS)}")
    if not _CIPHERS.match(policy.ciphers):
        place.add("its ciphers are no list of OpenSSL")


OPTION = Option(
    name="tls",
    form=typing.Annotated[
        typing.Annotated[
            typing.Annotated[
                Word,
                forms.choice(Word, "{certificate: FILE, key: FILE}"),
                forms.Also(forms.is_(False)),
                pydantic.Tag("(word)"),
            ]
            | typing.Annotated[WrittenFiles, pydantic.Tag("(files)")]
            | typing.Annotated[WrittenOrder, pydantic.Tag("(order)")],
            pydantic.Discriminator(_find_kind),
        ],
        pydantic.AfterValidator(_make),
    ],
    default=model.Tls(),
    doc=Doc(
        kind="`auto`, `acme`, `local`, `off`, `{certificate, key}`, "
        "`{mode, directory, profile, challenge, dns, key_type, preferred_chain}`; `{min, ciphers}` with either",
        default="`auto`",
        meaning="who signs the certificate, see above; the last form says what differs from `acme`; `min` and "
        "`ciphers`: see [nginx.md](nginx.md#tls)",
    ),
    levels=frozenset({Level.SITE}),
    label=Label.WORD,
    model_field="tls",
    check=_check,
    files=_files,
)
