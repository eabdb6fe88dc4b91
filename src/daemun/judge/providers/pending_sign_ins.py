"""Who was sent to an identity provider and has not come back. No I/O; the time is an argument, in seconds.

Bounded: each network has a share of its own (`network_table`).
"""

import base64
import dataclasses
import hashlib

from daemun.judge import network_table, session_table

WITHIN_S = 600.0
"""For whatever a person does at the provider."""
MOST = 5_000
MOST_OF_A_WIDE_NETWORK = 200
MOST_OF_A_NETWORK = 50


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """provider: its key. stamp: of the provider then. browser: digest of the cookie of who begins. network: of whom.
    nonce, verifier: OpenID Connect Core section 3.1.2.1, RFC 7636. to, challenge: where the visitor goes on to."""

    provider: str
    stamp: str
    browser: str
    network: str
    redirect_uri: str
    to: str = ""
    challenge: str = ""
    nonce: str = dataclasses.field(repr=False)
    verifier: str = dataclasses.field(repr=False)
    until_s: float


class PendingSignIns:
    """Sign-ins that were sent to a provider and have not come back, by their `state`. Not thread-safe."""

    def __init__(self) -> None:
        self._found: network_table.NetworkTable[Pending] = network_table.NetworkTable(
            most=MOST, most_of_wide=MOST_OF_A_WIDE_NETWORK, most_of_network=MOST_OF_A_NETWORK
        )

    def __len__(self) -> int:
        return len(self._found)

    def add(self, state: str, pending: Pending) -> None:
        self._found.add(session_table.digest(state), pending.network, pending)

    def take(self, state: str, browser: str, now_s: float) -> Pending | None:
        """The one of this state, which is over now; None: it is none, or another browser's, or too old."""
        pending = self._found.take(session_table.digest(state))
        if pending is None or now_s > pending.until_s or not browser:
            return None
        return pending if pending.browser == session_table.digest(browser) else None


def make_challenge(verifier: str) -> str:
    """RFC 7636 section 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
