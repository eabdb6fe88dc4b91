"""The damaged keys of a store, as the status reports them (`damaged_keys` finds them)."""

import structlog

from daemun.core import model

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class DamageReport:
    """Which keys of one store are damaged. Thread-safe."""

    def __init__(self, *, is_logged: bool = True) -> None:
        """is_logged: False: of a store that may be another's, and is only tried."""
        self._is_logged = is_logged
        self._known: dict[str, model.Problem] = {}

    def note(self, key: str, message: str, *, severity: model.Severity = model.Severity.WARNING) -> None:
        """Report it from now on; in the log once."""
        found = model.Problem(origin=model.NOWHERE, message=message, severity=severity)
        if self._known.get(key) != found:
            self._known[key] = found
            if not self._is_logged:
                return
            (log.error if severity is model.Severity.ERROR else log.warning)(message)

    def note_mended(self, key: str, how: str) -> None:
        """What was noted of a value is over, and stays reported until the daemon ends: a disk may be about to fail."""
        was = self._known.pop(key, None)
        if was is not None:
            self.note(f"{key}, mended", f"{was.message}: {how}")

    def is_noted(self, key: str) -> bool:
        return key in self._known

    def clear(self, key: str) -> None:
        """The value can be used, or is not there any more."""
        self._known.pop(key, None)

    def problems(self) -> tuple[model.Problem, ...]:
        return tuple(found for _, found in sorted(self._known.items()))
