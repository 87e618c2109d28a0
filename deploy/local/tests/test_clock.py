import pytest

from vyomo_local.clock import Synchronisation, decode, judge, read_synchronisation
from vyomo_local.findings import Level

UNSYNCHRONISED = 0x0040
NANOSECONDS = 0x2000


def test_kernel_answers_with_plausible_numbers() -> None:
    try:
        found = read_synchronisation()
    except OSError as error:
        pytest.skip(f"this sandbox hides the kernel's clock: {error}")

    assert abs(found.offset_seconds) <= 0.5  # the kernel slews no more than that
    assert found.worst_error_seconds >= 0


@pytest.mark.parametrize(
    ("status", "offset", "seconds"), [(0x1, 1500, 0.0015), (0x1 | NANOSECONDS, -1_500_000, -0.0015)]
)
def test_offset_has_the_unit_that_the_status_names(status: int, offset: int, seconds: float) -> None:
    found = decode(status=status, offset=offset, maxerror=250_000)

    assert found.synchronised
    assert found.offset_seconds == pytest.approx(seconds)
    assert found.worst_error_seconds == pytest.approx(0.25)


def test_unsynchronised_clock_is_a_warning() -> None:
    finding = judge(decode(status=UNSYNCHRONISED, offset=0, maxerror=16_000_000))

    assert finding.level is Level.WARN
    assert "chrony" in finding.advice


@pytest.mark.parametrize(
    ("offset", "level"), [(0.0999, Level.OK), (-0.0999, Level.OK), (0.1, Level.WARN), (-0.25, Level.WARN)]
)
def test_offset_of_a_tenth_of_a_second_is_a_warning(offset: float, level: Level) -> None:
    assert judge(Synchronisation(True, offset, 0.3)).level is level
