import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_contracts import subjects
from vyomo_contracts.topology import (
    STREAMS,
    SYNC_CONSUMER,
    Stream,
    partition_of,
    worker_consumer,
    worker_consumers,
)
from vyomo_contracts.vocabulary import Broker

REQUESTS = (
    subjects.PLACE_ORDERS,
    subjects.CANCEL_ORDERS,
    subjects.MODIFY_ORDERS,
    subjects.CREATE_ACCOUNTS,
    subjects.SET_ACCOUNTS_ACTIVE,
    subjects.SYNC_POSITIONS,
    subjects.QUOTES,
    subjects.CANDLES,
    subjects.WATCH_INSTRUMENTS,
)


def matches(pattern: str, subject: str) -> bool:
    """NATS: `*` is one token, a final `>` is one or more."""
    wanted, given_tokens = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(given_tokens) >= len(wanted) and wanted[:-1] == given_tokens[: len(wanted) - 1]
    return len(wanted) == len(given_tokens) and all(
        token in {"*", other} for token, other in zip(wanted, given_tokens, strict=True)
    )


def streams_of(subject: str) -> list[str]:
    return [stream.name for stream in STREAMS if any(matches(each, subject) for each in stream.subjects)]


@given(st.integers(1, 2**31), st.integers(1, 64))
def test_account_has_one_partition_for_good(account_id: int, partitions: int) -> None:
    partition = partition_of(account_id, partitions)

    assert 0 <= partition < partitions
    assert partition == partition_of(account_id, partitions)


@given(st.integers(1, 10_000), st.integers(1, 64))
def test_consecutive_accounts_spread_evenly(first: int, partitions: int) -> None:
    found = [partition_of(first + each, partitions) for each in range(partitions)]

    assert sorted(found) == list(range(partitions))


@pytest.mark.parametrize("subject", REQUESTS)
def test_no_stream_answers_a_request_in_the_servers_name(subject: str) -> None:
    assert streams_of(subject) == []


@pytest.mark.parametrize("broker", Broker)
def test_doorbells_and_events_are_in_their_streams_alone(broker: Broker) -> None:
    assert streams_of(subjects.doorbell(broker, 3)) == ["VYOMO_CMD"]
    assert streams_of(subjects.events(broker, 3)) == ["VYOMO_EVT"]
    assert streams_of(subjects.dead_letters("worker-paper")) == ["VYOMO_DLQ"]
    assert matches(worker_consumer(broker, 3).filter_subject, subjects.doorbell(broker, 3))


def test_ticks_are_in_no_stream() -> None:
    assert streams_of(subjects.TICKS) == []


def test_consumers_never_give_a_message_up_by_count_and_have_a_delivery_subject_of_their_own() -> None:
    consumers = [*worker_consumers(Broker, 3), SYNC_CONSUMER]

    assert {each.max_deliver for each in consumers} == {-1}
    assert len({each.deliver_subject for each in consumers}) == len(consumers)
    assert all(streams_of(each.deliver_subject) == [] for each in consumers)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_streams_are_bounded_and_drop_the_oldest(stream: Stream) -> None:
    assert stream.max_age > 0
    assert stream.max_bytes > 0
    assert stream.discard == "old"
    assert stream.duplicate_window <= stream.max_age
