"""What translating any part of daemun.yaml into the model takes: where things are, and what is wrong so far."""

import pathlib
import typing

from daemun.core import model
from daemun.core.texts import words
from daemun.sources import nginx_snippet, yaml_check, yaml_entry, yaml_include, yaml_positions, yaml_words

SOURCE = "file"
_T = typing.TypeVar("_T", bound=yaml_entry.YamlEntry)


def make_origin(file_name: str, mark: yaml_positions.TextPosition) -> model.Origin:
    return model.Origin(source=SOURCE, place=f"{file_name}:{mark}")


class Context:
    """file_name: how messages call the file. base_dir: the absolute folder that relative paths start from.

    include: what the file names, once its top was read.
    """

    def __init__(self, document: yaml_positions.Document, *, file_name: str, base_dir: pathlib.Path) -> None:
        self.document = document
        self.problems: list[model.Problem] = []
        self.include: tuple[yaml_include.Pattern, ...] = ()
        self._file_name = file_name
        self._base_dir = base_dir

    def read_part(
        self, kind: type[_T], path: yaml_positions.Path, *, instead: object = None
    ) -> tuple[_T | None, tuple[yaml_positions.YamlFault, ...]]:
        """As `yaml_check.read_part`."""
        return yaml_check.read_part(kind, self.document, path, folder=str(self._base_dir), instead=instead)

    def origin(self, mark: yaml_positions.TextPosition) -> model.Origin:
        return make_origin(self._file_name, mark)

    def report(
        self,
        fault: yaml_positions.YamlFault,
        *,
        host: str | None = None,
        severity: model.Severity = model.Severity.ERROR,
    ) -> None:
        field = yaml_words.find_field(fault.path)
        origin, message = self.origin(fault.mark), words.without_credentials(fault.message)
        self.problems.append(model.Problem(origin=origin, message=message, host=host, field=field, severity=severity))

    def report_at(
        self,
        path: yaml_positions.Path,
        cause: str,
        *,
        host: str | None = None,
        mark: yaml_positions.TextPosition | None = None,
        severity: model.Severity = model.Severity.ERROR,
    ) -> None:
        """A problem of the value at a path of the file, as rules say it. mark: where it is, if not there."""
        message = f"{yaml_words.label(path)}: {cause}"
        fault = yaml_positions.YamlFault(message=message, mark=mark or self.document.locate(path), path=path)
        self.report(fault, host=host, severity=severity)

    def snippet(self, text: str, path: yaml_positions.Path, *, host: str | None) -> model.Snippet:
        """Hand-written nginx; nothing when it is wrong, which is reported."""
        if not text:
            return ()
        found = self.document.find(path)

        def place(line: int, column: int) -> str:
            return self.origin(self.document.text_mark(found, line, column)).place

        try:
            return nginx_snippet.parse_snippet(text, place, self._base_dir)
        except nginx_snippet.SnippetError as error:
            mark = self.document.text_mark(self.document.find(path), error.line)
            self.report_at(path, f"cannot use the hand-written nginx: {error}", host=host, mark=mark)
            return ()
