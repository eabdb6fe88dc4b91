"""What the API needs to show what was applied, and to go back to it."""

import functools
import typing

from daemun import settings
from daemun.control import ports
from daemun.nginx import nginx_server
from daemun.sources.history import applied_configurations, history_store, live_changes, trial

Json = dict[str, typing.Any]


def make(
    chosen: settings.Settings,
    store: ports.Store,
    trials: trial.TrialManager,
    changes: live_changes.LiveChanges,
    nginx: nginx_server.NginxServer,
) -> applied_configurations.AppliedHistory:
    return applied_configurations.AppliedHistory(
        store,
        chosen.config,
        trials,
        changes,
        compare_nginx=functools.partial(_compare_nginx, chosen),
        find_drift=nginx.find_hand_edits,
    )


def _compare_nginx(chosen: settings.Settings, history: history_store.HistoryStore, one: str, other: str) -> Json:
    """What makes nginx's files is imported at the first comparison."""
    from daemun.wiring.offline import past_diff  # noqa: PLC0415

    found = past_diff.compare(chosen, history, chosen.config, one, other)
    return {"from": found.before, "to": found.after, **past_diff.diff_json(found)}
