"""The CAs of clients, and what they withdrew: what the files that `access.client_certificates` names hold.

What cannot be used is left out, with the reason: then nobody comes in by a certificate. nginx reads the same files at
its next reload, and refuses a damaged one whole. Blocking, milliseconds.
"""

import collections.abc
import dataclasses
import datetime
import hashlib
import re

from cryptography import x509

from daemun import causes, regular_files
from daemun.core import layout, model, problem_report
from daemun.core.options import access_option, catalogue, client_certificates_form

_LARGEST_BYTES = 16 << 20
"""Revocation lists of large CAs have some megabytes."""
_LIST = re.compile(rb"-----BEGIN X509 CRL-----.+?(?=-----BEGIN X509 CRL-----|\Z)", re.DOTALL)
_CLOSED = "nobody comes in by a certificate until then"


class AuthorityError(Exception):
    """What is wrong with a file. cure: what to do. path: of the file. key: below `client_certificates`."""

    def __init__(self, message: str, *, cure: str, path: str, key: str) -> None:
        super().__init__(message)
        self.cure = cure
        self.path = path
        self.key = key


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a value is; warnings and errors of it are collected in problems."""

    site: model.Site | None
    field: problem_report.Field
    problems: list[model.Problem]

    def add(self, cause: str, cure: str, *, key: str, path: str, severity: model.Severity) -> None:
        field = (*self.field, access_option.OPTION.name, "client_certificates", key)
        self.problems.append(problem_report.describe(self.site, field, cause, cure=cure, severity=severity, file=path))


def with_authorities(snapshot: model.Snapshot, state: str | None) -> tuple[model.Snapshot, list[model.Problem]]:
    """The same with what the files hold, and what is wrong with them. state: the state directory, which has the CA of
    `daemun clients`; None: there is none."""
    if not any(_named(held.value) for held in catalogue.find_values(snapshot, {access_option.OPTION.name})):
        return snapshot, []
    problems: list[model.Problem] = []
    settings = snapshot.globals
    if settings is not None:
        place = _Place(site=None, field=(), problems=problems)
        settings = dataclasses.replace(settings, options=_filled(settings.options, state, place))
    sites = tuple(_of_site(site, state, problems) if site.enabled else site for site in snapshot.sites)
    return dataclasses.replace(snapshot, globals=settings, sites=sites), problems


def _named(access: access_option.Access | None) -> client_certificates_form.ClientCertificates | None:
    return None if access is None else access.client_certificates


def find_local(snapshot: model.Snapshot) -> bool:
    """Whether anything takes the certificates of daemun's own CA for clients."""
    values = catalogue.find_values(snapshot, {access_option.OPTION.name})
    return any((one := _named(held.value)) is not None and one.ca.path is None for held in values)


def _of_site(site: model.Site, state: str | None, problems: list[model.Problem]) -> model.Site:
    routes = tuple(
        dataclasses.replace(
            route,
            options=_filled(route.options, state, _Place(site=site, field=route.field, problems=problems)),
        )
        for route in site.routes
    )
    options = _filled(site.options, state, _Place(site=site, field=(), problems=problems))
    if (options, routes) == (site.options, site.routes):
        return site
    return dataclasses.replace(site, options=options, routes=routes)


def _filled(options: model.OptionValues, state: str | None, place: _Place) -> model.OptionValues:
    access = dict(options).get(access_option.OPTION.name)
    if not isinstance(access, access_option.Access) or (value := access.client_certificates) is None:
        return options
    found = None
    try:
        found = _find(value, state, place)
    except AuthorityError as error:
        place.add(str(error), error.cure, key=error.key, path=error.path, severity=model.Severity.ERROR)
    except OSError:
        pass  # reported of every file that is named
    changed = dataclasses.replace(value, ca=dataclasses.replace(value.ca, found=found))
    access = dataclasses.replace(access, client_certificates=changed)
    return catalogue.with_value(options, access_option.OPTION, access)


