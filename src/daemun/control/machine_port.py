"""What is known of the machine beside sites: the nginx that serves, memory, disks. Values, and who finds them."""

import dataclasses
import typing

from daemun.core.alerts import gate_concerns


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MachineReport:
    """nginx: None: none serves, or that could not be found out. disks: of the state directory. daemon_bytes,
    nginx_bytes: memory, pages that are shared counted in part; None: this account may not know. total_bytes,
    available_bytes: of the machine, or of the container's limit. load: of the last minute, 5 and 15."""

    nginx: gate_concerns.ServingNginx | None
    disks: tuple[gate_concerns.DiskSpace, ...]
    daemon_bytes: int | None
    nginx_bytes: int | None
    total_bytes: int
    available_bytes: int
    cores: int
    load: tuple[float, float, float]


class MachinePort(typing.Protocol):
    def look(self) -> MachineReport:
        """Blocking, some tens of milliseconds."""
        ...
