"""daemun.yaml as a source of sites: read it, report all that is wrong with it, notice when it changes."""

import asyncio
import collections.abc
import contextlib
import dataclasses
import os
import pathlib
import shlex
import types

from daemun import folders, regular_files
from daemun.core import layout, model, problem_report
from daemun.core.options import basic_auth_form, catalogue, option, streams_option, user_option
from daemun.errors import ConfigError, EnvironmentProblemError
from daemun.sources import (
    client_authorities,
    country_networks,
    edited_file,
    folder_trust,
    given_files,
    known_apps,
    loaded_files,
    login_names,
    provider_check,
    public_suffix_check,
    published_secrets,
    served_folders,
    snippet_files,
    snippet_names,
    unread_secrets,
    yaml_context,
    yaml_file_set,
    yaml_include,
    yaml_positions,
    yaml_reader,
    yaml_translate,
    yaml_words,
)

_MOST_FAULTS = 20
"""Lines of one file of passwords that are reported."""
_ACCOUNTS = "/etc/passwd"
"""Where an account that is missing may come to be, without a change of any source."""


class InvalidFileError(ConfigError):
    """The file cannot be used as it is. problems: everything that is wrong with it; the text holds one line for each,
    errors first. good: what it wants without the sites that have an error. lost: the names of files that it includes
    of which nothing can be used."""

    def __init__(
        self,
        problems: collections.abc.Sequence[model.Problem],
        good: model.Snapshot | None = None,
        lost: frozenset[str] = frozenset(),
    ) -> None:
        ordered = sorted(problems, key=lambda problem: problem.severity is not model.Severity.ERROR)
        lines = [f"{problem.severity.value}: {problem.origin}: {problem.message}" for problem in ordered]
        # Whoever prints an error puts this before its text.
        super().__init__("\n".join(lines).removeprefix("error: "))
        self.problems = tuple(problems)
        self.good = good
        self.lost = lost


def parse(
    content: bytes | str,
    *,
    file_name: str,
    base_dir: str | os.PathLike[str],
    is_edited: bool = False,
    is_included: bool = False,
    apps: known_apps.KnownApps = known_apps.BUILT_IN,
) -> model.Snapshot:
    """What a file wants, and in `problems` everything that is wrong with it, in the order of its lines.

    file_name: how messages call the file. base_dir: where relative paths start from. is_edited: as of
    `yaml_positions.load`. is_included, apps: as of `yaml_reader.Reader`.
    Never raises, whatever the content. Sites with an error are left out; nothing but `content` is looked at.
    """
    reader = yaml_reader.Reader(file_name, base_dir, is_edited=is_edited, is_included=is_included, apps=apps)
    return reader.parse(content)


def read_snapshot(path: str | os.PathLike[str]) -> model.Snapshot:
    """What the file at `path` wants. The files that it names are looked for, too. Blocking, milliseconds.

    Raises: InvalidFileError with all problems when one of them is an error; ConfigError when it cannot be read.
    """
    return YamlFile(path).read_now()


