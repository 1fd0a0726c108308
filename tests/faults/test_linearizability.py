"""The checker of histories: it finds what is wrong, and lets pass what is only concurrent."""

from hypothesis import given, settings, strategies as st

from tests.faults.linearizability import Operation, SessionModel, TokenModel, is_linearizable

STRICT, LENIENT = SessionModel(has_grace=False), SessionModel(has_grace=True)


def did(asked: str, told: bool | None, called: float, returned: float, argument: int = 0) -> Operation:
    return Operation("session 1", asked, argument, told, called, returned)


def test_a_token_that_is_good_twice_is_an_anomaly() -> None:
    twice = [did("redeem", True, 0, 1), did("redeem", True, 0.5, 2)]
    once = [did("redeem", True, 0, 1), did("redeem", False, 0.5, 2)]

    assert not is_linearizable(twice, TokenModel())
    assert is_linearizable(once, TokenModel())


def test_a_refusal_before_the_first_redemption_is_an_anomaly() -> None:
    early = [did("redeem", False, 0, 1), did("redeem", True, 2, 3)]

    assert not is_linearizable(early, TokenModel())


def test_a_lost_answer_explains_a_refusal() -> None:
    lost = [did("redeem", None, 0, 1), did("redeem", False, 2, 3)]

    assert is_linearizable(lost, TokenModel())


def test_a_lost_answer_that_comes_too_late_explains_nothing() -> None:
    late = [did("redeem", False, 0, 1), did("redeem", None, 2, 3)]

    assert not is_linearizable(late, TokenModel())


def test_a_session_used_after_its_end_is_an_anomaly() -> None:
    stale = [did("log out", True, 0, 1), did("use", True, 2, 3)]
    during = [did("log out", True, 0, 2.5), did("use", True, 2, 3)]

    assert not is_linearizable(stale, STRICT)
    assert is_linearizable(during, STRICT)


def test_a_session_found_ended_does_not_live_again() -> None:
    flickering = [did("log out", None, 0, 9), did("use", False, 1, 2), did("use", True, 3, 4)]

    assert not is_linearizable(flickering, STRICT)


def test_the_parent_is_good_again_only_within_the_grace() -> None:
    again = [did("refresh", True, 0, 1), did("refresh", True, 2, 3)]

    assert not is_linearizable(again, STRICT)
    assert is_linearizable(again, LENIENT)


def test_a_replayed_ancestor_ends_the_session() -> None:
    replayed = [
        did("refresh", True, 0, 1),
        did("refresh", True, 2, 3, argument=1),
        did("refresh", False, 4, 5),
    ]

    assert is_linearizable([*replayed, did("use", False, 6, 7)], LENIENT)
    assert not is_linearizable([*replayed, did("use", True, 6, 7)], LENIENT)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["refresh", "use", "log out"]), st.integers(0, 2), st.booleans()),
        max_size=25,
    )
)
def test_whatever_one_client_does_alone_is_linearizable(steps: list[tuple[str, int, bool]]) -> None:
    state, history = STRICT.first, []
    for moment, (asked, back, is_lost) in enumerate(steps):
        presented = max(0, state[1] - back)
        [(told, state)] = STRICT.outcomes(state, did(asked, None, 0, 0, presented))
        history.append(did(asked, None if is_lost else told, moment, moment + 0.5, presented))

    assert is_linearizable(history, STRICT)
