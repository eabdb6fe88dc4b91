"""Host names as people type them."""


def normal(host: str) -> str:
    """The name as the gate knows it: lower case, IDNA-encoded. What is no host name stays, for others to refuse."""
    from daemun.sources import values

    try:
        return values.parse_host(host)
    except ValueError:
        return host
