"""Each mutant is caught, by the alarm it should raise."""

import pytest
from vyomo_simulation.mutants import MUTANTS
from vyomo_simulation.mutating import Edit, Mutant, UnfitMutantError, applied
from vyomo_simulation.simulation import Outcome, simulate

ORDERS = 200
MOST_SEEDS = 60


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant: Mutant) -> None:
    with applied(mutant):
        caught = any(
            raises(simulate(seed, ORDERS), mutant.caught_as)
            for seed in range(mutant.seed, mutant.seed + MOST_SEEDS)
        )

    assert caught, f"{mutant.name} ({mutant.says}) went unseen through {MOST_SEEDS} seeds"


def raises(outcome: Outcome, finding: str) -> bool:
    return any(each.startswith(finding) for each in outcome.findings.all)


def test_code_is_as_it_was_after_a_mutant() -> None:
    before = simulate(2, 40)
    for mutant in MUTANTS:
        with applied(mutant):
            pass

    after = simulate(2, 40)

    assert before.is_sound
    assert after.history == before.history


def test_mutant_that_no_longer_fits_the_code_says_so() -> None:
    mutant = Mutant(
        "X", "edits what is not there", "", (Edit("vyomo_ledger.writing.ledger", "no such line", ""),)
    )

    with pytest.raises(UnfitMutantError, match="has 0 places"), applied(mutant):
        pass
