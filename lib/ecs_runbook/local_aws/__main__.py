"""The local AWS's process: ``python -m ecs_runbook.local_aws --port N --folder DIR``."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Serve on this machine's loopback until told to stop."""
    options = _options(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
    sys.addaudithook(_stay_home)
    from ecs_runbook.local_aws import server
    from ecs_runbook.local_aws.front import Front

    application = server.create()
    http = Front(options.port, application)
    os.environ["MOTO_PORT"] = str(http.server_port)
    threading.Thread(target=_warm_up, args=(application,), daemon=True).start()
    threading.Thread(target=application.world.clock.keep_up, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=http.shutdown, daemon=True).start())
    _note(options.folder, http.server_port, application.world.life)
    http.serve_forever(poll_interval=0.05)
    application.world.clock.close()
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ecs_runbook.local_aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the port; 0, the default, takes any that is free")
    parser.add_argument("--folder", type=Path, required=True, help="where its address is noted")
    return parser.parse_args(arguments)


def _stay_home(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse every connection to another machine: whatever a call asks of moto, it reaches no AWS, nor anybody else."""
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            message = f"the local AWS calls nobody, and so not {address[0]}"
            raise PermissionError(message)


def _warm_up(application: object) -> None:
    try:
        application.warm_up()  # type: ignore[attr-defined]
        _spare_the_collector()
    except Exception:
        logging.getLogger(__name__).exception("the local AWS could not be made ready")


def _spare_the_collector() -> None:
    """
    Let Python look for garbage seldom: most of what is here stays, and a call leaves few cycles behind.

    Measured: with 5,000 schedules a fifth of the time of a simulated policy went into looking through what stays.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _note(folder: Path, port: int, life: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "local-aws.json"
    fresh = note.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps({"port": port, "pid": os.getpid(), "life": life}))
    fresh.replace(note)


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # all state is memory, and tidying it away would take longer than a person's patience with `stop`
