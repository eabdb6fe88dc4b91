"""Tables of a fleet that are out there are changed by a version of their own, and by nothing else."""

import hashlib

from daemun.store.postgresql import database_schema


def test_whoever_changes_the_tables_or_their_functions_adds_a_version() -> None:
    """What a database got once it keeps: a function that only new tables have is missing in all others. So add a
    `Migration` with a number of its own, and correct this."""
    known = hashlib.sha256("".join(one.expand for one in database_schema.migrations()).encode()).hexdigest()
    assert (database_schema.newest(), known) == (2, "4feaeee8f1f4355c75e2e87e8a904f7082d61655e394e0e80ed025325742892b")
