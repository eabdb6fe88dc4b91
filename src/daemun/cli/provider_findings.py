"""What `daemun doctor` finds out about identity providers (`login`): whether each can be used from this machine."""

import collections.abc

from daemun import errors, secret, settings
from daemun.core import model, new_findings
from daemun.core.access import login_providers
from daemun.core.options import login_option
from daemun.wiring.offline import configuration, run_async

_TOPIC = "sign-in"


def look_at_providers(chosen: settings.Settings) -> collections.abc.Iterator[model.Finding]:
    """Some requests for each, all at once: half a minute at most."""
    desired = configuration.read_if_good(chosen)
    login = login_option.OPTION.of(desired.globals) if desired is not None else None
    if desired is None or login is None or not login.providers:
        return
    from daemun.judge.providers import provider_trial

    callbacks = login_providers.find_callbacks(desired.globals)
    providers = [login_providers.make(one) for one in login.providers]
    troubles = run_async.run(provider_trial.find_troubles(providers))
    for provider in providers:
        trouble, unread = troubles.get(provider.key), _find_unread(provider)
        if trouble is not None:
            cure = "compare `login.providers` with what it calls its issuer, and look whether this machine reaches it"
            yield new_findings.warns(_TOPIC, f"{provider.name} cannot be used: {trouble}", cure)
        elif unread is not None:
            yield new_findings.warns(_TOPIC, f"{provider.name} cannot be used: {unread}", "then sign in with it once")
        else:
            uri = callbacks[provider.key]
            yield new_findings.good(_TOPIC, f"{provider.name} answers; its redirect URI must be {uri}")


def _find_unread(provider: login_providers.Provider) -> str | None:
    """Of a file. A variable of the environment is another's than the daemon's."""
    try:
        if provider.secret.file is not None:
            secret.read(provider.secret)
    except errors.ConfigError as error:
        return str(error)
    return None
