"""Test tools for brokers: a broker whose behaviour is scripted, spoken to over real HTTP."""

from vyomo_broker_kit.testing.behaviour import Behaviour, FaultMix
from vyomo_broker_kit.testing.scripted_broker import ScriptedBroker
from vyomo_broker_kit.testing.scripted_port import ScriptedBrokerPort

__all__ = ["Behaviour", "FaultMix", "ScriptedBroker", "ScriptedBrokerPort"]
