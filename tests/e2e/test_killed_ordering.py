"""SIGKILL at each request of an order, before the CA gets it and before its answer arrives: the next start goes on.

In the short form every second request, at one of these two moments.
"""

import collections.abc
import os
import signal

import pytest

from tests.support import acme_proxy, clients, pebble
from tests.support.daemon import Daemon

pytestmark = [pytest.mark.nginx, pytest.mark.pebble, pytest.mark.timeout(600)]

HOST = "killed.example.com"
IS_DEEP = bool(os.environ.get("DAEMUN_TEST_DEEP"))


def has_public_certificate(daemon: Daemon) -> bool:
    shown = clients.try_handshake(daemon.gate, HOST)
    return shown is not None and shown.certificate is not None and "Pebble" in shown.issuer


def is_at_rest(proxy: acme_proxy.Proxy) -> bool:
    """The last thing that is asked: when the CA wants the new certificate to be renewed."""
    return not proxy.open and bool(proxy.seen) and "renewal" in proxy.seen[-1]


def forget(daemon: Daemon) -> None:
    """An empty state once more; nginx ends with the daemon."""
    daemon.terminate()
    for path in sorted(daemon.state.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()


def count_requests(daemon: Daemon, proxy: acme_proxy.Proxy) -> int:
    """How many requests it takes that nobody disturbs, from the account's registration to the renewal's window."""
    daemon.start()
    daemon.wait(lambda: has_public_certificate(daemon), "Pebble's certificate", within_s=90)
    daemon.wait(lambda: is_at_rest(proxy), "the last request")
    count = len(proxy.seen)
    forget(daemon)
    return count


def moments(requests: int) -> collections.abc.Iterator[acme_proxy.Moment]:
    if IS_DEEP:
        for number in range(1, requests + 1):
            yield acme_proxy.Moment(number, is_answered=False)
            yield acme_proxy.Moment(number, is_answered=True)
    else:
        for number in range(1, requests + 1, 2):
            yield acme_proxy.Moment(number, is_answered=number % 4 == 1)


@pytest.mark.walk
def test_killed_at_every_request_of_an_order(daemon: Daemon) -> None:
    with pebble.running_pebble(daemon.http) as ca, acme_proxy.in_front_of(ca) as proxy:
        authority = f"directory: '{proxy.directory}', ca_file: {ca.ca_file}, resolvers: '{ca.resolver}'"
        daemon.preamble = f"acme: {{{authority}}}\n"
        daemon.write(f"sites:\n  {HOST}: {{routes: {{/: {{redirect: https://x.test}}}}}}\n")
        requests = count_requests(daemon, proxy)
        killed = []

        for deadly in moments(requests):
            proxy.seen.clear()
            orders = ca.orders

            def kill(moment: acme_proxy.Moment, deadly: acme_proxy.Moment = deadly) -> bool:
                if moment == deadly:
                    os.kill(daemon.pid, signal.SIGKILL)
                return moment != deadly

            proxy.at = kill
            daemon.start()
            daemon.wait_exit()
            proxy.at = lambda _: True
            killed.append(f"{proxy.seen[-1]}{' (answered)' if deadly.is_answered else ''}")
            assert clients.try_handshake(daemon.gate, HOST) is not None, "nginx serves on"

            proxy.seen.clear()
            daemon.start()
            daemon.wait(lambda: has_public_certificate(daemon), f"a certificate after {killed[-1]}", within_s=90)
            daemon.wait(lambda: is_at_rest(proxy), "the last request")
            # Of an order whose answer never arrived nothing is known here. Let's Encrypt gives the same one again.
            is_lost = deadly.is_answered and "order-plz" in killed[-1]
            assert ca.orders - orders == 1 + is_lost, killed[-1]
            assert daemon.wait_ready()["problems"] == []
            forget(daemon)
        print(f"\nkilled at {len(killed)} moments, such as {killed[0]}, {killed[len(killed) // 2]}, {killed[-1]}")
