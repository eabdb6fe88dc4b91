"""Where the host of the sign-in is reached, as redirect URIs, invitations and the judge have it. Pure."""

from daemun.core import model
from daemun.core.options import login_option


def find_port(settings: model.Globals) -> int:
    """Of the gate's HTTPS: the host has no ports of its own."""
    return settings.listen.https_port


def write_port(port: int) -> str:
    """Behind a host, with its colon."""
    return "" if port == 443 else f":{port}"


def find_url(settings: model.Globals) -> str | None:
    """Of the page, without a path; None: there is none."""
    login = login_option.OPTION.of(settings)
    return None if login is None else f"https://{login.host}{write_port(find_port(settings))}"
