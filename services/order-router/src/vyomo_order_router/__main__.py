from vyomo_order_router.bootstrap import order_router
from vyomo_order_router.settings import OrderRouterSettings
from vyomo_service_kit.runtime import run_service

if __name__ == "__main__":
    settings = OrderRouterSettings()  # pyright: ignore[reportCallIssue] - read from the environment
    run_service(lambda: order_router(settings))
