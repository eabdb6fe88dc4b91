"""The last changes of one server between answering and failing, in a bounded number. Pure.

Nothing is kept of a server that was never in trouble, which most are: ten thousand of them take no memory.
"""

import datetime

from daemun.core import model

MOST = 20
"""The newest stay."""
_LONGEST_CAUSE = 300

History = tuple[model.ServerChange, ...]


def follow(history: History, trouble: model.Trouble | None, cause: str | None, now: datetime.datetime) -> History:
    """The history after one more look."""
    last = history[-1].trouble if history else None
    if trouble is last:
        return history
    change = model.ServerChange(now, trouble, None if cause is None else cause[:_LONGEST_CAUSE])
    return (*history, change)[-MOST:]
