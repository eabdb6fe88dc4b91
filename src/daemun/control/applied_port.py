"""The configurations that were applied, for those who look at them and go back to one (`daemun.sources.history`)."""

import typing

from daemun.control import history_port
from daemun.core.plan import hand_edits
from daemun.errors import NotFoundError

Json = dict[str, typing.Any]
"""As `daemun history --json`, `daemun diff --json` and `daemun rollback --json` have it: keys may be added, never
renamed."""


class UnknownEntryError(NotFoundError):
    """The history has no such number."""


class AppliedConfigurations(typing.Protocol):
    """A configuration is named by its number in the history, or by `now` (what was applied last) or `file` (what
    daemun.yaml and the files that it includes hold). No secret is in any answer.

    All methods raise: ConfigError (UnknownEntryError), EnvironmentProblemError.
    """

    async def list_newest(self, first: int, most: int) -> tuple[int, list[Json]]:
        """How many there are, and `most` of them from the `first` on, the newest first (0)."""
        ...

    async def show(self, name: str) -> Json:
        """One with what its files held."""
        ...

    async def compare(self, one: str, other: str) -> Json:
        """What differs in the files, sites first."""
        ...

    async def compare_nginx(self, one: str, other: str) -> Json:
        """What differs in nginx's files of both, as they would be made now."""
        ...

    async def roll_back(
        self, number: int, *, is_owner: bool, force: bool, trial_s: float | None, caller: history_port.Caller
    ) -> Json:
        """Write the files as they were, and apply them. Where that cannot go live, they are put back (ConfigError).

        is_owner: whether what `sources.owned_keys` has may change, which is a ConfigError else.
        force: also when something would be lost that the history does not have. trial_s: it is undone after so long
        unless it is confirmed; None: it stays."""
        ...

    async def find_drift(self) -> tuple[hand_edits.HandEdit, ...]:
        """nginx's files of the running generation that were edited by hand."""
        ...
