"""Whether what changes something was sent by a page of another host, with whatever a browser sends along (CSRF). Pure.

Sources: `Origin`, RFC 6454 section 7; where a browser sends none, `Sec-Fetch-Site`, w3.org/TR/fetch-metadata.
"""

SAFE_METHODS = frozenset({"GET", "HEAD"})
"""They change nothing."""


def is_foreign(
    method: str, *, origin: str | None, fetch_site: str | None, ours: str, takes_programs: bool = False
) -> bool:
    """origin, fetch_site: the headers; None: not sent. ours: what the request was for, in the form of `Origin`: scheme,
    host, port. takes_programs: programs, which send neither header, may request it, too."""
    if method in SAFE_METHODS:
        return False
    if origin is not None:
        return origin.lower() != ours.lower()
    if fetch_site is not None:
        return fetch_site != "same-origin" and not (takes_programs and fetch_site == "none")
    return not takes_programs


def make_ours(forwarded_proto: str | None, host: str) -> str:
    """forwarded_proto, host: as nginx passes them on."""
    return f"{'http' if forwarded_proto == 'http' else 'https'}://{host}"
