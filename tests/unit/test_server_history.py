"""The history of a server has changes alone, in a bounded number."""

import datetime

from daemun.core import model
from daemun.core.served import server_history

BEGUN = datetime.datetime(2026, 11, 30, 9, 0, tzinfo=datetime.UTC)


def _follow(*troubles: model.Trouble | None) -> server_history.History:
    history: server_history.History = ()
    for number, trouble in enumerate(troubles):
        at = BEGUN + datetime.timedelta(minutes=number)
        history = server_history.follow(history, trouble, "because" if trouble else None, at)
    return history


def test_nothing_is_kept_while_all_is_well() -> None:
    assert _follow(None, None, None) == ()


def test_changes_alone() -> None:
    refused, silent = model.Trouble.REFUSED, model.Trouble.SILENT
    found = _follow(None, refused, refused, silent, None, None)
    assert [(one.at.minute, one.trouble) for one in found] == [(1, refused), (3, silent), (4, None)]
    assert [one.cause for one in found] == ["because", "because", None]


def test_the_newest_stay() -> None:
    found = _follow(*[model.Trouble.REFUSED, None] * 100)
    assert len(found) == server_history.MOST
    assert found[-1].trouble is None
    assert found[-1].at == BEGUN + datetime.timedelta(minutes=199)
