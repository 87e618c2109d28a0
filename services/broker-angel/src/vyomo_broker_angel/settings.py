from pathlib import Path

from vyomo_broker_angel.instruments import LIVE_MASTER
from vyomo_broker_kit.worker import WorkerSettings


class AngelSettings(WorkerSettings):
    keys_dir: Path  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - needed here
    smartapi_url: str = "https://apiconnect.angelone.in"
    """Root of SmartAPI; another only for a test of this installation."""
    smartapi_master_url: str = LIVE_MASTER
    """Where Angel One publishes its list of instruments."""
    sandbox_smartapi_url: str | None = None
    """Root of a server that speaks SmartAPI, for accounts of the sandbox."""
