"""The store's scenarios on the code as it is, on a real PostgreSQL."""

import inspect
from types import ModuleType

import pytest
from vyomo_mutants import accepting, claiming, executing, switching, telling, writing
from vyomo_mutants.mutating import Scenario
from vyomo_mutants.stage import Stage


def scenarios_of(*modules: ModuleType) -> list[object]:
    """Every public coroutine that wants nothing but a stage."""
    return [
        pytest.param(function, id=f"{module.__name__.rpartition('.')[2]}-{name}")
        for module in modules
        for name, function in vars(module).items()
        if inspect.iscoroutinefunction(function)
        and function.__module__ == module.__name__
        and function.__annotations__ == {"stage": Stage, "return": None}
    ]


@pytest.mark.parametrize(
    "scenario", scenarios_of(accepting, claiming, writing, switching, telling, executing)
)
async def test_scenario(scenario: Scenario, stage: Stage) -> None:
    await scenario(stage)
