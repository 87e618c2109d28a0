from vyomo_broker_angel.bootstrap import broker_angel
from vyomo_broker_angel.settings import AngelSettings
from vyomo_service_kit.runtime import run_service

if __name__ == "__main__":
    settings = AngelSettings()  # pyright: ignore[reportCallIssue] - read from the environment
    run_service(lambda: broker_angel(settings))
