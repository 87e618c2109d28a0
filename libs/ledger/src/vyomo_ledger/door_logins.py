"""Where the secrets of a front door's login belong: what the gateway seals and the paper exchange opens must agree on it."""

from typing import Literal

from vyomo_service_kit.sealing import SecretPlace

DoorProtocol = Literal["kite", "smartapi"]
DoorSecret = Literal["apiKey", "apiSecret", "pin", "totpSecret"]


def door_secret_place(
    user_id: str, account_id: int, protocol: DoorProtocol, field: DoorSecret
) -> SecretPlace:
    return SecretPlace(
        user_id=user_id, broker=f"door-{protocol}", client_id=str(account_id), field=field, version=1
    )
