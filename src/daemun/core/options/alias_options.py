"""`aliases`, `redirect_aliases`: further names of a site (nginx.org/r/server_name)."""

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import rules, spellings, words


def _check_aliases(value: tuple[str, ...], place: Place) -> None:
    assert place.site is not None
    seen = {place.site.host}
    for index, alias in enumerate(value):
        several = spellings.several(alias)
        if several:
            every = [
                next((one for one in spellings.hosts(part) if rules.check_host(one) is None), part) for part in several
            ]
            place.add_value(alias, f"holds several names; write {forms.written_list(every)}", index)
        else:
            place.add_value(alias, rules.check_host(alias), index)
        if alias in seen:
            place.add(f"{words.quoted(alias)} is already a name of this site", index)
        seen.add(alias)


def _check_redirect(value: bool, place: Place) -> None:
    assert place.site is not None
    if value and not place.site.aliases:
        place.add("has no effect: the site has no aliases", severity=model.Severity.WARNING)
    if value and place.site.host.startswith("*."):
        place.add("cannot lead to a wildcard; make the host they lead to the main one")


ALIASES = Option[tuple[str, ...]](
    name="aliases",
    form=forms.Hosts,
    default=(),
    doc=Doc(kind="host or list", default="`[]`", meaning="further names"),
    levels=frozenset({Level.SITE}),
    model_field="aliases",
    check=_check_aliases,
)
REDIRECT = Option(
    name="redirect_aliases",
    form=forms.Flag,
    default=False,
    doc=Doc(
        kind="true, false", default="`false`", meaning="send aliases to the main name (301) instead of serving them"
    ),
    levels=frozenset({Level.SITE}),
    check=_check_redirect,
)
