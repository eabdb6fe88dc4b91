"""The configuration of a fleet in the daemon, put together: what this machine serves is what all agreed on."""

import asyncio
import collections.abc
import contextlib
import types

from daemun import errors, settings
from daemun.control import gate, lifecycle, ports, shared_changes
from daemun.core import model
from daemun.fleet import (
    agreed_files,
    configuration_files,
    configuration_keeper,
    configuration_member,
    fleet_gate,
    followed_record,
)
from daemun.nginx import worker_account
from daemun.sources import given_files, last_good_file, yaml_file
from daemun.sources.docker import nginx_proxy_mode
from daemun.wiring import clock, draft_parts

ListLiving = collections.abc.Callable[[], collections.abc.Set[str]]
"""The names of the nodes that are heard of. Quick. Raises: EnvironmentProblemError."""


class ConfigurationParts:
    """From when this is made on, `source` gives what was agreed on. Blocking: milliseconds. Never raises."""

    def __init__(
        self,
        chosen: settings.Settings,
        store: ports.Store,
        node: str,
        source: yaml_file.YamlFile,
        *,
        list_living: ListLiving,
        wait_living: ListLiving,
    ) -> None:
        self._settings = chosen
        self._store = store
        self._node = node
        self._list_living = list_living
        files = configuration_files.ConfigurationFiles(chosen.config)
        self._texts = agreed_files.AgreedTexts(files, followed_record.FollowedRecord(store))
        self._member = configuration_member.ConfigurationMember(
            store, node, files, wait_living, now=clock.SystemClock().now
        )
        self._texts.target = self._member.start()
        source.find_given = self._texts.find
        self._keeper: configuration_keeper.ConfigurationKeeper | None = None

    @property
    def number(self) -> int | None:
        """Of the revision that this machine's fleet serves, as far as is known; None: it has none yet."""
        return None if self._member.current is None else self._member.current.number

    def wrap(self, file: ports.Source) -> ports.Source:
        """The source of the file, with what deserves a look."""
        return agreed_files.AgreedSource(file, lambda: self._keeper.find_problems() if self._keeper else ())

    def join(
        self, front: gate.Gate, known: last_good_file.Remembering, compatible: nginx_proxy_mode.Compatible
    ) -> None:
        """Whoever applies by this gate applies in the whole fleet from now on."""
        assert isinstance(front, fleet_gate.FleetGate)
        self._keeper = configuration_keeper.ConfigurationKeeper(self._texts, front, self._find_new, self._member)
        parts = draft_parts.DraftParts(settings=self._settings, store=self._store, known=known, compatible=compatible)

        async def read_files() -> model.Snapshot | None:
            return (await asyncio.to_thread(parts.read, types.MappingProxyType({}))).snapshot

        front.join(self._keeper.settle, read_files, self._list_others)

    def follow(self, changes: shared_changes.SharedChanges) -> None:
        """After `join`."""
        assert self._keeper is not None
        self._keeper.follow(changes)

    def list_tasks(self) -> dict[str, lifecycle.Task]:
        """By their names."""
        assert self._keeper is not None
        return {"configuration of the fleet": self._keeper.run}

    def _list_others(self) -> tuple[str, ...]:
        """(): or it is not known."""
        with contextlib.suppress(errors.EnvironmentProblemError):
            return tuple(sorted(self._list_living() - {self._node}))
        return ()

    def _find_new(self, wanted: given_files.GivenFiles) -> str | None:
        """Implements `configuration_keeper.FindNew`."""
        found = self._read(wanted)
        if not found:
            return None
        known = {configuration_keeper.sign(one) for one in self._read(self._texts.find())}
        return "; ".join(str(one) for one in found if configuration_keeper.sign(one) not in known) or None

    def _read(self, given: given_files.GivenFiles | None) -> tuple[model.Problem, ...]:
        """The errors that these files have here."""
        source = yaml_file.YamlFile(
            self._settings.config,
            state=self._settings.layout.state,
            find_worker=worker_account.choose,
            reads_secrets=True,
            find_given=lambda: given,
        )
        try:
            found = source.read_now().problems
        except yaml_file.InvalidFileError as error:
            found = error.problems
        except errors.ConfigError as error:
            found = (model.Problem(origin=model.NOWHERE, message=str(error)),)
        return tuple(one for one in found if one.severity is model.Severity.ERROR)
