"""What the loop needs of who may come in: the judge (`daemun.judge`) and bans (`daemun.banning`). As in `ports`, each
Protocol's docstring is its contract.
"""

import collections.abc
import datetime
import typing

from daemun.core import model
from daemun.core.access import banned_networks, judge_policies


class Judge(typing.Protocol):
    """The process that decides for nginx who may come in (`daemun.judge`); it outlives the daemon."""

    async def prepare(
        self, desired: collections.abc.Collection[judge_policies.AnyPolicy], live: collections.abc.Mapping[str, bytes]
    ) -> tuple[model.Problem, ...]:
        """Make the process know these policies, and those of before that nginx's files `live` still name; it is started
        when there are any. Returns: why visitors are kept out meanwhile. Never raises."""
        ...

    async def confirm(self, live: collections.abc.Mapping[str, bytes]) -> None:
        """nginx runs these files: forget the policies that neither they nor the last `prepare` name. Never raises."""
        ...

    def problems(self) -> tuple[model.Problem, ...]:
        """What keeps people from signing in elsewhere now, at identity providers."""
        ...


class Bans(typing.Protocol):
    """Addresses that are refused on every site (`daemun.banning`)."""

    def list(self) -> tuple[banned_networks.Ban, ...]: ...

    def find_attacks(self) -> tuple[banned_networks.Ban, ...]:
        """Who guessed passwords, and whom CrowdSec had refused, in the last day: the newest first, a bounded number.
        Some of them may come in again."""
        ...

    def problems(self) -> tuple[model.Problem, ...]: ...

    async def ban(self, text: str, duration: datetime.timedelta | None) -> tuple[banned_networks.Ban, bool]:
        """duration: None: for good. Returns: the ban, and whether it holds only once nginx was reloaded.

        Raises: ConfigError: it is no address, or one that is never banned."""
        ...

    async def unban(self, text: str) -> banned_networks.Ban:
        """Raises: ConfigError: it is not banned, or another one decides."""
        ...
