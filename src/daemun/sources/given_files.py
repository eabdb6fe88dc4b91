"""Contents of the configuration's files that a fleet agreed on, read in place of those on the disk."""

import collections.abc
import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GivenFiles:
    """main: daemun.yaml. included: what it includes, all of it, by the names from its folder, in their order."""

    main: bytes = dataclasses.field(repr=False)
    included: collections.abc.Mapping[str, bytes] = dataclasses.field(repr=False)


FindGiven = collections.abc.Callable[[], GivenFiles | None]
"""What stands for the files now; None: they themselves. Blocking; called by any thread. Never raises."""
