"""Which certificate each name is shown: the best of a CA that the store has for it, else one of the local CA.

The answer depends only on the store, the owner's files, live/ and the time, so it can be asked again at any moment;
choosing and putting into place are one step for all threads. Blocking, milliseconds, never asks a CA.
"""

import collections.abc
import contextlib
import dataclasses
import datetime
import enum
import os
import pathlib
import threading

from cryptography import x509

from daemun import errors
from daemun.certs import bundle, live, local_ca, own_files, records, stored
from daemun.control import ports
from daemun.core import layout, model, names
from daemun.core.issuance import renewal

NAMES_SHARED = 100
"""A certificate of so many names has about 3 kB."""
_MOST_LOCAL_NAMES = 250
"""In one certificate of the local CA: 64 kB of the longest names. Clients refuse chains of 100 kB."""
_ROOT_CERTIFICATE = "ca.pem"
"""As `damaged.Damage` knows it; no key of a store."""
_NAMELESS = ("localhost",)
"""What the local CA signs in the place of a certificate for names that nobody can list."""


class Kind(enum.Enum):
    """Who made the certificate that is served."""

    PUBLIC = "a public CA"
    OWN = "the owner"
    LOCAL = "the local CA"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Names of a certificate's site that are shown another one. directory: as of `Served`."""

    names: tuple[str, ...]
    kind: Kind
    bundle: bundle.Bundle
    directory: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What is shown for the first name that is ordered, and for all that are in none of the `others`.

    directory: of the CA, with Kind.PUBLIC; None: revoked there, another one is needed.
    problems: of the owner's files, or of the disk. is_stand_in: those could not be used, and this is served instead.
    changes_at: when something else will be said of them. is_shared: the certificate names other sites, too, until each
    has its own. is_written: whether live/ holds all that it should; if not, the last of the problems is why.
    """

    kind: Kind
    bundle: bundle.Bundle
    directory: str | None = None
    problems: tuple[model.Problem, ...] = ()
    is_stand_in: bool = False
    changes_at: datetime.datetime | None = None
    is_shared: bool = False
    others: tuple[Part, ...] = ()
    is_written: bool = True

    def shown_for(self, name: str) -> "Served | Part":
        return next((part for part in self.others if name in part.names), self)

    def shows(self, leaf: x509.Certificate) -> bool:
        return any(one.leaf == leaf for one in (self.bundle, *(part.bundle for part in self.others)))


class Shelf:
    """worker_gid: the group of nginx's workers; None: they run as the same account."""

    def __init__(self, store: ports.Store, paths: layout.Layout, clock: ports.Clock, *, worker_gid: int | None) -> None:
        self._store = store
        self._live = pathlib.Path(paths.live)
        self._root_certificate = pathlib.Path(paths.root_certificate)
        self._clock = clock
        self._worker_gid = worker_gid
        self._changing = threading.Lock()
        self._temporary: local_ca.LocalCa | None = None
        self._kept: dict[str, datetime.datetime] = {}
        self.stored = stored.Stored(store)
        self.directories_of: collections.abc.Callable[[model.CertificateSpec], collections.abc.Container[str]] = (
            lambda _: ()
        )
        """The CAs that a certificate is ordered from; theirs are shown before those of others."""

    def holds(self, spec: model.CertificateSpec) -> bool:
        return all(
            os.path.exists(f"{self._live}/{name}/privkey.pem")  # noqa: PTH110 - asked of all names in every round
            for name in folders(spec)
        )

    def mark(self, spec: model.CertificateSpec) -> object:
        """Equal as long as nobody touches what live/ holds of it, as `live.mark`. None: something is missing."""
        marks = [live.mark(self._live, folder) for folder in folders(spec)]
        return None if None in marks else tuple(marks)

    def is_intact(self, spec: model.CertificateSpec, served: Served) -> bool:
        """Whether live/ still holds what was put there."""
        return all(
            live.holds(self._live, folder, found, worker_gid=self._worker_gid)
            for folder, (found, _) in _shown(spec, served).items()
        )

    def settle(self, spec: model.CertificateSpec, *, fresh: bool = False, ca: local_ca.LocalCa | None = None) -> Served:
        """Make live/ hold the best certificate there is for each name. fresh: do not keep one of the local CA.

        ca: of `load_ca`, for who settles many.
        What cannot be written is a problem of this certificate alone: what is there goes on.
        """
        with self._changing:
            ca = ca or self.load_ca()
            self._mend_record(spec, ca)
            served = self._own(spec, ca) or self._choose(spec, ca, fresh=fresh)
            try:
                self._show(spec, served)
            except OSError as error:
                problem = model.Problem(
                    origin=model.NOWHERE,
                    message=str(self._not_written(spec, error)),
                    host=spec.host,
                    file=f"{self._live}/{spec.name}",
                )
                return dataclasses.replace(served, problems=(*served.problems, problem), is_written=False)
            return served

    def _mend_record(self, spec: model.CertificateSpec, ca: local_ca.LocalCa) -> None:
        """The store has lost what a CA issued, and live/ has not."""
        if not self.stored.is_own_damaged(spec.name):
            return
        found, now = live.read(self._live, spec.name), self._clock.now()
        if found is not None and now < found.not_after and not ca.is_named_by(found.leaf):
            with contextlib.suppress(errors.EnvironmentProblemError):
                self.stored.mend_own(spec.name, found, now)

    def _show(self, spec: model.CertificateSpec, served: Served) -> None:
        """Each certificate is written once, into the folder of one of its names, and the others lead there."""
        homes: dict[x509.Certificate, str] = {}
        for folder, (found, kind) in _shown(spec, served).items():
            home = homes.setdefault(found.leaf, folder)
            if home != folder:
                live.join(self._live, folder, home)
                continue
            before = live.read(self._live, folder)
            was_damaged = before is None and os.path.lexists(f"{self._live}/{folder}")
            live.replace(
                self._live,
                folder,
                found,
                before=before,
                worker_gid=self._worker_gid,
                # The local CA makes another one at any time, and waiting for the disk is nearly all the work.
                lasting=kind is not Kind.LOCAL,
            )
            if was_damaged:
                where = f"{self._live}/{folder}"
                message = f"the certificate in {where} was damaged or gone, and was made anew; look at the disk"
                self._store.damage.note(where, message)

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
                    shown = [folder for spec in group for folder in folders(spec)]
                    live.share(self._live, shown, found, worker_gid=self._worker_gid)
                except OSError as error:
                    raise self._not_written(group[0], error) from error
                served |= {spec.name: Served(kind=Kind.LOCAL, bundle=found, is_shared=True) for spec in group}
        return served

    def _may_share(self, spec: model.CertificateSpec, now: datetime.datetime) -> bool:
        """Not what has no names that anybody could list, or a certificate of a CA for one of them."""
        is_found = spec.mode is model.TlsMode.ACME and any(self.stored.covering(name, now) for name in spec.names)
        return 0 < len(spec.names) <= _MOST_LOCAL_NAMES and not is_found

    def put_issued(self, name: str, issued: records.Issued) -> None:
        """Keep what a CA issued; its order is finished."""
        with self._changing:
            self.stored.put_own(name, issued, self._clock.now())
            records.delete_order(self._store, name)

    def note_revoked(self, found: bundle.Bundle) -> None:
        """Another certificate is needed wherever this one is: it may be for several sites."""
        with self._changing:
            self.stored.note_revoked(found)

    def remove_except(self, specs: collections.abc.Sequence[model.CertificateSpec]) -> None:
        """Remove what nobody needs. A CA's certificate that has not expired stays where other programs may read it, but
        where a site takes whatever names live/ has."""
        needed = {folder for spec in specs for folder in folders(spec)}
        with self._changing:
            now = self._clock.now()
            left = live.names(self._live) - needed
            keeps = not any(spec.takes_names for spec in specs)
            self._kept = {name: until for name, until in self._kept.items() if keeps and name in left and now < until}
            for name in left - self._kept.keys() if keeps else ():
                self._keep(name, now)
            live.remove_except(self._live, needed | self._kept.keys())

    def _keep(self, name: str, now: datetime.datetime) -> None:
        found = live.read(self._live, name)
        if found is None or now >= found.not_after or not self._is_of_a_ca(found):
            return
        with contextlib.suppress(OSError):
            # One that it shared with others goes when they have a newer one.
            if live.home_of(self._live, name) != name:
                live.replace(self._live, name, found, before=None, worker_gid=self._worker_gid, lasting=True)
            self._kept[name] = found.not_after

    def _is_of_a_ca(self, found: bundle.Bundle) -> bool:
        known = self.stored.covering(next(iter(found.names()), ""), self._clock.now())
        return any(one.bundle.leaf == found.leaf and not one.is_revoked for one in known)

    def remove(self, name: str) -> None:
        with self._changing:
            live.remove(self._live, name)

    def load_ca(self) -> local_ca.LocalCa:
        """The local CA, made when there is none; its root certificate lies where people find it. A temporary one when
        the store's cannot be used, which is reported."""
        damage = self._store.damage
        try:
            ca = local_ca.load_or_create(self._store, self._clock.now())
        except errors.EnvironmentProblemError as error:
            self._temporary = self._temporary or local_ca.make_temporary(self._clock.now())
            meanwhile = "until then what it signed is served, and where there is nothing one of a temporary root"
            damage.note(local_ca.STORE_KEY, f"{error} ({meanwhile})", severity=model.Severity.ERROR)
            return self._temporary
        damage.clear(local_ca.STORE_KEY)
        try:
            local_ca.write_root(ca, self._root_certificate)
        except OSError as error:
            damage.note(
                _ROOT_CERTIFICATE,
                f"cannot write the local CA's root certificate to {self._root_certificate}: "
                f"{error.strerror or error}; free some space, or correct the rights of the state directory",
            )
        else:
            damage.clear(_ROOT_CERTIFICATE)
        return ca

    def _not_written(self, spec: model.CertificateSpec, error: OSError) -> errors.EnvironmentProblemError:
        return errors.EnvironmentProblemError(
            f'cannot write the certificate of "{spec.host}" under {self._live}: {error.strerror or error}; '
            "free some space, or correct the owner and the rights of the state directory"
        )

    def _own(self, spec: model.CertificateSpec, ca: local_ca.LocalCa) -> Served | None:
        """The owner's certificate. When the files are not usable now (say, half replaced): what they held before, if
        that is still there, else one of the local CA."""
        if spec.mode is not model.TlsMode.FILES:
            return None
        now, before = self._clock.now(), live.read(self._live, spec.name)
        try:
            found = own_files.read(spec)
            if before != found:  # else nginx serves it already
                own_files.check_loads(found)
        except bundle.BundleError as error:
            if before is None or before.missing(spec.names[:1]) or ca.is_issuer_of(before.leaf):
                local = self._local(spec, spec.names, ca, fresh=False)
                problem = own_files.make_problem(spec, f"{error} (until then one of the local CA is served)")
                return dataclasses.replace(local, problems=(problem,), is_stand_in=True)
            problem = own_files.make_problem(spec, f"{error} (until then the one from before is served)")
            return Served(kind=Kind.OWN, bundle=before, problems=(problem,), is_stand_in=True)
        faults = own_files.find_faults(found, spec, now, trusted=(ca.certificate.subject,))
        return Served(kind=Kind.OWN, bundle=found, problems=faults, changes_at=own_files.changes_at(found, now))

    def _choose(self, spec: model.CertificateSpec, ca: local_ca.LocalCa, *, fresh: bool) -> Served:
        """The best certificate of each name; one of the local CA for those without."""
        best = self._find_best(spec) if spec.mode is model.TlsMode.ACME else {}
        self._make_own(spec, best)
        bare = tuple(name for name in spec.names if name not in best)
        local = self._locals(spec, bare, ca, fresh=fresh) if bare or not best else None
        hosts = renewal.hosts_to_order(spec)
        main = best.get((hosts or spec.names)[0]) if best else None
        others = {issued.bundle.leaf: issued for issued in best.values() if issued is not main}
        parts = [
            Part(
                names=tuple(name for name, issued in best.items() if issued.bundle.leaf == leaf),
                kind=Kind.PUBLIC,
                bundle=other.bundle,
                directory=None if other.is_revoked else other.directory,
            )
            for leaf, other in others.items()
            if main is None or leaf != main.bundle.leaf
        ]
        if main is None:
            assert local is not None
            return dataclasses.replace(local, others=(*parts, *local.others))
        if local is not None:
            further = {name for part in local.others for name in part.names}
            first = tuple(name for name in bare if name not in further)
            parts += (Part(names=first, kind=Kind.LOCAL, bundle=local.bundle), *local.others)
        directory = None if main.is_revoked else main.directory
        return Served(kind=Kind.PUBLIC, bundle=main.bundle, directory=directory, others=tuple(parts))

    def _find_best(self, spec: model.CertificateSpec) -> dict[str, records.Issued]:
        """For each name that has one. Where nginx looks for one folder for all names, the one of the first name."""
        now, own, asked = self._clock.now(), self.stored.own(spec.name), self.directories_of(spec)
        hosts = renewal.hosts_to_order(spec)

        def worth(one: records.Issued) -> tuple[object, ...]:
            """Whether it is valid already does not matter: where it is not, our clock is wrong, not the CA's."""
            found = one.bundle
            return (
                not one.is_revoked,
                one.directory in asked,
                now < renewal.renew_at(found.not_before, found.not_after),
                -len(found.missing(hosts)),
                own is not None and found.leaf == own.bundle.leaf,
                found.not_after,
            )

        known = {name: self.stored.covering(name, now) for name in spec.names}
        best = {name: max(found, key=worth) for name, found in known.items() if found}
        if len(folders(spec)) > 1 or len(spec.names) < 2:
            return best
        first = best.get((hosts or spec.names)[0])
        return {} if first is None else dict.fromkeys(spec.names, first)

    def _make_own(self, spec: model.CertificateSpec, best: collections.abc.Mapping[str, records.Issued]) -> None:
        """What is good for all that would be ordered is as if it had been ordered for this certificate."""
        hosts = renewal.hosts_to_order(spec)
        found = best.get(hosts[0]) if hosts else None
        if found is None or found.is_revoked or found.bundle.missing(hosts):
            return
        own = self.stored.own(spec.name)
        if own is None or own.bundle.leaf != found.bundle.leaf:
            with contextlib.suppress(errors.EnvironmentProblemError):  # a full disk: the next start makes it its own
                self.stored.put_own(spec.name, found, self._clock.now())

    def _locals(
        self, spec: model.CertificateSpec, bare: tuple[str, ...], ca: local_ca.LocalCa, *, fresh: bool
    ) -> Served:
        """For many names several certificates, where nginx looks for one of each name."""
        size = _MOST_LOCAL_NAMES if len(folders(spec)) > 1 else max(1, len(bare))
        groups = [bare[start : start + size] for start in range(0, len(bare), size)] or [bare]
        first, *others = (self._local(spec, group, ca, fresh=fresh) for group in groups)
        parts = (
            Part(names=group, kind=Kind.LOCAL, bundle=one.bundle) for group, one in zip(groups[1:], others, strict=True)
        )
        return dataclasses.replace(first, others=tuple(parts))

    def _local(
        self, spec: model.CertificateSpec, bare: tuple[str, ...], ca: local_ca.LocalCa, *, fresh: bool
    ) -> Served:
        """bare: the names that have no other."""
        now, theirs = self._clock.now(), frozenset(bare)
        folder = next((folder for folder, name in folders(spec).items() if name in theirs), spec.name)
        before = live.read(self._live, folder)
        keep = (
            before is not None
            and not fresh
            and ca.is_named_by(before.leaf)
            and not before.missing(bare)
            and before.is_valid_at(now)
            and now < renewal.renew_at(before.not_before, before.not_after)
        )
        if before is not None and keep:
            return Served(kind=Kind.LOCAL, bundle=before, is_shared=live.is_shared(self._live, folder))
        return Served(kind=Kind.LOCAL, bundle=ca.issue(bare or _NAMELESS, now))


def folders(spec: model.CertificateSpec) -> dict[str, str]:
    """The folders under live/ that are for one certificate, each with the name that it is for; its own for the first
    name that is ordered."""
    hosts = renewal.hosts_to_order(spec) or spec.names
    shown = {names.slug(name): name for name in spec.shown}
    return shown if spec.name in shown else {spec.name: hosts[0] if hosts else "", **shown}


def _shown(spec: model.CertificateSpec, served: Served) -> dict[str, tuple[bundle.Bundle, Kind]]:
    """What each folder under live/ is to hold."""
    others = {name: part for part in reversed(served.others) for name in part.names}
    shown = {folder: others.get(name, served) for folder, name in folders(spec).items()}
    return {folder: (one.bundle, one.kind) for folder, one in shown.items()}


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
