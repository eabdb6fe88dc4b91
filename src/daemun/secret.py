"""Reads secrets from the place that the configuration names, each time they are used, and writes none."""

import os

from daemun import causes, regular_files
from daemun.core import model
from daemun.errors import ConfigError

MOST_BYTES = 64 << 10


def read(secret: model.Secret) -> str:
    """The secret's text, without the line break that a file ends with. Raises: ConfigError, without any of it."""
    if secret.text is not None:
        return secret.text
    if secret.variable is not None:
        found = os.environ.get(secret.variable)
        if not found:
            raise ConfigError(
                f"cannot read a secret: the environment variable {secret.variable} is not set for `daemun up`; set it, "
                "or name another place"
            )
        return found
    assert secret.file is not None
    try:
        content = regular_files.read(secret.file, MOST_BYTES + 1)
        text = content.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = causes.describe(error) if isinstance(error, OSError) else "it is no text (UTF-8)"
        raise ConfigError(f"cannot read the secret in {secret.file}: {cause}; correct the path or its rights") from None
    if not text or len(content) > MOST_BYTES:
        raise ConfigError(f"cannot read the secret in {secret.file}: it is {'too long' if text else 'empty'}")
    return text