class YamlFile:
    """Implements `control.ports.Source` for one file, which need not exist yet. What is read again is read in part."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        state: str | None = None,
        find_worker: snippet_files.FindWorker = lambda _: None,
        reads_secrets: bool = False,
        instead: collections.abc.Mapping[pathlib.Path, bytes] = types.MappingProxyType({}),
        find_given: given_files.FindGiven = lambda: None,
    ) -> None:
        """state: the state directory, of which nothing may be published; None: there is none. find_worker: the account
        of nginx's workers. reads_secrets: whether files with secrets are tried, too. instead: of what this file and
        those that it includes hold on the disk. find_given: what stands for all of them."""
        self.find_given = find_given
        self.given: given_files.GivenFiles | None = None
        """What stood for the files at the last reading."""
        self._instead = instead
        self._find_worker = find_worker
        self._reads_secrets = reads_secrets
        self._path = pathlib.Path(path).absolute()
        self._state = state
        self._beside: tuple[pathlib.Path, ...] = ()
        self._patterns: tuple[yaml_include.Pattern, ...] = ()
        self._included: tuple[yaml_include.Included, ...] = ()
        self._own_apps: tuple[known_apps.OwnFile, ...] = ()
        self._apps = known_apps.BUILT_IN
        self._seen = self._look()
        self._files = yaml_file_set.FileSet(self._path, instead, state)

    @property
    def name(self) -> str:
        return yaml_context.SOURCE

    @property
    def included(self) -> dict[str, bytes]:
        """What the files that the file includes held at the last reading, by their names from its folder."""
        return {one.name: one.content for one in self._included if one.content is not None}

    async def read(self) -> model.Snapshot:
        """Raises: as `read_snapshot`."""
        return await asyncio.to_thread(self.read_now)

    def read_now(self) -> model.Snapshot:
        """As `read_snapshot`."""
        self._read_apps()
        try:
            found = self._read()
        except InvalidFileError as error:
            if error.good is not None:
                # What has an error may be served as it was, and still lets in whom its files name.
                self._beside = tuple(dict.fromkeys((*_find_beside(error.good, self._state), *self._beside)))
            raise
        self._beside = _find_beside(found, self._state)
        return found

    def parse_stored(self, content: bytes, included: collections.abc.Mapping[str, bytes]) -> model.Snapshot:
        """As `parse`, for contents that the file and those that it includes have had (`included`)."""
        self._read_apps()
        snapshot = self._files.parse_stored(content, included).snapshot
        self._beside = _find_beside(snapshot, self._state)
        return snapshot

    def _read_apps(self) -> None:
        """With other presets every site may be another."""
        own = known_apps.read_files(self._path)
        if own != self._own_apps:
            self._own_apps, self._apps = own, known_apps.KnownApps(own)
            self._files.use(self._apps)

    def _look(self) -> dict[pathlib.Path, str]:
        """The versions of the file, of those that it includes, of those that let people in, and of presets."""
        listing = yaml_include.list_files(self._patterns, self._path)
        paths = (self._path, *self._beside, *listing.paths, *known_apps.find_files(self._path))
        # Whether a folder is there at all decides what becomes of the sites of its files.
        return dict.fromkeys(listing.absent, "") | {path: edited_file.find_version(path) for path in paths}

    def _find_folders(self) -> frozenset[pathlib.Path]:
        listing = yaml_include.list_files(self._patterns, self._path)
        paths = (self._path, *self._beside, *listing.paths, *known_apps.find_files(self._path))
        apps = known_apps.find_folders(self._path)
        return frozenset().union(*map(_folders, paths), map(_nearest_folder, listing.folders), apps)

    def _read(self) -> model.Snapshot:
        path, state = self._path, self._state
        given = self.given = self.find_given()
        content = self._read_main() if given is None else given.main
        parsed = self._files.parse(content) if given is None else self._files.parse_stored(content, given.included)
        self._patterns, self._included = parsed.patterns, parsed.files
        snapshot, damaged = country_networks.with_networks(parsed.snapshot)
        snapshot, untrusted = client_authorities.with_authorities(snapshot, state)
        acme = snapshot.globals.acme if snapshot.globals is not None else None
        named = (
            *_find_missing_files(snapshot),
            *_find_wrong_passwords(snapshot),
            *damaged,
            *untrusted,
            *login_names.find_problems(snapshot, state),
            *(unread_secrets.find_problems(snapshot) if self._reads_secrets else ()),
            *_find_missing_account(snapshot, self._find_worker),
            *published_secrets.find_problems(snapshot, (path, *(one.path for one in parsed.files)), state),
            *loaded_files.find_problems(snapshot),
            *snippet_files.find_problems(snapshot, self._find_worker),
            *snippet_names.find_problems(snapshot),
            *served_folders.find_problems(snapshot, self._find_worker),
            *provider_check.find_problems(acme, snapshot.sites),
            *public_suffix_check.find_problems(acme, snapshot.sites),
            *self._apps.problems(),
        )
        order = {one.name: index for index, one in enumerate(parsed.files, start=1)}
        streams = streams_option.OPTION.of(snapshot.globals or model.Globals())
        placed = self._files.place(streams_option.with_origins(named, streams))
        problems = yaml_translate.collect([*snapshot.problems, *placed], order)
        if not snapshot.sites and state is not None and _has_last_good(state):
            problems = tuple(_with_way_back(problem, path, content) for problem in problems)
        read = dataclasses.replace(snapshot, problems=problems)
        read = loaded_files.with_digests(read, path.parent, self._files.folder_of)
        found = folder_trust.with_trust(read)
        if any(problem.severity is model.Severity.ERROR for problem in problems):
            raise InvalidFileError(problems, found, parsed.lost)
        return found

    def _read_main(self) -> bytes:
        """Raises: ConfigError."""
        try:
            drafted = self._instead.get(self._path)
            return regular_files.read(self._path, yaml_positions.MAX_BYTES + 1) if drafted is None else drafted
        except OSError as error:
            cause = (error.strerror or str(error)).lower()
            advice = _advice_without_file(self._state) if isinstance(error, FileNotFoundError) else "expected a file"
            raise ConfigError(f"cannot read {self._path}: {cause}; {advice}") from error

    async def changes(self) -> collections.abc.AsyncIterator[str]:
        """Yields after each change of the content since this object was made: by writing, by renaming another file over
        it, or by switching a symbolic link on its way (as Kubernetes does with mounted volumes). So for files with
        passwords and databases of addresses that it names."""
        async with contextlib.aclosing(folders.watch(self._find_folders, is_blocking=True)) as ticks:
            async for _ in ticks:
                while (now := await asyncio.to_thread(self._look)) != self._seen:
                    before, self._seen = self._seen, now
                    # A version is the file's own: where another one changed, too, all is read again.
                    yield now[self._path] if {**before, self._path: now[self._path]} == now else ""


def _find_beside(snapshot: model.Snapshot, state: str | None) -> tuple[pathlib.Path, ...]:
    """Files that say who comes in, which are read again as soon as they change."""
    files = (file for file, _ in catalogue.find_files(snapshot) if file.is_watched)
    named = [pathlib.Path(file.path) for file in files]
    if state is not None and client_authorities.find_local(snapshot):
        paths = layout.Layout(state)
        named += [pathlib.Path(paths.clients_certificate), pathlib.Path(paths.clients_revoked)]
    users = login_names.find_file(snapshot, state)
    return tuple(dict.fromkeys(named if users is None else (*named, users)))


def _folders(path: pathlib.Path) -> frozenset[pathlib.Path]:
    """Where something happens when the file changes: its folder, and that of every symbolic link's target."""
    found = {path.parent}
    link = path
    for _ in range(40):  # as many as Linux follows
        if not link.is_symlink():
            break
        link = link.parent / link.readlink()
        found.add(link.parent)
    found.add(pathlib.Path(os.path.realpath(path)).parent)
    return frozenset(folder for folder in found if folder.is_dir())


