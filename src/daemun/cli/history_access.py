"""The history of applied configurations, as commands reach it: in the state directory, whether a daemon runs or not."""

import pathlib
import typing

from daemun import errors, settings
from daemun.cli import control_client, daemon_state, lost_file, output

if typing.TYPE_CHECKING:
    from daemun.sources.history import history_store


def open_history(chosen: settings.Settings) -> "history_store.HistoryStore":
    """Raises: EnvironmentProblemError when this account may not look; ConfigError when there is no history."""
    from daemun.sources.history import history_store
    from daemun.wiring.offline import configuration

    lost_file.find_last_good(chosen)  # whether this account may look
    store = configuration.find_store(chosen)
    if store is None:
        cause = f"there is none in {chosen.state}, where no daemun has run"
        raise errors.ConfigError(f"cannot read the history: {cause}; name the state directory with --state")
    return history_store.HistoryStore(store)


def complain_of_damage(chosen: settings.Settings, history: "history_store.HistoryStore") -> None:
    for problem in history.damage.problems():
        output.complain(f"warning: {problem.message}")


def file_of(chosen: settings.Settings) -> pathlib.Path:
    """The file that the daemon reads, or would read."""
    try:
        return daemon_state.config_of(chosen, control_client.ControlClient(chosen).status(""))
    except control_client.NotRunningError:
        return chosen.config
