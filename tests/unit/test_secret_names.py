"""Which keys show by their name that their value is a secret."""

import pytest

from daemun.core.options import catalogue, forms, secret_fields


@pytest.mark.parametrize(
    "key",
    [
        *("password", "DB_PASSWORD", "db.passwd", "pwd", "client_secret", "secrets", "token", "x-auth-token", "tokens"),
        *("api_key", "API-Key", "apikey", "private_key", "access-key", "hmac_key", "credentials"),
        *("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"),
    ],
)
def test_they_do(key: str) -> None:
    assert secret_fields.is_named_so(key)


@pytest.mark.parametrize("key", ["ignore_cookies", "cookies", "key", "key_type", "monkey", "compass", "secretary"])
def test_they_do_not(key: str) -> None:
    assert not secret_fields.is_named_so(key)


def test_keys_of_lists_of_public_names_are_none() -> None:
    """What is hidden in the history cannot be brought back from it."""
    assert "cache" in catalogue.BY_NAME
    written = forms.find_map(catalogue.BY_NAME["cache"].form)
    assert written is not None
    known = forms.keys(written)
    assert [key for key in known if secret_fields.is_named_so(key)] == []
