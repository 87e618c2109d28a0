"""What the router serves about limits, switches and exit-all."""

from faststream.nats import NatsBroker

from vyomo_contracts import subjects
from vyomo_contracts.risk_commands import (
    ExitAllBatch,
    ExitReplies,
    ReadRiskBatch,
    RiskReplies,
    SetRiskLimitsBatch,
    SwitchTradingBatch,
)
from vyomo_order_router.controlling import Controlling
from vyomo_order_router.exiting import Exiting
from vyomo_order_router.handlers import SOURCE, Replying


def register_risk_handlers(
    bus: NatsBroker, controlling: Controlling, exiting: Exiting, replying: Replying
) -> None:
    @bus.subscriber(subjects.SWITCH_TRADING, queue=SOURCE, title="Switch trading")
    async def on_switch_trading(message: SwitchTradingBatch) -> RiskReplies:
        """After the reply nothing is claimed that the switch forbids; what was pending is being cancelled."""
        return replying.risk(message, await controlling.switch(message.items))

    @bus.subscriber(subjects.SET_RISK_LIMITS, queue=SOURCE, title="Set risk limits")
    async def on_set_risk_limits(message: SetRiskLimitsBatch) -> RiskReplies:
        """They hold for every order accepted after the reply."""
        return replying.risk(message, await controlling.set_limits(message.items))

    @bus.subscriber(subjects.READ_RISK, queue=SOURCE, title="Read limits and states")
    async def on_read_risk(message: ReadRiskBatch) -> RiskReplies:
        """As the record has them now."""
        return replying.risk(message, await controlling.read(message.items))

    @bus.subscriber(subjects.EXIT_ALL, queue=SOURCE, title="Exit all positions")
    async def on_exit_all(message: ExitAllBatch) -> ExitReplies:
        """One market order for each open position; the same key never closes one twice."""
        return replying.exits(message, await exiting.exit_all(message.items))
