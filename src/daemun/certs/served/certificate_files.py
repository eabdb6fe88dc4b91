"""live/ holds what each name is to be shown (`choosing`), which can be chosen anew at any moment.

Choosing and putting into place are one step for all threads. Blocking, milliseconds, without any request to a CA.
"""

import collections.abc
import contextlib
import dataclasses
import datetime
import os
import pathlib
import threading

from daemun import errors
from daemun.certs.served import (
    bundle,
    certificate_records,
    certificate_selection,
    certificate_store,
    facts_file,
    key_types,
    live_folder,
    local_ca,
    shown_certificates,
)
from daemun.control import ports
from daemun.core import layout, model

NAMES_SHARED = 100
"""A certificate of so many names has about 3 kB."""
_ROOT_CERTIFICATE = "ca.pem"
"""As `damage_report.DamageReport` knows it; no key of a store."""


class CertificateFiles:
    """worker_gid: the group of nginx's workers; None: they run as the same account. directories_of: as in
    `certificate_selection`."""

    def __init__(
        self,
        store: ports.Store,
        paths: layout.Layout,
        clock: ports.Clock,
        *,
        worker_gid: int | None,
        directories_of: certificate_selection.DirectoriesOf,
    ) -> None:
        self._store = store
        self._live = pathlib.Path(paths.pairs)
        self._named_live = paths.live
        self._root_certificate = pathlib.Path(paths.root_certificate)
        self._clock = clock
        self._worker_gid = worker_gid
        self._changing = threading.Lock()
        self._temporary: local_ca.LocalCa | None = None
        self._kept_until: dict[str, datetime.datetime] = {}
        self._facts = facts_file.FactsFile(paths.certificate_facts, clock)
        self.stored = certificate_store.CertificateStore(store, self._facts.parse)
        self._chooser = certificate_selection.CertificateSelector(
            self.stored, self._live, clock, directories_of, self._facts.parse
        )

    def holds(self, spec: model.CertificateSpec) -> bool:
        last = layout.SECOND_KEY if spec.has_two_types else layout.KEY
        return all(
            os.path.exists(f"{self._live}/{name}/{last}")  # noqa: PTH110 - called for all names in every round
            for name in shown_certificates.folder_names(spec)
        )

    def mark(self, spec: model.CertificateSpec) -> object:
        """Equal as long as nothing changes what live/ holds of it, as `live_folder.mark`. None: something is
        missing."""
        marks = [
            live_folder.mark(self._live, folder, has_second=spec.has_two_types)
            for folder in shown_certificates.folder_names(spec)
        ]
        return None if None in marks else tuple(marks)

    def times(self) -> object:
        """Others as soon as a folder or a link of a name is gone, or is added."""
        return live_folder.times(self._live)

    def find_lost(
        self, known: collections.abc.Iterable[tuple[model.CertificateSpec, shown_certificates.ServedCertificate]]
    ) -> list[str]:
        """The certificates of which a folder or a link may not be there."""
        linked, written = live_folder.names(self._live), live_folder.written(self._live)
        return [
            spec.name
            for spec, served in known
            if spec.first is None
            and (
                not linked.issuperset(shown_certificates.folder_names(spec))
                or (spec.name not in written and not served.is_shared)
            )
        ]

    def is_intact(self, spec: model.CertificateSpec, served: shown_certificates.ServedCertificate) -> bool:
        """Whether live/ still holds what was put there."""
        return all(
            live_folder.holds(self._live, folder, one.bundle, worker_gid=self._worker_gid, second=one.second)
            for folder, one in shown_certificates.contents_of(spec, served).items()
        )

    def update_live(
        self, spec: model.CertificateSpec, *, fresh: bool = False, ca: local_ca.LocalCa | None = None
    ) -> shown_certificates.ServedCertificate:
        """Make live/ hold the best certificate there is for each name. fresh: do not keep one of the local CA.

        ca: of `load_ca`, for who settles many.
        What cannot be written is a problem of this certificate alone: what is there goes on. The second of two types
        has no folders: it is put into those of the first when that is settled.
        """
        with self._changing:
            ca = ca or self.load_ca()
            self._chooser.forget_live()
            self._mend_record(spec, ca)
            if spec.first is not None:
                return self._chooser.choose_second(spec, spec.first, ca)
            served = self._chooser.find_own(spec, ca) or self._chooser.choose(spec, ca, fresh=fresh)
            try:
                self._show(spec, served)
            except OSError as error:
                problem = model.Problem(
                    origin=model.NOWHERE,
                    message=str(self._not_written(spec, error)),
                    host=spec.host,
                    file=f"{self._named_live}/{spec.name}",
                )
                return dataclasses.replace(served, problems=(*served.problems, problem), is_written=False)
            return served

    def _mend_record(self, spec: model.CertificateSpec, ca: local_ca.LocalCa) -> None:
        """The store has lost what a CA issued, and live/ has not."""
        if not self.stored.is_own_damaged(spec.name):
            return
        found, now = self._read_live(spec), self._clock.now()
        if found is not None and now < found.not_after and not ca.is_named_by(found):
            with contextlib.suppress(errors.EnvironmentProblemError):
                self.stored.mend_own(spec.name, found, now)

    def _read_live(self, spec: model.CertificateSpec) -> bundle.Bundle | None:
        """What is shown of it."""
        if spec.first is None:
            return live_folder.read(self._live, spec.name, self._facts.parse)
        found = live_folder.read_second(self._live, spec.first.name, self._facts.parse)
        return found if found is not None and key_types.is_of_its_type(found, spec) else None

    def _show(self, spec: model.CertificateSpec, served: shown_certificates.ServedCertificate) -> None:
        """Each certificate is written once, into the folder of one of its names, and the others lead there."""
        homes: dict[tuple[str, str | None], str] = {}
        for folder, one in shown_certificates.contents_of(spec, served).items():
            found = one.bundle
            pair = (found.fingerprint, one.second.fingerprint if one.second is not None else None)
            home = homes.setdefault(pair, folder)
            if home != folder:
                live_folder.join(self._live, folder, home)
                continue
            before = self._chooser.read_live(folder)
            was_damaged = before is None and os.path.lexists(f"{self._live}/{folder}")
            self._facts.note(found)
            live_folder.replace(
                self._live,
                folder,
                found,
                before=before,
                worker_gid=self._worker_gid,
                # The local CA makes another one at any time, and waiting for the disk is nearly all the work.
                lasting=one.kind is not shown_certificates.CertificateSource.LOCAL,
                second=one.second,
            )
            if was_damaged:
                where = f"{self._named_live}/{folder}"
                message = f"the certificate in {where} was damaged or gone, and was made anew; look at the disk"
                self._store.damage.note(where, message)

    def share(
        self, specs: collections.abc.Sequence[model.CertificateSpec], ca: local_ca.LocalCa
    ) -> dict[str, shown_certificates.ServedCertificate]:
        """Make live/NAME hold certificates of the local CA that are for many sites each: ten thousand of their own take
        longer than all else that a first start does.

        specs: of names for which live/ and the store hold nothing. Returns: what those of them hold now for which this
        was done. Raises: EnvironmentProblemError when a file cannot be written.
        """
        served: dict[str, shown_certificates.ServedCertificate] = {}
        now = self._clock.now()
        with self._changing:
            alike = [spec for spec in specs if spec.mode is not model.TlsMode.FILES and self._may_share(spec, now)]
            for group in _groups(alike):
                found = ca.issue([name for spec in group for name in spec.names], now)
                try:
                    names_ = [folder for spec in group for folder in shown_certificates.folders(spec)]
                    has_second = any(spec.has_two_types for spec in group)
                    live_folder.share(self._live, names_, found, worker_gid=self._worker_gid, has_second=has_second)
                except OSError as error:
                    raise self._not_written(group[0], error) from error
                served |= {
                    spec.name: shown_certificates.ServedCertificate(
                        kind=shown_certificates.CertificateSource.LOCAL, bundle=found, is_shared=True
                    )
                    for spec in group
                }
        return served

    def _may_share(self, spec: model.CertificateSpec, now: datetime.datetime) -> bool:
        """Not what has no names that could be listed, or a certificate of a CA for one of them."""
        is_found = spec.mode is model.TlsMode.ACME and any(self.stored.covering(name, now) for name in spec.names)
        return 0 < len(spec.names) <= certificate_selection.MOST_LOCAL_NAMES and not is_found

    def put_issued(self, name: str, issued: certificate_records.Issued, records: ports.Store | None = None) -> None:
        """Keep what a CA issued; its order is finished. records: by which it is written; None: the store itself."""
        with self._changing:
            self.stored.put_own(name, issued, self._clock.now(), records)
            certificate_records.delete_order(records or self._store, name)

    def note_revoked(self, found: bundle.Bundle) -> None:
        """Another certificate is needed wherever this one is: it may be for several sites."""
        with self._changing:
            self.stored.note_revoked(found)

    def remove_except(self, specs: collections.abc.Sequence[model.CertificateSpec]) -> None:
        """Remove what is not needed any more. A CA's certificate that has not expired stays where other programs may
        read it, but where a site takes whatever names live/ has."""
        needed = {folder for spec in specs for folder in shown_certificates.folder_names(spec)}
        with self._changing:
            now = self._clock.now()
            left = live_folder.names(self._live) - needed
            keeps = not any(spec.takes_names for spec in specs)
            self._kept_until = {
                name: until for name, until in self._kept_until.items() if keeps and name in left and now < until
            }
            for name in left - self._kept_until.keys() if keeps else ():
                self._keep(name, now)
            live_folder.remove_except(self._live, needed | self._kept_until.keys())
        self.flush()

    def flush(self) -> None:
        """Write what the next start has use for."""
        self._facts.flush()

    def _keep(self, name: str, now: datetime.datetime) -> None:
        found = live_folder.read(self._live, name, self._facts.parse)
        if found is None or now >= found.not_after or not self._is_of_a_ca(found):
            return
        with contextlib.suppress(OSError):
            # One that it shared with others goes when they have a newer one.
            if live_folder.home_of(self._live, name) != name:
                live_folder.replace(self._live, name, found, before=None, worker_gid=self._worker_gid, lasting=True)
            self._kept_until[name] = found.not_after

    def _is_of_a_ca(self, found: bundle.Bundle) -> bool:
        known = self.stored.covering(next(iter(found.names()), ""), self._clock.now())
        return any(one.bundle.fingerprint == found.fingerprint and not one.is_revoked for one in known)

    def remove(self, name: str) -> None:
        with self._changing:
            live_folder.remove(self._live, name)

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
            f'cannot write the certificate of "{spec.host}" under {self._named_live}: {error.strerror or error}; '
            "free some space, or correct the owner and the rights of the state directory"
        )


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