def _find(
    value: client_certificates_form.ClientCertificates, state: str | None, place: _Place
) -> client_certificates_form.FoundAuthority | None:
    """Raises: OSError; AuthorityError."""
    if value.ca.path is not None:
        return read(value.ca.path, value.revoked, place)
    if state is None:
        return None
    paths = layout.Layout(state)
    try:
        return read(paths.clients_certificate, paths.clients_revoked, place)
    except FileNotFoundError:
        cure = f"`daemun clients add NAME` makes one; {_CLOSED}"
        warning = model.Severity.WARNING
        place.add("there is no client yet", cure, key="ca", path=paths.clients_certificate, severity=warning)
    except OSError as error:
        cause = f"cannot read {paths.clients_certificate}: {causes.describe(error)}"
        place.add(cause, _CLOSED, key="ca", path=paths.clients_certificate, severity=model.Severity.ERROR)
    return None


def read(ca_file: str, crl_file: str | None, place: _Place | None) -> client_certificates_form.FoundAuthority:
    """place: where what binds nobody, but keeps people out, is noted. Raises: OSError; AuthorityError."""
    whole = hashlib.sha256()
    content = regular_files.read(ca_file, _LARGEST_BYTES)
    whole.update(hashlib.sha256(content).digest())
    authorities = _parse_authorities(content, ca_file)
    if crl_file is not None:
        content = regular_files.read(crl_file, _LARGEST_BYTES)
        whole.update(hashlib.sha256(content).digest())
        lists = _parse_lists(content, crl_file)
        if place is not None:
            for cause, cure in _find_useless(authorities, lists, crl_file):
                place.add(cause, cure, key="revoked", path=crl_file, severity=model.Severity.WARNING)
    return client_certificates_form.FoundAuthority(ca_file=ca_file, crl_file=crl_file, digest=whole.hexdigest()[:16])


def _parse_authorities(content: bytes, path: str) -> list[x509.Certificate]:
    if b"PRIVATE KEY-----" in content:
        cure = f"name a file with the certificates of the CA alone; {_CLOSED}"
        raise AuthorityError(f"{path} holds a private key", cure=cure, path=path, key="ca")
    try:
        found = x509.load_pem_x509_certificates(content)
        _ = [one.subject for one in found]
    except ValueError as error:
        message, cure = f"{path} holds no whole certificate in PEM form", f"put it there again; {_CLOSED}"
        raise AuthorityError(message, cure=cure, path=path, key="ca") from error
    return found


def _parse_lists(content: bytes, path: str) -> list[x509.CertificateRevocationList]:
    try:
        # Without an end, the rest stands where the next one's should be, and is refused, too.
        parts = _LIST.findall(content) or [content]
        found = [x509.load_pem_x509_crl(part) for part in parts]
    except ValueError as error:
        message, cure = f"{path} holds no whole revocation list in PEM form", f"put it there again; {_CLOSED}"
        raise AuthorityError(message, cure=cure, path=path, key="revoked") from error
    return found


def _find_useless(
    authorities: list[x509.Certificate], lists: list[x509.CertificateRevocationList], path: str
) -> collections.abc.Iterator[tuple[str, str]]:
    """Causes and cures. OpenSSL takes a certificate only where every CA above it has a list that has not ended
    (X509_V_FLAG_CRL_CHECK_ALL in ngx_ssl_crl)."""
    now = datetime.datetime.now(datetime.UTC)
    for one in authorities:
        named = one.subject.rfc4514_string()
        own = [each for each in lists if each.issuer == one.subject]
        ends = [each.next_update_utc for each in own]
        if not own:
            yield f"{path} has no revocation list of {named}, whose certificates are all refused", "add it"
        elif all(end is not None and end <= now for end in ends):
            yield f"the revocation list of {named} in {path} has ended, so its certificates are all refused", "renew it"
