"""Test tools for brokers: a broker whose behaviour is scripted, spoken to over real HTTP."""

from vyomo_broker_kit.testing.scripted_broker import Behaviour, ScriptedBroker
from vyomo_broker_kit.testing.scripted_port import ScriptedBrokerPort

__all__ = ["Behaviour", "ScriptedBroker", "ScriptedBrokerPort"]
