"""A fleet whose database was restored into another PostgreSQL, with real daemuns beside it all the time."""

import pytest

from tests.support import daemon, fleet_house, fleet_store, postgresql

pytestmark = [pytest.mark.nginx, pytest.mark.postgresql]

CURE = "`daemun fleet adopt-database"


def wait_cure(one: daemon.Daemon, *command: str, is_named: bool) -> None:
    def look() -> bool:
        done = one.cli(*command)
        return (CURE in done.stdout + done.stderr) is is_named

    one.wait(look, f"the cure in the answer to {command}: {is_named}")


def test_a_database_that_was_restored_elsewhere_is_gone_on_with_when_a_person_says_so() -> None:
    with postgresql.running() as server, fleet_house.running(server, "a", "b") as house:
        house.wait_signs("a.test", "one")
        dump = server.dump(fleet_store.DATABASE)
        house.write("a", f"sites:\n{daemon.signpost('a.test', 'later')}")
        house.wait_signs("a.test", "later")
        house.wait_number(2)
        server.replace(dump)

        for name in ("a", "b"):
            house.wait_problem(name, "lie on another PostgreSQL")
            for command in (("status",), ("fleet", "status")):
                wait_cure(house[name], *command, is_named=True)
            house[name].wait_sign("a.test", "later")  # what was live stays so
        refused = house["a"].cli("fleet", "adopt-database")
        assert refused.returncode == 1 and "say --yes" in refused.stderr
        assert house["a"].cli("fleet", "invite").returncode == 1

        house["a"].cli_good("fleet", "adopt-database", "--yes")
        house.wait_problem("b", "lie on another PostgreSQL")  # it needs a person, too
        house["b"].cli_good("fleet", "adopt-database", "--yes")
        for name in ("a", "b"):
            wait_cure(house[name], "status", is_named=False)
        house.wait_signs("a.test", "later")
        house.write("b", f"sites:\n{daemon.signpost('a.test', 'new')}")
        house["b"].wait_sign("a.test", "new", within_s=300)  # no lock is given for a while, so that old ones have ended
        house.wait_signs("a.test", "new")
        assert house["a"].cli("fleet", "adopt-database", "--yes").returncode == 0, "once more changes nothing"
        house.wait_signs("a.test", "new")
