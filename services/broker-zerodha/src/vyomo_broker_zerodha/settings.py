from pathlib import Path

from vyomo_broker_kit.worker import WorkerSettings
from vyomo_broker_zerodha.session import LIVE_LOGIN


class ZerodhaSettings(WorkerSettings):
    keys_dir: Path  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - needed here
    kite_url: str = "https://api.kite.trade"
    """Root of Kite Connect; another only for a test of this installation."""
    kite_login_url: str = LIVE_LOGIN
    sandbox_kite_url: str | None = None
    """Root of a server that speaks Kite Connect, for accounts of the sandbox."""
