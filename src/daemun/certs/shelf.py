"""Which certificate live/NAME holds: the one that was asked for when there is one, else one of the local CA.

The answer depends only on the store, the owner's files, live/ and the time, so it can be asked again at any moment;
choosing and putting into place are one step for all threads. Blocking, milliseconds, never asks a CA.
"""

import collections.abc
import dataclasses
import datetime
import enum
import os
import pathlib
import threading

from daemun import errors
from daemun.certs import adopted, bundle, live, local_ca, records
from daemun.control import ports
from daemun.core import layout, model
from daemun.core.issuance import renewal

NAMES_SHARED = 100
"""A certificate of so many names has about 3 kB."""
_NAMELESS = ("localhost",)
"""What the local CA signs in the place of a certificate for names that nobody can list."""


class Kind(enum.Enum):
    """Who made the certificate that is served."""

    PUBLIC = "a public CA"
    OWN = "the owner"
    LOCAL = "the local CA"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What live/NAME holds. directory: of the CA, with Kind.PUBLIC; None: revoked there, another one is needed.
    problems: of the owner's files. is_shared: the certificate names other sites, too, until each has its own."""

    kind: Kind
    bundle: bundle.Bundle
    directory: str | None = None
    problems: tuple[model.Problem, ...] = ()
    is_shared: bool = False


class Shelf:
    """worker_gid: the group of nginx's workers; None: they run as the same account."""

    def __init__(self, store: ports.Store, paths: layout.Layout, clock: ports.Clock, *, worker_gid: int | None) -> None:
        self._store = store
        self._live = pathlib.Path(paths.live)
        self._root_certificate = pathlib.Path(paths.root_certificate)
        self._clock = clock
        self._worker_gid = worker_gid
        self._changing = threading.Lock()
        self.adopted = adopted.Adopted(store)

    def holds(self, name: str) -> bool:
        return os.path.exists(f"{self._live}/{name}/privkey.pem")  # noqa: PTH110 - asked of all names in every round

    def settle(
        self,
        spec: model.CertificateSpec,
        *,
        fresh: bool = False,
        ca: local_ca.LocalCa | None = None,
        has_records: bool = True,
    ) -> Served:
        """Make live/NAME hold the best certificate there is. fresh: do not keep one of the local CA.

        ca: of `load_ca`, for who settles many. has_records: whether the store may hold something of this certificate.
        Raises: EnvironmentProblemError when a file cannot be written.
        """
        with self._changing:
            ca = ca or self.load_ca()
            before = live.read(self._live, spec.name)
            served = (
                self._own(spec, ca, before)
                or self._public(spec, has_records=has_records)
                or self._local(spec, ca, before, fresh=fresh)
            )
            try:
                live.replace(
                    self._live,
                    spec.name,
                    served.bundle,
                    before=before,
                    worker_gid=self._worker_gid,
                    # The local CA makes another one at any time, and waiting for the disk is nearly all the work.
                    lasting=served.kind is not Kind.LOCAL,
                )
            except OSError as error:
                raise self._not_written(spec, error) from error
            return served

    def share(self, specs: collections.abc.Sequence[model.CertificateSpec], ca: local_ca.LocalCa) -> dict[str, Served]:
        """Make live/NAME hold certificates of the local CA that are for many sites each: ten thousand of their own take
        longer than all else that a first start does.

        specs: of names for which live/ and the store hold nothing. Returns: what those of them hold now for which this
        was done. Raises: EnvironmentProblemError when a file cannot be written.
        """
        served: dict[str, Served] = {}
        now = self._clock.now()
        with self._changing:
            alike = [spec for spec in specs if spec.mode is not model.TlsMode.FILES and self._may_share(spec, now)]
            for group in _groups(alike):
                found = ca.issue([name for spec in group for name in spec.names], now)
                try:
                    live.share(self._live, [spec.name for spec in group], found, worker_gid=self._worker_gid)
                except OSError as error:
                    raise self._not_written(group[0], error) from error
                served |= {spec.name: Served(kind=Kind.LOCAL, bundle=found, is_shared=True) for spec in group}
        return served

    def _may_share(self, spec: model.CertificateSpec, now: datetime.datetime) -> bool:
        """Not what has no names that anybody could list, or a certificate that was taken over."""
        hosts = renewal.hosts_to_order(spec)
        return bool(spec.names) and (not hosts or self.adopted.find(hosts, now) is None)

    def put_issued(self, name: str, issued: records.Issued) -> None:
        """Keep what a CA issued; its order is finished."""
        with self._changing:
            records.write_issued(self._store, name, issued)
            records.delete_order(self._store, name)

    def note_revoked(self, found: bundle.Bundle) -> list[str]:
        """Another certificate is needed wherever this one is: it may be for several sites. Returns: their names."""
        with self._changing:
            self.adopted.remove(found, self._clock.now())
            names = []
            for key in self._store.list("certs"):
                name = key.split("/")[1]
                issued = records.read_issued(self._store, name) if key.endswith("/certificate.json") else None
                if issued is not None and issued.bundle.leaf == found.leaf:
                    records.write_issued(self._store, name, dataclasses.replace(issued, is_revoked=True))
                    names.append(name)
            return names

    def remove_except(self, names: collections.abc.Collection[str]) -> None:
        with self._changing:
            live.remove_except(self._live, names)

    def remove(self, name: str) -> None:
        with self._changing:
            live.remove(self._live, name)

    def load_ca(self) -> local_ca.LocalCa:
        """The local CA, made when there is none; its root certificate lies where people find it."""
        ca = local_ca.load_or_create(self._store, self._clock.now())
        try:
            local_ca.write_root(ca, self._root_certificate)
        except OSError as error:
            raise errors.EnvironmentProblemError(
                f"cannot write the local CA's root certificate to {self._root_certificate}: "
                f"{error.strerror or error}; free some space, or correct the rights of the state directory"
            ) from error
        return ca

    def _not_written(self, spec: model.CertificateSpec, error: OSError) -> errors.EnvironmentProblemError:
        return errors.EnvironmentProblemError(
            f'cannot write the certificate of "{spec.host}" under {self._live}: {error.strerror or error}; '
            "free some space, or correct the owner and the rights of the state directory"
        )

    def _own(self, spec: model.CertificateSpec, ca: local_ca.LocalCa, before: bundle.Bundle | None) -> Served | None:
        """The owner's certificate. When the files are not usable now (say, half replaced): what they held before, if
        that is still there, else one of the local CA."""
        if spec.mode is not model.TlsMode.FILES:
            return None
        try:
            found = _read_own(spec)
        except bundle.BundleError as error:
            if before is None or before.missing(spec.names[:1]) or ca.is_issuer_of(before.leaf):
                local = self._local(spec, ca, before, fresh=False)
                problem = _problem(spec, f"{error} (until then one of the local CA is served)")
                return dataclasses.replace(local, problems=(problem,))
            problem = _problem(spec, f"{error} (until then the one from before is served)")
            return Served(kind=Kind.OWN, bundle=before, problems=(problem,))
        return Served(kind=Kind.OWN, bundle=found, problems=self._warnings(spec, found))

    def _public(self, spec: model.CertificateSpec, *, has_records: bool) -> Served | None:
        """What a CA issued before, as long as it is good for the first name a CA can sign: a new alias that the CA has
        not seen yet must not take the trusted certificate away from the names that have one."""
        hosts = renewal.hosts_to_order(spec)
        issued = self._issued(spec.name, hosts, has_records=has_records) if hosts else None
        if issued is None or issued.bundle.missing(hosts[:1]):
            return None
        if (
            self._clock.now() >= issued.bundle.not_after
        ):  # one not valid yet is served: our clock is wrong, not the CA's
            return None
        directory = None if issued.is_revoked else issued.directory
        return Served(kind=Kind.PUBLIC, bundle=issued.bundle, directory=directory)

    def _issued(self, name: str, hosts: tuple[str, ...], *, has_records: bool) -> records.Issued | None:
        """The certificate's own; where that is not good for all hosts, one that was adopted becomes it."""
        now, own = self._clock.now(), records.read_issued(self._store, name) if has_records else None
        if own is not None and now < own.bundle.not_after and not own.is_revoked and not own.bundle.missing(hosts):
            return own
        found = self.adopted.find(hosts, now)
        if found is None:
            return own
        records.write_issued(self._store, name, found)
        return found

    def _local(
        self, spec: model.CertificateSpec, ca: local_ca.LocalCa, before: bundle.Bundle | None, *, fresh: bool
    ) -> Served:
        now = self._clock.now()
        keep = (
            before is not None
            and not fresh
            and ca.is_named_by(before.leaf)
            and not before.missing(spec.names)
            and before.is_valid_at(now)
            and now < renewal.renew_at(before.not_before, before.not_after)
        )
        if before is not None and keep:
            return Served(kind=Kind.LOCAL, bundle=before, is_shared=live.is_shared(self._live, spec.name))
        return Served(kind=Kind.LOCAL, bundle=ca.issue(spec.names or _NAMELESS, now))

    def _warnings(self, spec: model.CertificateSpec, found: bundle.Bundle) -> tuple[model.Problem, ...]:
        now = self._clock.now()
        warnings = []
        if missing := found.missing(spec.names):
            names = ", ".join(f'"{name}"' for name in missing)
            warnings.append(f"the certificate is not good for {names}; clients of these names will refuse it")
        if now >= found.not_after:
            warnings.append(f"the certificate expired on {found.not_after:%Y-%m-%d}; replace the files")
        elif now < found.not_before:
            warnings.append(f"the certificate is not valid before {found.not_before:%Y-%m-%d %H:%M} UTC")
        return tuple(_problem(spec, text, severity=model.Severity.WARNING) for text in warnings)


