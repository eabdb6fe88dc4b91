"""Which keys are one machine's own, and which belong to all machines of a fleet. Pure."""

import re

_OF_NODE = re.compile(
    r"""
    discovery/.*            # addresses of this machine, what its DNS responder found
    | history/.*            # what this machine applied, its file, listing of containers and change on trial
    | judge/.*              # what this machine's process of sign-ins was given
    | certs/[^/]+/hook\.json  # a command that this machine still has to run
    | alerts/.*             # what this machine sent
    | bans/crowdsec\.json   # which each machine asks for its decisions
    | node/.*               # what this machine knows of its fleet
    | traffic/.*            # what each machine counted: others read it in the database, and copy none of it
    | invitations/.*        # the fleet's key for a machine that joins, which no other one reads
    """,
    re.VERBOSE,
)


def is_of_node(key: str) -> bool:
    """Whether the key stays on the machine that wrote it; any other belongs to the fleet: accounts, certificates and
    orders, what was ordered of CAs, the CAs of this house, users, tokens, sessions, bans, the configuration
    and the change of it that is under way, names on demand, drafts, records in DNS."""
    return _OF_NODE.fullmatch(key) is not None


_ISSUED = re.compile(r"certs/[^/]+/certificate\.json")


def is_kept_newest(key: str) -> bool:
    """Whether a machine that has a newer value than a database that went back (a standby that lost the last changes, an
    older copy) brings it there again: a certificate that was issued, which would be ordered once more."""
    return _ISSUED.fullmatch(key) is not None
