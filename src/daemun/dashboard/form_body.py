"""Forms that a page sent back, within bounds."""

import urllib.parse

from starlette import exceptions, requests

LARGEST, MOST_FIELDS = 1024 * 1024, 1000


async def read_form(request: requests.Request, *, largest: int = LARGEST) -> dict[str, str]:
    """name -> value; of fields of one name the last. Raises: HTTPException 400 when it is none, 413 when it is larger
    than that many bytes: taken for an empty one it would change what was not meant."""
    pairs = await read_pairs(request, largest=largest)
    return dict(pairs)


async def read_pairs(request: requests.Request, *, largest: int = LARGEST) -> list[tuple[str, str]]:
    """The same with every field, in the order of the page."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > largest:
            raise exceptions.HTTPException(413, f"the form is too large: more than {largest >> 10} kB")
    if not body:
        return []
    if kind != "application/x-www-form-urlencoded":
        raise exceptions.HTTPException(400, "this is no form of a page")
    try:
        return urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:  # UnicodeDecodeError is one
        raise exceptions.HTTPException(400, "this form cannot be read") from error


def local_path(address: str, otherwise: str = "/") -> str:
    """An address that a form or a query names, when it leads to a page of this host; else `otherwise`.

    Browsers take `//host`, `/\\\\host` and the same with tabs and line breaks between the signs for another host
    (url.spec.whatwg.org), and make `//host` of `/..//host`.
    """
    path = address.partition("?")[0]
    safe = path.startswith("/") and "//" not in path and address.isascii() and len(address) <= 2000
    return address if safe and not any(sign <= " " or sign in '\\"<>`\x7f' for sign in address) else otherwise
