"""What the pages say of a figure, without a browser."""

from listener.web.view_fit import signal_view


def record(**changes: object) -> dict[str, object]:
    return {
        "segment": "promo",
        "dimension": "mismatch",
        "band": "8-30",
        "rate": 0.2,
        "interval": {"low": 0.1, "high": 0.3},
        "pooled": 0.08,
        "p_above": 0.99,
        "p_below": 0.0,
        "coverage": 0.4,
        "status": "elevated",
    } | changes


def test_a_mismatch_says_what_was_expected_otherwise_the_commonest_first() -> None:
    found = signal_view(record(others=0.05, reasons={"price": 0.3, "capability": 0.7}))
    assert found["reasons"] == [("what it can do", "70 %"), ("price", "30 %")]
    assert found["others"] == "5.0 %"
    assert found["effort"] is None


def test_education_effort_is_messages_and_minutes_a_customer() -> None:
    found = signal_view(record(dimension="education_effort", messages=1.25, minutes=5.0))
    assert found["effort"] == {"messages": "1.25", "minutes": "5.0"}


def test_a_signal_of_an_older_worker_is_still_shown() -> None:
    """Before reasons and effort were sent."""
    found = signal_view(record())
    assert (found["reasons"], found["effort"], found["others"]) == ([], None, None)
