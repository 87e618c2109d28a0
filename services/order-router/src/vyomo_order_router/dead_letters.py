"""Lists, shows, replays and discards dead letters; `./vyomo dead-letters` is this program.

    VYOMO_POSTGRES_URL=... python -m vyomo_order_router.dead_letters list

A replay is asked for in the record and made by a running router: the message goes onto the bus again, and everybody who hears it twice
drops it by its version.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, TextIO

import asyncpg

from vyomo_ledger.writing.dead_letters import Letter, ask_for_replay, discard, find_letter, list_letters
from vyomo_service_kit.database import Connection, RecordUnavailableError, open_database

APPLICATION: Final = "dead-letters"
_WAIT_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.2
_COLUMNS: Final = ("ID", "STATE", "CONSUMER", "KEPT", "TRIES", "WHY")
_LONGEST_WHY: Final = 80


async def run(postgres_url: str, options: argparse.Namespace, out: TextIO) -> int:
    """The exit code; refusals go to the standard error."""
    async with (
        open_database(
            postgres_url, role="vyomo_router", application=APPLICATION, patience_seconds=0
        ) as database,
        database.connection() as connection,
    ):
        match options.action:
            case "list":
                return _list(
                    await list_letters(connection, everything=options.all), out, as_json=options.json
                )
            case "show":
                return _show(await find_letter(connection, options.id), options, out)
            case "replay":
                return await _replay(connection, options, out)
            case _:
                done = await discard(connection, options.id)
                return await _told(connection, options, out, done=done, refusal="is not open")


async def _replay(connection: Connection, options: argparse.Namespace, out: TextIO) -> int:
    letter = await find_letter(connection, options.id)
    if letter is not None and letter.payload is None:
        return _fail(f"dead letter {letter.id} holds no message: the bus had let go of it before it was kept")
    if not await ask_for_replay(connection, options.id):
        return await _told(connection, options, out, done=False, refusal="is being replayed already")
    for _ in range(int(_WAIT_SECONDS / _LOOK_SECONDS)):
        letter = await find_letter(connection, options.id)
        if letter is not None and letter.state != "REPLAYING":
            return await _told(connection, options, out, done=True, refusal="")
        await asyncio.sleep(_LOOK_SECONDS)
    return _fail(
        f"dead letter {options.id} is not replayed yet; it will be as soon as an order-router and the bus are up"
    )


async def _told(
    connection: Connection, options: argparse.Namespace, out: TextIO, *, done: bool, refusal: str
) -> int:
    letter = await find_letter(connection, options.id)
    if letter is None:
        return _fail(f"there is no dead letter {options.id}")
    if not done:
        return _fail(f"dead letter {letter.id} {refusal}: it is {letter.state}")
    if options.json:
        _print_json(_summary(letter), out)
    else:
        out.write(f"dead letter {letter.id} is {letter.state}\n")
    return 0


def _list(letters: Sequence[Letter], out: TextIO, *, as_json: bool) -> int:
    if as_json:
        _print_json([_summary(letter) for letter in letters], out)
        return 0
    if not letters:
        out.write("no dead letters wait\n")
        return 0
    rows = [_COLUMNS, *map(_row, letters)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        out.write(line.rstrip() + "\n")
    return 0


def _show(letter: Letter | None, options: argparse.Namespace, out: TextIO) -> int:
    if letter is None:
        return _fail(f"there is no dead letter {options.id}")
    content = _content(letter.payload)
    if options.json:
        _print_json(_summary(letter) | {"payload": content, "traceback": letter.traceback}, out)
        return 0
    out.writelines(f"{name}: {value}\n" for name, value in _summary(letter).items())
    shown = content if isinstance(content, str) else json.dumps(content)
    out.write(f"payload: {shown}\n")
    if letter.traceback is not None:
        out.write(f"\n{letter.traceback.rstrip()}\n")
    return 0


def _content(payload: bytes | None) -> Any:
    """JSON where it is JSON, else its text with what is no text escaped; None when there is none."""
    if payload is None:
        return None
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode("utf-8", "backslashreplace")


def _summary(letter: Letter) -> dict[str, Any]:
    shown = {each.name: getattr(letter, each.name) for each in fields(letter)}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in shown.items()
        if name not in {"payload", "traceback"}
    }


def _row(letter: Letter) -> tuple[str, ...]:
    why = letter.why if len(letter.why) <= _LONGEST_WHY else f"{letter.why[: _LONGEST_WHY - 3]}..."
    return (
        str(letter.id),
        letter.state,
        letter.consumer,
        f"{letter.kept_at:%Y-%m-%d %H:%M:%SZ}",
        str(letter.deliveries),
        why,
    )


def _print_json(content: object, out: TextIO) -> None:
    out.write(json.dumps(content, indent=2) + "\n")


def _fail(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 1


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vyomo_order_router.dead_letters", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for name in ("list", "show", "replay", "discard"):
        action = actions.add_parser(name)
        action.add_argument("--json", action="store_true", help="print JSON")
        if name == "list":
            action.add_argument("--all", action="store_true", help="also those that have been seen to")
        else:
            action.add_argument("id", type=int, metavar="ID")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = command_line().parse_args(arguments)
    try:
        return asyncio.run(run(os.environ["VYOMO_POSTGRES_URL"], options, sys.stdout))
    except (OSError, RecordUnavailableError, asyncpg.PostgresError) as error:
        return _fail(f"the record cannot be reached: {error or type(error).__name__}")


if __name__ == "__main__":
    sys.exit(main())
