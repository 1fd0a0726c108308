"""Several server processes on one port: uvicorn's supervisor, with our servers in its processes.

The processes share one listening socket, and so does the supervisor. Whoever closes it last resets what waits in its
queue; so the supervisor shuts it for newcomers while its servers still accept.
"""

import socket
import time

from uvicorn.supervisors import multiprocess
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from portico.http.graceful import GracefulConfig, GracefulServer, let_nobody_in


class WorkerProcess(Process):
    """A process with a server that drains."""

    config: GracefulConfig

    @property
    def server(self) -> GracefulServer:
        """Return the server, made in the process itself."""
        if self._server is None:
            self._server = GracefulServer(self.config)
        return self._server  # type: ignore[return-value]  # made above


class Supervisor(Multiprocess):
    """Ends its servers without failing a request."""

    config: GracefulConfig
    _is_hurried = False

    def handle_int(self) -> None:
        """End at once on Ctrl-C, which its servers have heard, too."""
        self._is_hurried = True
        super().handle_int()

    def terminate_all(self) -> None:
        """Let all servers drain, and shut the door at the end of it."""
        super().terminate_all()
        time.sleep(0 if self._is_hurried else self.config.drain_seconds)
        for listener in self.sockets:
            let_nobody_in(listener)


def run_workers(config: GracefulConfig, listener: socket.socket) -> None:
    """Run `config.workers` server processes on `listener` until SIGTERM or SIGINT."""
    config.shares_listener = True
    multiprocess.Process = WorkerProcess  # type: ignore[misc]  # the supervisor makes its processes by this name
    Supervisor(config, sockets=[listener]).run()
