"""What handshakes are expected to show: the fingerprints of what daemun serves for each name.

Collected anew at most once a second, because there may be ten thousand. The time is an argument."""

import collections.abc

from daemun.core import model

AGAIN_S = 1.0
CHANGED_EVERY_S = 5.0
"""How often is looked for certificates that changed."""


class ExpectedCertificates:
    """Fingerprints of the certificates that handshakes should show, collected at most once a second. find_certificates:
    what daemun serves. Not thread-safe."""

    def __init__(
        self, find_certificates: collections.abc.Callable[[], collections.abc.Iterable[model.CertificateStatus]]
    ) -> None:
        self._find_certificates = find_certificates
        self._known: dict[str, set[str]] = {}
        self._of_rsa: dict[str, set[str]] = {}
        self._collected_at: float | None = None
        self._may_differ = True
        self._changed: dict[str, None] = {}

    def note_change(self) -> None:
        """Others may be served now."""
        self._may_differ = True

    def find(self, name: str, shown: str | None, now_s: float, *, only_rsa: bool = False) -> collections.abc.Set[str]:
        """Those of a name. shown: what a handshake showed: when it is another one, all are collected anew. only_rsa:
        what clients are shown that take no other keys, where two types are served."""
        known = self._of(name, only_rsa=only_rsa)
        if shown not in known and self._is_older_than(AGAIN_S, now_s):
            self._collect(now_s)
            known = self._of(name, only_rsa=only_rsa)
        return known

    def has_rsa(self, name: str, now_s: float) -> bool:
        """Whether clients that take only RSA are shown a certificate, where two types are served. Of a known name
        `take_changed` has what changed: after a start, others change for minutes."""
        again_s = CHANGED_EVERY_S if self._of(name) else AGAIN_S
        if self._may_differ and self._is_older_than(again_s, now_s):
            self._collect(now_s)
        return bool(self._of(name, only_rsa=True))

    def take_changed(self, now_s: float) -> tuple[str, ...]:
        """The names, no wildcards, that another certificate is served for than before; a handshake shows it."""
        if self._may_differ and self._is_older_than(CHANGED_EVERY_S, now_s):
            self._collect(now_s)
        changed, self._changed = tuple(self._changed), {}
        return changed

    def _of(self, name: str, *, only_rsa: bool = False) -> collections.abc.Set[str]:
        known = self._of_rsa if only_rsa else self._known
        return known.get(name) or known.get(f"*.{name.partition('.')[2]}") or frozenset()

    def _is_older_than(self, age_s: float, now_s: float) -> bool:
        return self._collected_at is None or now_s - self._collected_at >= age_s

    def _collect(self, now_s: float) -> None:
        before = self._known
        self._collected_at, self._may_differ, self._known, self._of_rsa = now_s, False, {}, {}
        for one in self._find_certificates():
            others = (other.fingerprint for other in one.others)
            shown = {found for found in (one.fingerprint, *others) if found is not None}
            for carried in one.names:
                self._known.setdefault(carried, set()).update(shown)
            for carried, fingerprint in one.rsa_shown:
                self._of_rsa.setdefault(carried, set()).add(fingerprint)
        for name, found in self._known.items():
            if name in before and before[name] != found and not name.startswith("*."):
                self._changed[name] = None
