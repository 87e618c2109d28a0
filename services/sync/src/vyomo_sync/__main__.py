from vyomo_service_kit.runtime import run_service
from vyomo_sync.bootstrap import service

if __name__ == "__main__":
    run_service(service)
