"""Which certificate each name is shown: the best of a CA that the store has for it, else one of the local CA.

The answer depends only on the store, the owner's files, live/ and the time. Blocking, milliseconds.
"""

import collections.abc
import contextlib
import dataclasses
import pathlib

from daemun import errors
from daemun.certs.served import (
    bundle,
    certificate_records,
    certificate_store,
    key_types,
    live_folder,
    local_ca,
    own_files,
    shown_certificates,
)
from daemun.control import ports
from daemun.core import model
from daemun.core.issuance import renewal_time

MOST_LOCAL_NAMES = 250
"""In one certificate of the local CA: 64 kB of the longest names. Clients refuse chains of 100 kB."""
_NAMELESS = ("localhost",)
"""What the local CA signs in the place of a certificate for names that cannot be listed."""


DirectoriesOf = collections.abc.Callable[[model.CertificateSpec], collections.abc.Container[str]]
"""The directory URLs of CAs."""


class CertificateSelector:
    """Chooses the certificate that each name is served with. One caller at a time. live: the folder. directories_of:
    the CAs that a certificate is ordered from; theirs are shown before those of others."""

    def __init__(
        self,
        stored_: certificate_store.CertificateStore,
        live_: pathlib.Path,
        clock: ports.Clock,
        directories_of: DirectoriesOf,
        parse: live_folder.Parse,
    ) -> None:
        self._directories_of = directories_of
        self._stored = stored_
        self._live = live_
        self._clock = clock
        self._parse = parse
        self._seen: dict[str, bundle.Bundle | None] = {}

    def read_live(self, folder: str) -> bundle.Bundle | None:
        """As `live_folder.read`, once until `forget_live`."""
        if folder not in self._seen:
            self._seen[folder] = live_folder.read(self._live, folder, self._parse)
        return self._seen[folder]

    def forget_live(self) -> None:
        """It is about to change, or may have changed."""
        self._seen.clear()

    def find_own(
        self, spec: model.CertificateSpec, ca: local_ca.LocalCa
    ) -> shown_certificates.ServedCertificate | None:
        """The owner's certificate. When the files are not usable now (say, half replaced): what they held before, if
        that is still there, else one of the local CA."""
        if spec.mode is not model.TlsMode.FILES:
            return None
        now, before = self._clock.now(), self.read_live(spec.name)
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
            return shown_certificates.ServedCertificate(
                kind=shown_certificates.CertificateSource.OWN, bundle=before, problems=(problem,), is_stand_in=True
            )
        faults = own_files.find_faults(found, spec, now, trusted=(ca.certificate.subject,))
        return shown_certificates.ServedCertificate(
            kind=shown_certificates.CertificateSource.OWN,
            bundle=found,
            problems=faults,
            changes_at=own_files.changes_at(found, now),
        )

    def choose(
        self, spec: model.CertificateSpec, ca: local_ca.LocalCa, *, fresh: bool
    ) -> shown_certificates.ServedCertificate:
        """The best certificate of each name; one of the local CA for those without."""
        best = self._find_best(spec) if spec.mode is model.TlsMode.ACME else {}
        if best:
            self._make_own(spec, best)
            served = self._put_together(spec, best, ca, fresh=fresh)
        else:
            served = self._locals(spec, spec.names, ca, fresh=fresh)
        return dataclasses.replace(served, seconds=self._find_seconds(spec, served)) if spec.has_two_types else served

    def _put_together(
        self,
        spec: model.CertificateSpec,
        best: collections.abc.Mapping[str, certificate_records.Issued],
        ca: local_ca.LocalCa,
        *,
        fresh: bool,
    ) -> shown_certificates.ServedCertificate:
        bare = tuple(name for name in spec.names if name not in best)
        local = self._locals(spec, bare, ca, fresh=fresh) if bare else None
        hosts = renewal_time.hosts_to_order(spec)
        main = best.get((hosts or spec.names)[0])
        others = {issued.bundle.fingerprint: issued for issued in best.values() if issued is not main}
        parts = [
            shown_certificates.OtherNames(
                names=tuple(name for name, issued in best.items() if issued.bundle.fingerprint == fingerprint),
                kind=shown_certificates.CertificateSource.PUBLIC,
                bundle=other.bundle,
                directory=_directory_of(other, spec),
            )
            for fingerprint, other in others.items()
            if main is None or fingerprint != main.bundle.fingerprint
        ]
        if main is None:
            assert local is not None
            return dataclasses.replace(local, others=(*parts, *local.others))
        if local is not None:
            further = {name for part in local.others for name in part.names}
            first = tuple(name for name in bare if name not in further)
            parts += (
                shown_certificates.OtherNames(
                    names=first, kind=shown_certificates.CertificateSource.LOCAL, bundle=local.bundle
                ),
                *local.others,
            )
        directory = _directory_of(main, spec)
        return shown_certificates.ServedCertificate(
            kind=shown_certificates.CertificateSource.PUBLIC,
            bundle=main.bundle,
            directory=directory,
            others=tuple(parts),
        )

    def _find_seconds(
        self, spec: model.CertificateSpec, served: shown_certificates.ServedCertificate
    ) -> tuple[tuple[str, bundle.Bundle], ...]:
        """Beside which names a certificate with a key of the other type is shown. Which one a client takes is its
        choice, so never one that is worse."""
        if spec.mode is not model.TlsMode.ACME or not renewal_time.hosts_to_order(spec):
            return ()
        second, directories = key_types.second_of(spec), self._directories_of(spec)
        parts = served.parts()

        def is_worse(name: str, issued: certificate_records.Issued) -> bool:
            is_of_another = _is_of(parts.get(name, served).directory, directories) and not _is_of(
                issued.directory, directories
            )
            return issued.is_revoked or is_of_another

        return tuple(
            (name, issued.bundle)
            for name, issued in self._find_best(second).items()
            if issued.bundle.fingerprint != parts.get(name, served).bundle.fingerprint and not is_worse(name, issued)
        )

    def choose_second(
        self, spec: model.CertificateSpec, first: model.CertificateSpec, ca: local_ca.LocalCa
    ) -> shown_certificates.ServedCertificate:
        """What clients get that take keys of this type: where there is none, what the others get."""
        best = self._find_best(spec)
        self._make_own(spec, best)
        others = self.choose(first, ca, fresh=False)
        of_others = others.parts()
        pieces: dict[str, shown_certificates.OtherNames] = {}
        for name in spec.names:
            one = of_others.get(name, others)
            pieces[name] = (
                shown_certificates.OtherNames(
                    names=(),
                    kind=shown_certificates.CertificateSource.PUBLIC,
                    bundle=best[name].bundle,
                    directory=_directory_of(best[name], spec),
                )
                if name in best
                else shown_certificates.OtherNames(names=(), kind=one.kind, bundle=one.bundle)
            )
        main = pieces[renewal_time.hosts_to_order(spec)[0]]
        parts = {one.bundle.fingerprint: one for one in pieces.values()}
        parts.pop(main.bundle.fingerprint, None)
        return shown_certificates.ServedCertificate(
            kind=main.kind,
            bundle=main.bundle,
            directory=main.directory,
            others=tuple(
                dataclasses.replace(
                    one, names=tuple(name for name in pieces if pieces[name].bundle.fingerprint == fingerprint)
                )
                for fingerprint, one in parts.items()
            ),
        )

    def _find_best(self, spec: model.CertificateSpec) -> dict[str, certificate_records.Issued]:
        """For each name that has one. Where nginx looks for one folder for all names, the one of the first name. Of the
        second of two types only those of its type."""
        now, own, directories = self._clock.now(), self._stored.own(spec.name), self._directories_of(spec)
        hosts = renewal_time.hosts_to_order(spec)

        def worth(one: certificate_records.Issued) -> tuple[object, ...]:
            """Whether it is valid already does not matter: where it is not, our clock is wrong, not the CA's."""
            found = one.bundle
            return (
                not one.is_revoked,
                one.directory in directories,
                key_types.is_of_its_type(found, spec),
                now < renewal_time.renew_at(found.not_before, found.not_after),
                -len(found.missing(hosts)),
                own is not None and found.fingerprint == own.bundle.fingerprint,
                found.not_after,
            )

        known = {name: self._stored.covering(name, now) for name in spec.names}
        if spec.first is not None:
            known = {
                name: [one for one in found if key_types.is_of_its_type(one.bundle, spec)]
                for name, found in known.items()
            }
        best = {name: max(found, key=worth) for name, found in known.items() if found}
        if len(shown_certificates.folders(spec.first or spec)) > 1 or len(spec.names) < 2:
            return best
        first = best.get((hosts or spec.names)[0])
        return {} if first is None else dict.fromkeys(spec.names, first)

    def _make_own(
        self, spec: model.CertificateSpec, best: collections.abc.Mapping[str, certificate_records.Issued]
    ) -> None:
        """What is good for all that would be ordered is as if it had been ordered for this certificate."""
        hosts = renewal_time.hosts_to_order(spec)
        found = best.get(hosts[0]) if hosts else None
        if found is None or _directory_of(found, spec) is None or found.bundle.missing(hosts):
            return
        own = self._stored.own(spec.name)
        if own is None or own.bundle.fingerprint != found.bundle.fingerprint:
            with contextlib.suppress(errors.EnvironmentProblemError):  # a full disk: the next start makes it its own
                self._stored.put_own(spec.name, found, self._clock.now())

    def _locals(
        self, spec: model.CertificateSpec, bare: tuple[str, ...], ca: local_ca.LocalCa, *, fresh: bool
    ) -> shown_certificates.ServedCertificate:
        """For many names several certificates, where nginx looks for one of each name."""
        if len(bare) < 2:
            return self._local(spec, bare, ca, fresh=fresh)
        size = MOST_LOCAL_NAMES if len(shown_certificates.folders(spec)) > 1 else len(bare)
        groups = [bare[start : start + size] for start in range(0, len(bare), size)]
        first, *others = (self._local(spec, group, ca, fresh=fresh) for group in groups)
        parts = (
            shown_certificates.OtherNames(
                names=group, kind=shown_certificates.CertificateSource.LOCAL, bundle=one.bundle
            )
            for group, one in zip(groups[1:], others, strict=True)
        )
        return dataclasses.replace(first, others=tuple(parts))

    def _local(
        self, spec: model.CertificateSpec, bare: tuple[str, ...], ca: local_ca.LocalCa, *, fresh: bool
    ) -> shown_certificates.ServedCertificate:
        """bare: the names that have no other."""
        now, theirs = self._clock.now(), frozenset(bare)
        folder = next(
            (folder for folder, name in shown_certificates.folders(spec).items() if name in theirs), spec.name
        )
        before = self.read_live(folder)
        keep = (
            before is not None
            and not fresh
            and ca.is_named_by(before)
            and not before.missing(bare)
            and before.is_valid_at(now)
            and now < renewal_time.renew_at(before.not_before, before.not_after)
        )
        if before is not None and keep:
            return shown_certificates.ServedCertificate(
                kind=shown_certificates.CertificateSource.LOCAL,
                bundle=before,
                is_shared=live_folder.is_shared(self._live, folder),
            )
        return shown_certificates.ServedCertificate(
            kind=shown_certificates.CertificateSource.LOCAL, bundle=ca.issue(bare or _NAMELESS, now)
        )


def _directory_of(issued: certificate_records.Issued, spec: model.CertificateSpec) -> str | None:
    """As of `Served`."""
    is_as_wanted = not issued.is_revoked and key_types.is_of_its_type(issued.bundle, spec)
    return issued.directory if is_as_wanted else None


def _is_of(directory: str | None, directories: collections.abc.Container[str]) -> bool:
    return directory is not None and (directory == certificate_records.UNKNOWN or directory in directories)
