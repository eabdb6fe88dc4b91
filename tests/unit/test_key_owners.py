"""Which keys of the store stay on their machine where several share one front."""

import pytest

from daemun.store import key_owners

OF_NODE = (
    "discovery/addresses",
    "discovery/place",
    "history/daemon.yaml",
    "history/included.json",
    "history/docker.json",
    "history/trial",
    "history/confirmed",
    "history/applied/1",
    "judge/policies.json",
    "certs/shop.example.com/hook.json",
    "alerts/ledger.json",
    "node/seen.json",
)
OF_FLEET = (
    "accounts/key.pem",
    "adopted/shop",
    "bans/owner.json",
    "budget/0123.json",
    "configuration/current",
    "configuration/reports/one",
    "ca/root.pem",
    "certs/shop.example.com/certificate.json",
    "certs/shop.example.com/order.json",
    "certs/hook.json/order.json",
    "clients/issued/1",
    "dashboard/sessions.json",
    "dns/pending/1",
    "domains/example.com",
    "drafts/anna",
    "login/users.json",
)


@pytest.mark.parametrize("key", OF_NODE)
def test_of_a_node(key: str) -> None:
    assert key_owners.is_of_node(key)


@pytest.mark.parametrize("key", OF_FLEET)
def test_of_the_fleet(key: str) -> None:
    assert not key_owners.is_of_node(key)
