"""Which old worker runs which generation, from what was written down and from when it started."""

import pathlib

from daemun.core import layout as layout_
from daemun.core import model
from daemun.nginx import worker_register
from daemun.nginx.worker_register import WorkerGenerations


def workers(*keys: tuple[int, int]) -> list[model.OldWorker]:
    return [model.OldWorker(pid=pid, started=started) for pid, started in keys]


def grouped(seen: WorkerGenerations, *keys: tuple[int, int]) -> list[tuple[int | None, list[int]]]:
    found = worker_register.group(workers(*keys), seen)
    return [(number, [worker.pid for worker in members]) for number, members in found]


NOTHING: dict[tuple[int, int], int | None] = {}


def seen(known: dict[tuple[int, int], int | None]) -> WorkerGenerations:
    return WorkerGenerations(workers=known, ports=frozenset())


def test_what_was_written_down() -> None:
    known = seen({(7, 100): 3, (8, 101): 3, (9, 500): 4, (10, 501): 4})
    assert grouped(known, (9, 500), (8, 101), (7, 100)) == [(3, [7, 8]), (4, [9])]


def test_a_number_that_another_process_got_is_not_taken_for_the_old_one() -> None:
    assert grouped(seen({(7, 100): 3}), (7, 900)) == [(3, [7])]
    assert grouped(seen({(7, 1000): 3}), (7, 900)) == [(None, [7])]


def test_a_worker_that_nginx_started_again_runs_what_was_newest_then() -> None:
    known = seen({(7, 100): 3, (9, 500): 4, (11, 900): 5})
    assert grouped(known, (7, 100), (20, 700), (9, 500)) == [(3, [7]), (4, [9, 20])]


def test_with_nothing_to_tell_by_those_that_started_together_are_one() -> None:
    assert grouped(seen(NOTHING), (1, 100), (2, 104), (3, 113), (4, 124), (5, 9000)) == [
        (None, [1, 2, 3]),
        (None, [4]),
        (None, [5]),
    ]


def test_it_is_kept_for_the_next_daemon(tmp_path: pathlib.Path) -> None:
    layout = layout_.Layout(str(tmp_path))
    (tmp_path / "run").mkdir()
    first = worker_register.Register(layout)
    first.write({(7, 100): 3, (8, 101): None}, frozenset({80, 443}), alive=lambda _: True)
    first.write({(9, 500): 4, (8, 101): 4}, frozenset({8443}), alive=lambda key: key[0] != 7)

    found = worker_register.Register(layout).read()
    assert found.workers == {(8, 101): None, (9, 500): 4}, "who is gone is forgotten; who is known stays what it was"
    assert found.ports == {80, 443, 8443}


def test_ports_of_nobody_who_lives_are_forgotten(tmp_path: pathlib.Path) -> None:
    register = worker_register.Register(layout_.Layout(str(tmp_path)))
    register.write({(7, 100): 3}, frozenset({80}), alive=lambda _: True)
    register.write({(9, 500): 4}, frozenset({8080}), alive=lambda _: False)
    assert register.read().ports == {8080}


def test_a_file_that_makes_no_sense_is_none(tmp_path: pathlib.Path) -> None:
    layout = layout_.Layout(str(tmp_path))
    (tmp_path / "run").mkdir()
    for text in ("", "[]", '{"workers": [[1]], "ports": []}', '{"workers": [[1, 2, "x"]], "ports": []}'):
        pathlib.Path(layout.nginx_workers).write_text(text)
        assert worker_register.Register(layout).read() == WorkerGenerations(workers={}, ports=frozenset())


def test_the_ports_of_a_tree() -> None:
    files = {
        "listen/http.conf": b"listen 80;\nlisten [::]:80;\n",
        "listen/https.conf": b"listen 127.0.0.1:8443 ssl;\n",
        "sites/a.conf": b"server {\n    include listen/http.conf;\n}\n",
        "sites/b.conf": b"server {\n    listen 9000-9002;\n    listen unix:/run/x.sock;\n}\n",
    }
    assert worker_register.find_ports(files) == {80, 8443, 9000, 9001, 9002}
