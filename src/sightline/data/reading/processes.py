"""Work shared among processes, where Python's lock keeps threads from it. Comes in: a function of a state that all
share and of one item; goes out: the same function, carried out elsewhere.

For thousands of small pictures: three quarters of decoding 32x32 pixels is Python's own work, so that two threads read
no more of them a second than one. The processes are started anew rather than forked (a fork copies locks that other
threads hold) and know nothing of the user's program, which therefore needs no guard around its main part. One that
dies is done without: its item is worked on here, where an error has its usual way. Must not know pictures.
"""

import contextlib
import json
import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import IO, Generic, TypeVar

State = TypeVar("State")
In = TypeVar("In")
Out = TypeVar("Out")

PATH = "import json, sys; sys.path[:] = json.loads(sys.argv[1])"  # what can be imported here can be there
START = f"{PATH}; from sightline.data.reading.processes import serve; serve()"


class Processes(Generic[State, In, Out]):
    """`function(state, item)` in one of `num` processes; call it from as many threads.

    The function must be importable by its name; the state and the items must be such as can be pickled.
    """

    def __init__(self, function: Callable[[State, In], Out], state: State, num: int) -> None:
        self._function, self._state, self._num = function, state, num
        self._started = list[subprocess.Popen[bytes]]()
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()

    def __enter__(self) -> "Processes[State, In, Out]":
        work = pickle.dumps((self._function, self._state), pickle.HIGHEST_PROTOCOL)
        command = [sys.executable, "-c", START, json.dumps(sys.path)]
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        with contextlib.suppress(OSError):  # no memory for it, or not allowed: what has started may still serve
            for _ in range(self._num):
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                )
                self._started.append(process)
                self._idle.put(process)
            for process in self._started:
                _send(process.stdin, work)
        return self

    def __call__(self, item: In) -> Out:
        try:
            process = self._idle.get_nowait()
        except queue.Empty:
            return self._function(self._state, item)
        try:
            _send(process.stdin, pickle.dumps(item))
            answer: Out = pickle.loads(_receive(process.stdout))
        except (OSError, EOFError):
            return self._function(self._state, item)
        self._idle.put(process)
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started:
            if kind is not None:
                process.kill()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None, "both were asked for"
                with contextlib.suppress(OSError):  # it has died with something still on its way to it
                    pipe.close()
        for process in self._started:
            process.wait()


def serve() -> None:
    """The life of such a process: the function and the state, then items until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started this; it closes the pipe
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the answers
    try:
        function, state = pickle.loads(_receive(source))
        while True:
            _send(target, pickle.dumps(function(state, pickle.loads(_receive(source))), pickle.HIGHEST_PROTOCOL))
    except (EOFError, BrokenPipeError):
        os._exit(0)


def _send(pipe: IO[bytes] | None, message: bytes) -> None:
    assert pipe is not None, "it was asked for"
    pipe.write(len(message).to_bytes(8, "little"))
    pipe.write(message)
    pipe.flush()


def _receive(pipe: IO[bytes] | None) -> bytes:
    assert pipe is not None, "it was asked for"
    size = pipe.read(8)
    message = pipe.read(int.from_bytes(size, "little")) if len(size) == 8 else b""
    if len(size) < 8 or len(message) < int.from_bytes(size, "little"):
        raise EOFError
    return message
