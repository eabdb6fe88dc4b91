"""The configuration from the file, or the environment; that of containers is missing, which is reported. And what an
earlier `daemun up` left."""

import dataclasses
import os
import pathlib

from daemun import settings
from daemun.control import ports
from daemun.core import model
from daemun.core.options import docker_option
from daemun.core.rounds import merge
from daemun.errors import ConfigError, EnvironmentProblemError
from daemun.nginx import worker_account
from daemun.sources import environment_source, last_good_file, yaml_file
from daemun.sources.docker import engine_place, listing_store, nginx_proxy_mode
from daemun.store import file_store
from daemun.wiring.offline import run_async


def check_can_start(chosen: settings.Settings) -> None:
    """A file, or containers with requests, now or when an earlier daemon saw them; a file that was named and
    is gone is the daemon's to judge. Raises: ConfigError."""
    is_like_nginx_proxy = nginx_proxy_mode.is_enabled(os.environ)
    found = engine_place.find_endpoint(os.environ, like_nginx_proxy=is_like_nginx_proxy)
    if chosen.config_was_chosen or found is not None:
        return
    if _find_again(chosen, like_nginx_proxy=is_like_nginx_proxy) is not None:
        return
    try:
        settings.check_config_exists(chosen)
    except ConfigError as error:
        cure = "containers with labels need none, where $DOCKER_HOST or /var/run/docker.sock leads to their engine"
        raise ConfigError(f"{error}; {cure}") from error


def find_store(chosen: settings.Settings) -> ports.Store | None:
    """The store of an earlier `up`; looking at a configuration makes none."""
    root = pathlib.Path(chosen.layout.store)
    try:
        return file_store.FileStore(root) if root.is_dir() else None
    except (EnvironmentProblemError, PermissionError):
        return None


def name_source(chosen: settings.Settings) -> str:
    """What these commands read, as messages name it."""
    return str(chosen.config) if _has_file(chosen) else "the environment"


def read(chosen: settings.Settings, *, reads_secrets: bool = False) -> model.Desired:
    """What `daemun up` would take from the file, or the environment, and nginx-proxy's folders. reads_secrets: as of
    `yaml_file.YamlFile`. Raises: ConfigError."""
    return merge_alone(chosen, run_async.run(_find_source(chosen, reads_secrets=reads_secrets).read()))


def read_usable(chosen: settings.Settings) -> model.Desired:
    """As `read`, and where some sites have an error, the others, with every error among the problems. Raises:
    ConfigError when nothing of the file can be used."""
    source = _find_source(chosen)
    try:
        snapshot = run_async.run(source.read())
    except yaml_file.InvalidFileError as error:
        if error.good is None or error.good.globals is None:
            raise
        snapshot = source.complete(error.good)
    return merge_alone(chosen, snapshot)


def _find_source(chosen: settings.Settings, *, reads_secrets: bool = False) -> nginx_proxy_mode.Compatible:
    source = yaml_file.YamlFile(
        chosen.config,
        state=chosen.layout.state,
        find_worker=worker_account.choose,
        reads_secrets=reads_secrets,
    )
    file = environment_source.FileOrEnvironment(source, chosen.config, os.environ, is_known=_has_file(chosen))
    return nginx_proxy_mode.Compatible(file, environ=os.environ)


def merge_alone(chosen: settings.Settings, snapshot: model.Snapshot) -> model.Desired:
    """What the file's snapshot gives without containers."""
    # The file's sites were judged line by line; nginx-proxy's folders add to them afterwards.
    is_of_file = _has_file(chosen) and not (snapshot.globals and snapshot.globals.like_nginx_proxy)
    desired = merge.merge_snapshots([snapshot], validated=snapshot.source if is_of_file else None)
    if not unseen(chosen, desired):
        return desired
    return dataclasses.replace(desired, problems=tuple(_soften(problem) for problem in desired.problems))


def read_if_good(chosen: settings.Settings) -> model.Desired | None:
    """The file's snapshot; None when it cannot be read."""
    try:
        return read(chosen)
    except ConfigError:
        return None


def unseen(chosen: settings.Settings, desired: model.Desired) -> tuple[model.Problem, ...]:
    """Without a daemon no engine is queried, so what containers request is unknown; a warning reports it."""
    wanted = docker_option.OPTION.of(desired.globals)
    engines = engine_place.find_endpoints(wanted, os.environ, like_nginx_proxy=desired.globals.like_nginx_proxy)
    place = ", ".join(one.place for one in engines) or None
    if place is None and wanted.is_on:
        known = _find_again(chosen, like_nginx_proxy=desired.globals.like_nginx_proxy)
        place = known.place if known is not None else None
    if place is None:
        return ()
    message = "its containers are not looked at without a running daemon, so what they request is missing here"
    origin = model.Origin(source="docker", place=place)
    return (model.Problem(origin=origin, message=message, severity=model.Severity.WARNING),)


def _find_again(chosen: settings.Settings, *, like_nginx_proxy: bool) -> engine_place.EngineEndpoint | None:
    """The engine that an earlier daemon found, and that the next one waits for."""
    store = find_store(chosen)
    kept = listing_store.read_stored(store) if store is not None else None
    urls = [one.url for one in kept.engines] if kept is not None else []
    return engine_place.find_again(urls, like_nginx_proxy=like_nginx_proxy)


def _soften(problem: model.Problem) -> model.Problem:
    """A default site that the file does not have is not missing for sure where there are containers."""
    if problem.field != merge.DEFAULT_SITE:
        return problem
    message = f"{problem.message}, unless a container has it"
    return dataclasses.replace(problem, message=message, severity=model.Severity.WARNING)


def _has_file(chosen: settings.Settings) -> bool:
    """Whether the file counts: it is there, was there, or was named; else the environment does."""
    if chosen.config_was_chosen or chosen.config.exists():
        return True
    store = find_store(chosen)
    return store is not None and last_good_file.recall(store, chosen.config) is not None
