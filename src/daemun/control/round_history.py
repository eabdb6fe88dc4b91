"""Reports each round, with who requested it, to the history of applied configurations."""

from daemun.control import history_port, reconciler
from daemun.core import model

_MOST_CALLERS = 20
_MOST_REFUSED = 3
_DOCKER = "docker"


class RoundHistory:
    """Reports each round to the history, with the caller that requested it. Called on one event loop."""

    def __init__(self, history: history_port.History) -> None:
        self._history = history
        self._callers: tuple[tuple[int, history_port.Caller], ...] = ()
        """With the number of what each requested."""
        self._desired: model.Desired | None = None
        self._routes: tuple[history_port.ContainerRoute, ...] = ()

    def add_caller(self, request: int, caller: history_port.Caller | None) -> None:
        """request: its number, which grows."""
        if caller is not None:
            self._callers = (*self._callers, (request, caller))[-_MOST_CALLERS:]

    def problems(self) -> tuple[model.Problem, ...]:
        return self._history.problems()

    def note(self, last: reconciler.Outcome, *, done: int, also: int | None = None) -> None:
        """Nothing is where a source could not be read: what it held before was applied once more.

        done: the last request that was made before this round began. Who requested one since waits for the next.
        also: one of those, whose change this round saw all the same.
        """
        callers = tuple(caller for request, caller in self._callers if request <= done or request == also)
        self._callers = tuple(one for one in self._callers if one[0] > done and one[0] != also)
        if last.unread:
            return
        if self._desired is None or self._desired.sites != last.desired.sites:
            self._desired, self._routes = last.desired, _find_routes(last.desired)
        refused = [str(one) for one in last.problems if one.severity is model.Severity.ERROR]
        changes = () if last.plan is None else (*last.plan.changes, *last.plan.streams)
        self._history.note(
            history_port.AppliedRound(
                is_complete=last.ok,
                is_held=last.held is not None,
                failure=last.error,
                refused="; ".join(refused[:_MOST_REFUSED]),
                generation=last.generation,
                changes=tuple(map(str, changes)),
                routes=self._routes,
                callers=callers,
            )
        )


def _find_routes(desired: model.Desired) -> tuple[history_port.ContainerRoute, ...]:
    """Of containers, without their addresses, which change with every start of one."""
    return tuple(
        sorted(
            {
                history_port.ContainerRoute(host=site.host, path=route.path, origin=str(route.origin))
                for site in desired.sites
                for route in site.routes
                if route.origin.source == _DOCKER
            },
            key=lambda one: (one.host, one.path, one.origin),
        )
    )
