"""Each statement with one thing wrong is caught by its scenario, on a real PostgreSQL."""

import pytest
from vyomo_mutants import telling, writing
from vyomo_mutants.clock_mutants import CLOCK_MUTANTS
from vyomo_mutants.condition_mutants import CONDITION_MUTANTS
from vyomo_mutants.locking_mutants import LOCKING_MUTANTS
from vyomo_mutants.mutating import Scenario, SqlMutant, UnfitTextError, in_place
from vyomo_mutants.stage import Stage
from vyomo_simulation.mutants import MUTANTS as PROTOCOL_MUTANTS
from vyomo_simulation.mutating import applied

SQL_MUTANTS = (*LOCKING_MUTANTS, *CLOCK_MUTANTS, *CONDITION_MUTANTS)


@pytest.mark.parametrize("mutant", SQL_MUTANTS, ids=lambda mutant: mutant.name)
async def test_mutant_is_caught(mutant: SqlMutant, stage: Stage) -> None:
    with in_place(mutant), pytest.raises(mutant.fails_with):
        await mutant.scenario(stage)


@pytest.mark.parametrize(
    ("name", "scenario"),
    [
        ("M3", telling.what_the_bus_did_not_take_stays_in_the_outbox),
        ("M3b", telling.what_the_relay_could_not_publish_stays_in_the_outbox),
        ("M8", writing.whoever_locks_an_order_sees_it_as_its_last_holder_left_it),
    ],
)
async def test_mutant_of_the_simulation_is_caught_on_the_real_record(
    name: str, scenario: Scenario, stage: Stage
) -> None:
    [mutant] = [each for each in PROTOCOL_MUTANTS if each.name == name]
    with applied(mutant), pytest.raises(AssertionError):
        await scenario(stage)


def test_names_are_unique_and_each_mutant_changes_something() -> None:
    assert len({mutant.name for mutant in SQL_MUTANTS}) == len(SQL_MUTANTS)
    assert all(mutant.old != mutant.new for mutant in SQL_MUTANTS)


def test_mutant_that_no_longer_fits_the_statement_says_so() -> None:
    mutant = SqlMutant(
        "X",
        "",
        "vyomo_ledger.writing.leases._TAKE",
        "no such text",
        "",
        telling.lease_has_one_holder_until_it_runs_out,
    )

    with pytest.raises(UnfitTextError, match="has 0 places"), in_place(mutant):
        pass
