from vyomo_broker_zerodha.bootstrap import broker_zerodha
from vyomo_broker_zerodha.settings import ZerodhaSettings
from vyomo_service_kit.runtime import run_service

if __name__ == "__main__":
    settings = ZerodhaSettings()  # pyright: ignore[reportCallIssue] - read from the environment
    run_service(lambda: broker_zerodha(settings))
