"""`buffering`: whether answers and requests wait here for their other end."""

from daemun.core.options import forms
from daemun.core.options.option import Beside, Label, Option

OPTION = Option[bool | None](
    name="buffering",
    form=forms.Flag,
    # Answers of HTTP servers leave as they come, those of FastCGI, uwsgi and SCGI are read ahead; small requests are
    # held until they are whole.
    default=None,
    meaning="true: answers are read ahead, for servers with few workers; false: requests are not held either; "
    "default: answers leave as they come",
    beside=frozenset({Beside.TO}),
    label=Label.VALUE,
)
"""None: as the comment says."""
