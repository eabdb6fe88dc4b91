"""What the log has of a start that came to its end."""

import structlog

from daemun import settings
from daemun.control import gate
from daemun.core.served import served_judgement
from daemun.wiring import nginx_exposure

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def announce(front: gate.Gate, *, is_seen: bool) -> None:
    """is_seen: whether each server was tried."""
    status = front.status(added=False)
    counted = served_judgement.count_all(status.sites, status.streams)
    log.info(
        "daemun is up",
        version=status.version,
        sites=counted if is_seen else f"{counted}, their servers are tried next",
        nginx=status.nginx_version,
        config=status.config_path,
        state=status.state_dir,
    )


def warn_of_allocator(chosen: settings.Settings, path: str) -> None:
    for found in nginx_exposure.look_at_allocator(chosen, path):
        log.warning(f"{found.message}; {found.cure}")
