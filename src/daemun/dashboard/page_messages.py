"""What came of a change, kept until the page after it is shown: once, and for whoever made the change."""

import collections
import hashlib
import secrets
import urllib.parse

from daemun.dashboard import page_frame

PARAMETER = "done"
"""Of the address of the page after it."""
_MOST = 1000


class PageMessages:
    """In memory: a message that is lost with the process is no loss, as the page shows how things are."""

    def __init__(self) -> None:
        self._kept: collections.OrderedDict[str, tuple[str, page_frame.Message]] = collections.OrderedDict()

    def add(self, path: str, message: page_frame.Message, key: str) -> str:
        """The path with what names the message. key: whose it is."""
        number = secrets.token_urlsafe(9)
        self._kept[number] = (_digest(key), message)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        found = urllib.parse.urlsplit(path)
        query = [*urllib.parse.parse_qsl(found.query, keep_blank_values=True), (PARAMETER, number)]
        return urllib.parse.urlunsplit(found._replace(query=urllib.parse.urlencode(query)))

    def take(self, number: str, key: str) -> tuple[page_frame.Message, ...]:
        """None at the second time, or for another visitor."""
        owner, message = self._kept.get(number, ("", None))
        if message is None or owner != _digest(key):
            return ()
        del self._kept[number]
        return (message,)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
