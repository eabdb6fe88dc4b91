"""Chooses what names are served with before any order: at the start, and when sites changed."""

import collections.abc
import dataclasses

from daemun.certs.managed import schedule
from daemun.certs.served import certificate_files, certificate_records, local_ca, shown_certificates
from daemun.control import ports
from daemun.core import model

MOST_BEGUN_ALONE = 200
"""With more new certificates than this at once, sites share some of the local CA until each has its own."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preparer:
    """Gives every name a certificate before any order: a stored one, else one of the local CA. Blocking. Certificates
    that did not change cost one comparison of times."""

    store: ports.Store
    served_files: certificate_files.CertificateFiles

    def prepare(
        self,
        specs: collections.abc.Sequence[model.CertificateSpec],
        entries: dict[str, schedule.ManagedCertificate],
        *,
        is_anew: bool = False,
    ) -> dict[str, schedule.ManagedCertificate]:
        """Make live/ hold a certificate for every spec. entries: of the certificates so far. is_anew: the CAs are not
        those of before.

        Returns: what is known of those of `specs` now. Raises: EnvironmentProblemError when a file cannot be written.
        """
        ca = self.served_files.load_ca()
        recorded: frozenset[str] | None = None
        shared = self._share(specs, entries, ca)
        entries = {}
        for spec in specs:
            if spec.name in shared:
                entries[spec.name] = shared[spec.name]
                continue
            entry = entries.get(spec.name)
            is_unchanged = (
                entry is not None
                and (entry.spec is spec or entry.spec == spec)
                and entry.served.is_written
                and self.served_files.holds(spec)
                and (not is_anew or spec.mode is not model.TlsMode.ACME)
                # A new root (the old one was near its end, or deleted) signs anew what the old one did.
                and (
                    entry.served.kind is not shown_certificates.CertificateSource.LOCAL
                    or ca.is_named_by(entry.served.bundle)
                )
            )
            if entry is None or not is_unchanged or spec.mode is model.TlsMode.FILES:
                if recorded is None:  # one look instead of several for each of perhaps thousands
                    recorded = certificate_records.names(self.store)
                entry = self._look_up(spec, entry, ca, has_records=spec.name in recorded)
            entries[spec.name] = entry
        return entries

    def _share(
        self,
        specs: collections.abc.Sequence[model.CertificateSpec],
        entries: dict[str, schedule.ManagedCertificate],
        ca: local_ca.LocalCa,
    ) -> dict[str, schedule.ManagedCertificate]:
        """Of very many new certificates, those that begin as shared ones of the local CA."""
        new = [spec for spec in specs if spec.name not in entries and spec.first is None]
        if len(new) <= MOST_BEGUN_ALONE:
            return {}
        recorded = certificate_records.names(self.store)
        new = [spec for spec in new if spec.name not in recorded and not self.served_files.holds(spec)]
        if len(new) <= MOST_BEGUN_ALONE:
            return {}
        served = self.served_files.share(new, ca)
        return {
            spec.name: schedule.ManagedCertificate(spec=spec, served=served[spec.name])
            for spec in new
            if spec.name in served
        }

    def _look_up(
        self,
        spec: model.CertificateSpec,
        before: schedule.ManagedCertificate | None,
        ca: local_ca.LocalCa,
        *,
        has_records: bool,
    ) -> schedule.ManagedCertificate:
        served = self.served_files.update_live(spec, ca=ca)
        if before is None:
            attempts, advice = certificate_records.read_attempts(self.store, spec.name) if has_records else None, None
            if served.kind is shown_certificates.CertificateSource.PUBLIC:
                advice = certificate_records.read_advice(self.store, spec.name)
            return schedule.ManagedCertificate(spec=spec, served=served, attempts=attempts, advice=advice)
        # A changed way of ordering (a password, say) is to be tried now.
        attempts = before.attempts if before.spec.ordering == spec.ordering else None
        return schedule.ManagedCertificate(spec=spec, served=served, attempts=attempts, advice=before.advice)
