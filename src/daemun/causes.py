"""The operating system's message for a failure, which libraries keep as the cause of their own errors."""

import os
import socket
import ssl


def find_words(error: BaseException) -> str | None:
    """The words of the first cause that has some; None: none has. Never a text that holds a URL or what was sent."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, BaseExceptionGroup):  # one of each address that was tried
            found = found.exceptions[0]
        # aiohttp's errors are of the system's classes, too, but only what they wrap has its words.
        found = getattr(found, "os_error", None) or getattr(found, "certificate_error", None) or found
        words = _words_of(found)
        if words is not None:
            return words
        found = found.__cause__ or found.__context__
    return None


def _words_of(error: BaseException) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason}" if error.reason else "TLS failed"
    if isinstance(error, socket.gaierror):  # its numbers are not those of the system's other errors
        return f"its name does not resolve: {(error.strerror or 'no reason given').lower()}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return None


def describe(error: OSError) -> str:
    """The system's words for a failure, as a part of a message: "permission denied"."""
    return (error.strerror or str(error)).lower()