def _groups(
    specs: collections.abc.Iterable[model.CertificateSpec],
) -> collections.abc.Iterator[list[model.CertificateSpec]]:
    """Those that share a certificate: it is for about NAMES_SHARED names."""
    group: list[model.CertificateSpec] = []
    for spec in specs:
        group.append(spec)
        if sum(len(one.names) for one in group) >= NAMES_SHARED:
            yield group
            group = []
    if group:
        yield group


def _read_own(spec: model.CertificateSpec) -> bundle.Bundle:
    """Raises: BundleError naming the file that is at fault."""
    assert spec.certificate is not None and spec.key is not None
    pair = []
    for path in (spec.certificate, spec.key):
        try:
            pair.append(pathlib.Path(path).read_bytes())
        except OSError as error:
            raise bundle.BundleError(
                f'cannot read "{path}": {(error.strerror or str(error)).lower()}; correct the path or its rights'
            ) from None
    try:
        return bundle.parse(*pair)
    except bundle.BundleError as error:
        raise bundle.BundleError(f'cannot use "{spec.certificate}" with "{spec.key}": {error}') from None


def _problem(
    spec: model.CertificateSpec, message: str, *, severity: model.Severity = model.Severity.ERROR
) -> model.Problem:
    origin = model.Origin(source="file", place=spec.certificate or "")
    return model.Problem(origin=origin, message=message, host=spec.host, severity=severity)
