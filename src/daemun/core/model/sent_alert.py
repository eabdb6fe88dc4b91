"""How an alert went out."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SentAlert:
    """How sending to one of them went. target: in words, without a secret. error: why it was not taken; None: it was.
    remark: what a person should know although it was taken."""

    target: str
    error: str | None = None
    remark: str | None = None
