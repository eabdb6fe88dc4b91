"""What PostgreSQL refuses has a cure, in whatever language the server says it (`lc_messages`)."""

import psycopg
import pytest

from daemun.store.postgresql import database_connections

TO = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (psycopg.errors.InsufficientPrivilege("keine Berechtigung für Datenbank fleet"), "the owner of the database"),
        (psycopg.errors.InsufficientPrivilege("테이블 item에 대한 접근 권한 없음"), "the tables of its schema daemun"),
        (psycopg.errors.TooManyConnections("trop de clients connectés"), "`max_connections`"),
        (psycopg.errors.InvalidCatalogName("Datenbank »nosuch« existiert nicht"), "create the database"),
        (
            psycopg.OperationalError(f"{TO}FATAL:  Passwort-Authentifizierung für Benutzer »a« fehlgeschlagen"),
            "correct the role, its password or the database",
        ),
        (psycopg.OperationalError(f'{TO}치명적오류:  "nosuch" 데이터베이스 없음'), "correct the role, its password"),
        (psycopg.OperationalError(f'{TO}FATAL:  database "nosuch" does not exist'), "`createdb --owner a nosuch`"),
        (
            psycopg.errors.InsufficientPrivilege("permission denied for database fleet"),
            "`ALTER DATABASE fleet OWNER TO",
        ),
    ],
)
def test_it_has_a_cure_of_its_kind(error: psycopg.Error, cure: str) -> None:
    said = str(database_connections.unreachable(error, "a"))
    assert said.startswith("cannot use the fleet's database: ")
    assert cure in said
    assert "check that PostgreSQL runs" not in said


@pytest.mark.parametrize("cause", ["Connection refused", "Verbindungsaufbau abgelehnt", "timeout expired"])
def test_a_server_that_is_not_there_refuses_nothing(cause: str) -> None:
    said = str(database_connections.unreachable(psycopg.OperationalError(f"{TO}{cause}"), "a"))
    assert "check that PostgreSQL runs and that this machine reaches it" in said