def _nearest_folder(folder: pathlib.Path) -> pathlib.Path:
    """Where something happens when the folder comes to be."""
    return next(one for one in (folder, *folder.parents) if one.is_dir())


# --- reading ---------------------------------------------------------------------------------------------------


def _advice_without_file(state: str | None) -> str:
    advice = "write one, or name another with -c"
    if state is None or not _has_last_good(state):
        return advice
    return f"put back what it held last with `daemun restore-file`, {advice}"


def _has_last_good(state: str) -> bool:
    return os.path.exists(layout.Layout(state).kept_file)  # noqa: PTH110 - never an error


def _with_way_back(problem: model.Problem, path: pathlib.Path, content: bytes) -> model.Problem:
    """An editor, or a copy on a full disk, empties a file; what it held last is kept."""
    if not yaml_words.lacks_sites(problem.message):
        return problem
    move = "" if is_blank(content) else f"{shlex.join(['mv', str(path), f'{path}.old'])} && "
    message = f"{problem.message}; or put back what it held last with `{move}daemun restore-file`"
    return dataclasses.replace(problem, message=message)


def is_blank(content: bytes) -> bool:
    """Whether it is a file without any content, so that nothing is lost when it is replaced."""
    return not content.strip(b"\xef\xbb\xbf- \r\n\t")


def _find_missing_account(snapshot: model.Snapshot, find_worker: snippet_files.FindWorker) -> list[model.Problem]:
    """The account of nginx's workers: the one that runs stays, and everything else of the file is applied."""
    user = user_option.OPTION.of(snapshot.globals or model.Globals())
    if user is None:
        return []
    try:
        find_worker(user)
    except EnvironmentProblemError as error:
        message = f"{error}; until then nginx's workers run as they do, or as daemun's own account"
        return [model.Problem(origin=model.NOWHERE, message=message, field=(user_option.OPTION.name,), file=_ACCOUNTS)]
    return []


def _find_missing_files(snapshot: model.Snapshot) -> list[model.Problem]:
    """Files that the configuration names and that nginx or daemun will open."""
    return [
        problem
        for file, held in catalogue.find_files(snapshot)
        if held.site is None or held.site.enabled
        for problem in _unreadable(file, (*held.field, *file.below), held.site)
    ]


def _find_wrong_passwords(snapshot: model.Snapshot) -> list[model.Problem]:
    """Lines of htpasswd files by which no user can sign in."""
    found = []
    for file, held in catalogue.find_files(snapshot):
        if not file.has_passwords or (held.site is not None and not held.site.enabled):
            continue
        try:
            content = regular_files.read(file.path, loaded_files.LARGEST_READ_BYTES)
        except OSError:
            continue  # `_find_missing_files` has it
        field, site = (*held.field, *file.below), held.site
        for line, cause in basic_auth_form.parse_htpasswd(content).faults[:_MOST_FAULTS]:
            effect = "this line lets nobody in, the other users can sign in"
            found.append(
                problem_report.describe(site, field, f"{file.path}:{line} {cause}", cure=effect, file=file.path)
            )
    return found


def _unreadable(file: option.NamedFile, field: problem_report.Field, site: model.Site | None) -> list[model.Problem]:
    path = file.path
    try:
        with regular_files.open_for_reading(path):
            return []
    except OSError as error:
        cause = f"cannot read {path}: {(error.strerror or str(error)).lower()}"
        until = f"; until then {file.until}" if file.until else ""
        cure = f"correct the path, or the rights of the file{until}"
        return [problem_report.describe(site, field, cause, cure=cure, file=path)]
