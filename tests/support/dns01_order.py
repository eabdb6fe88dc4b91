"""A process that proves a name in DNS by a hook, and removes the proof: for tests that kill it in between.

python -m tests.support.dns01_order STORE RESOLVER HOOK SECRET
"""

import pathlib
import sys

from daemun.certs.acme import prover_port
from daemun.certs.dns01 import dns_prover, record_users
from daemun.core import model
from daemun.store import file_store
from tests.support import clock


def main(store: str, resolver: str, hook: str, secret: str) -> None:
    made = dns_prover.DnsProver(
        file_store.FileStore(pathlib.Path(store)), clock.FakeClock(), record_users.RecordUsers()
    )
    made.configure(model.Acme(resolvers=(resolver,)))
    dns = model.Dns(provider=model.HOOK, command=(hook, resolver, secret), wait_s=30)
    challenge = model.Challenge.DNS_01
    proof = prover_port.Proof(host="example.test", challenge=challenge, token="token", content="killed", dns=dns)
    made.present([proof])
    made.remove([proof])


if __name__ == "__main__":
    main(*sys.argv[1:])
