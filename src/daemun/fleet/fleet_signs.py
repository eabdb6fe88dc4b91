"""Whether a machine may be a node of a fleet, found without reading its sites: the others load nothing of one."""

import pathlib

from daemun import errors, regular_files
from daemun.control import ports
from daemun.core.options import fleet_option

KEY = "node/fleet.json"
"""In the own store: to which fleet this machine belongs (`membership`)."""
START_AGAIN = (
    "run `daemun stop --keep-traffic`, and start daemun again where no service does that; nginx serves on meanwhile"
)


def may_be_node(own: ports.Store, config: pathlib.Path) -> bool:
    """False: it belongs to none, and its file (daemun.yaml) has no `fleet`. Never raises."""
    try:
        own.read(KEY)
    except errors.NotFoundInStoreError:
        pass
    except errors.EnvironmentProblemError:  # reported by whoever needs it
        return True
    else:
        return True
    try:
        return fleet_option.OPTION.name.encode() in regular_files.read(config)
    except OSError:
        return False
