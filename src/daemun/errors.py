"""The errors that callers handle differently. A new class exists only because some caller acts on it.

Every message reads "cannot VERB OBJECT: cause" and, where a person can act, ends with what to do.
"""


class DaemunError(Exception):
    """Base of all errors that are meant for a person; the CLI prints the text and exits with 1."""


class ConfigError(DaemunError):
    """The user's input is wrong: the text names the place, what was found and what was expected."""


class NotFoundError(ConfigError):
    """The named site, file or entry does not exist."""


class ConflictError(ConfigError):
    """The request conflicts with the present state: something was changed meanwhile, exists already, or is on trial."""


class ForbiddenError(ConfigError):
    """The operator's role does not allow it."""


class EnvironmentProblemError(DaemunError):
    """The machine is not as needed: a port is taken, nginx is missing or too old, no permission, a full disk."""


class RetryableError(DaemunError):
    """Something outside failed and may work later.

    Attributes:
        retry_after_s: the wait that the other side demands, in seconds; None: none.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooManyAtOnceError(DaemunError):
    """Too many requests of one kind are under way; the request itself is right and can be repeated.

    Attributes:
        retry_after_s: when it may be requested again.
    """

    def __init__(self, message: str, *, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ApplyError(DaemunError):
    """nginx refused a generation.

    Attributes:
        stage: "test", "start", "reload" or "confirm": how far it came.
        restored: whether the previous generation is live again.
        stderr: nginx's own words, unabridged.
    """

    def __init__(self, message: str, *, stage: str, restored: bool, stderr: str = "") -> None:
        super().__init__(message)
        self.stage = stage
        self.restored = restored
        self.stderr = stderr


class RenderError(DaemunError):
    """A value cannot be written into an nginx configuration safely; the text names the field."""


class NotFoundInStoreError(DaemunError):
    """A key that was read is not in the store."""


class LockHeldError(DaemunError):
    """Another process holds the lock; the text names its owner."""


class StoreUnreachableError(EnvironmentProblemError):
    """The store does not answer: nothing was read and nothing was changed."""


class OutcomeUnknownError(EnvironmentProblemError):
    """The connection to the store broke while it changed something: that may be done or not. Read it again."""


class UnreadableValueError(EnvironmentProblemError):
    """A value is in the store and cannot be read: damaged, or encrypted with another key. It is neither missing nor
    empty, so nothing is made anew in its place."""


class StoreConflictError(DaemunError):
    """A key was changed by another since it was read: nothing of what belongs together was written.

    Attributes:
        key: the first such one.
    """

    def __init__(self, message: str, *, key: str) -> None:
        super().__init__(message)
        self.key = key


class LeaseLostError(DaemunError):
    """A lease ended before the work that it protects, and another may hold it by now: the work must stop."""
