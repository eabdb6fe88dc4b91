"""What handshakes are expected to show: the fingerprints of what daemun serves for each name.

Collected anew at most once a second, because there may be ten thousand. The time is an argument."""

import collections.abc

from daemun.core import model

AGAIN_S = 1.0
CHANGED_EVERY_S = 5.0
"""How often is looked for certificates that changed."""


class ExpectedCertificates:
    """find_certificates: what daemun serves. Not thread-safe."""

    def __init__(
        self, find_certificates: collections.abc.Callable[[], collections.abc.Iterable[model.CertificateStatus]]
    ) -> None:
        self._find_certificates = find_certificates
        self._known: dict[str, set[str]] = {}
        self._collected_at: float | None = None
        self._may_differ = True
        self._changed: dict[str, None] = {}

    def note_change(self) -> None:
        """Others may be served now."""
        self._may_differ = True

    def find(self, name: str, shown: str, now_s: float) -> collections.abc.Set[str]:
        """Those of a name. shown: what a handshake showed: when it is another one, all are collected anew."""
        known = self._of(name)
        if shown not in known and self._is_older_than(AGAIN_S, now_s):
            self._collect(now_s)
            known = self._of(name)
        return known

    def take_changed(self, now_s: float) -> tuple[str, ...]:
        """The names, no wildcards, that another certificate is served for than before; a handshake shows it."""
        if self._may_differ and self._is_older_than(CHANGED_EVERY_S, now_s):
            self._collect(now_s)
        changed, self._changed = tuple(self._changed), {}
        return changed

    def _of(self, name: str) -> collections.abc.Set[str]:
        return self._known.get(name) or self._known.get(f"*.{name.partition('.')[2]}") or frozenset()

    def _is_older_than(self, age_s: float, now_s: float) -> bool:
        return self._collected_at is None or now_s - self._collected_at >= age_s

    def _collect(self, now_s: float) -> None:
        before = self._known
        self._collected_at, self._may_differ, self._known = now_s, False, {}
        for one in self._find_certificates():
            others = (other.fingerprint for other in one.others)
            shown = {found for found in (one.fingerprint, *others) if found is not None}
            for carried in one.names:
                self._known.setdefault(carried, set()).update(shown)
        for name, found in self._known.items():
            if name in before and before[name] != found and not name.startswith("*."):
                self._changed[name] = None
