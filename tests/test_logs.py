import logging

from listener.logs import Repeats


def record(message: str, *args: object, name: str = "aiokafka.client") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 0, message, args, None)


def test_a_librarys_line_is_said_once_in_a_while_with_how_often_it_came() -> None:
    """An outage of the broker is a few lines, not thousands; lines of ours are all said."""
    now = 0.0
    quiet = Repeats(again=30.0, clock=lambda: now)
    assert quiet.filter(record("no node %s", 1))
    assert [quiet.filter(record("no node %s", n)) for n in range(50)] == [False] * 50
    assert quiet.filter(record("another line"))
    assert all(quiet.filter(record("ours", name="listener.lanes")) for _ in range(3))
    now = 31.0
    again = record("no node %s", 7)
    assert quiet.filter(again)
    assert again.getMessage() == "no node 7 (and 50 lines like it since)"
