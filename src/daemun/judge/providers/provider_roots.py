"""Certificates of a private authority that a provider's certificate must lead to (`ca_file`)."""

import ssl

from daemun import causes, regular_files
from daemun.errors import ConfigError

MOST_BYTES = 1 << 20


def read(ca_file: str) -> str:
    """In PEM form. "" of "": the system's. Blocking. Raises: ConfigError when the file holds none."""
    if not ca_file:
        return ""
    try:
        roots = regular_files.read(ca_file, MOST_BYTES).decode()
        ssl.create_default_context(cadata=roots)
    except (OSError, ValueError) as error:
        is_read = isinstance(error, ssl.SSLError | ValueError)
        cause = "it holds no certificate in PEM form" if is_read else causes.find_words(error)
        raise ConfigError(f"cannot read the roots in {ca_file}: {cause}; correct `ca_file`") from None
    return roots
