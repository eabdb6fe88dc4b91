"""Changes the states of sites and certificates by what probes found."""

import collections.abc
import dataclasses
import datetime

from daemun.control import ports
from daemun.core import model
from daemun.core.certificates import certificate_choice
from daemun.core.served import served_judgement
from daemun.probing import observations


class SiteJudge:
    """Turns the results of probes into states of sites and certificates. Not thread-safe."""

    def __init__(self, known: observations.Looks, clock: ports.Clock) -> None:
        self._looks = known
        self._clock = clock
        self._bad_since: dict[str, datetime.datetime] = {}
        self._paged_since: dict[str, datetime.datetime] = {}

    def judge(
        self, sites: tuple[model.SiteStatus, ...], certificates: collections.abc.Iterable[model.CertificateStatus]
    ) -> tuple[model.SiteStatus, ...]:
        """As `control.ports.Served`."""
        return self._judge_all(sites, self._find_bad(certificates))

    def judge_certificates(
        self, certificates: tuple[model.CertificateStatus, ...]
    ) -> tuple[model.CertificateStatus, ...]:
        """As `control.ports.Served`."""
        bad = {host for host, _ in self._looks.bad_handshakes()}
        if not bad:
            return certificates
        return tuple(
            served_judgement.judge_certificate(one, self._looks.look(one.host)) if one.host in bad else one
            for one in certificates
        )

    def find_troubles(
        self, sites: tuple[model.SiteStatus, ...], certificates: collections.abc.Iterable[model.CertificateStatus]
    ) -> tuple[model.SiteStatus, ...]:
        """The sites that visitors do not get, or get a 503 page of.

        A certificate that cannot be had is none of these troubles: it has alerts of its own, which know for how long it
        may be so."""
        bad = self._find_bad(certificates)
        refused = {name: one for name, one in bad.items() if one.state is not model.CertificateState.FAILING}
        unserved = tuple(one for one in self._judge_all(sites, refused) if one.state in served_judgement.STATES)
        now, paged = self._clock.now(), [one for one in sites if one.has_page]
        self._paged_since = {one.site.host: self._paged_since.get(one.site.host, now) for one in paged}
        return (*unserved, *(dataclasses.replace(one, since=self._paged_since[one.site.host]) for one in paged))

    def find_unserved(
        self, sites: tuple[model.SiteStatus, ...], certificates: collections.abc.Iterable[model.CertificateStatus]
    ) -> tuple[model.SiteStatus, ...]:
        """The sites that visitors do not get, or not as they should. certificates: those that are looked at."""
        bad = {one.name: one for one in certificates}
        return tuple(one for one in self._judge_all(sites, bad) if one.state in served_judgement.STATES)

    def _find_bad(
        self, certificates: collections.abc.Iterable[model.CertificateStatus]
    ) -> dict[str, model.CertificateStatus]:
        bad = {one.name: one for one in certificates if one.state in served_judgement.BAD_CERTIFICATES}
        now = self._clock.now()
        self._bad_since = {name: self._bad_since.get(name, now) for name in bad}
        return bad

    def _judge_all(
        self, sites: tuple[model.SiteStatus, ...], bad: dict[str, model.CertificateStatus]
    ) -> tuple[model.SiteStatus, ...]:
        noteworthy = self._looks.noteworthy()
        now = self._clock.now()
        if not bad and not noteworthy:
            return sites
        # One certificate may be for several sites.
        of_sites = (
            {one.site.host: name for one in sites if (name := certificate_choice.name_of(one.site)) in bad}
            if bad
            else {}
        )
        return tuple(
            self._judge(one, bad.get(of_sites.get(one.site.host, "")), now)
            if one.site.host in noteworthy or one.site.host in of_sites
            else one
            for one in sites
        )

    def _judge(
        self, status: model.SiteStatus, certificate: model.CertificateStatus | None, now: datetime.datetime
    ) -> model.SiteStatus:
        found = served_judgement.judge(status, self._looks.look(status.site.host), certificate, now)
        if certificate is None or found.state not in served_judgement.STATES or found.since is not None:
            return found
        return dataclasses.replace(found, since=self._bad_since.get(certificate.name))
