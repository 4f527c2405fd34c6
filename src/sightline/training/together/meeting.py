"""The processes of one training find each other. Comes in: torchrun's store; goes out: one that these alone use.

torchrun's store outlives restarts, and each of its agents counts its own: a process knows the others of its life by a
number that the first one drew. Refused are other versions, other hosts' loopbacks, and those that do not come. Must not
know what is trained.
"""

import ipaddress
import json
import os
import platform
import secrets
import socket
import struct
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.distributed import PrefixStore, Store  # type: ignore[attr-defined]  # of torch

from sightline import __version__
from sightline.errors import ConfigError, TrainingError
from sightline.training.together.processes import num_restarts

# torchrun starts no process before all hosts are there; importing torch from a cold disk takes up to a minute.
START_S = 300.0
POLL_S = 0.05
INTERFACE = "GLOO_SOCKET_IFNAME"


@dataclass(frozen=True)
class Member:
    """A process, as it introduces itself. `address`: where the others reach it; `restarts`: see `num_restarts`."""

    number: str
    rank: int
    host: str
    address: str
    restarts: int
    sightline: str = __version__
    torch: str = torch.__version__
    numpy: str = ""

    def __str__(self) -> str:
        return f"process {self.rank} on {self.host}"


@dataclass(frozen=True)
class Meeting:
    """Where these processes leave each other notes, and who they are, by rank."""

    store: Store
    members: list[Member]


def meet(store: Store, rank: int, size: int) -> Meeting:
    """Waits for all. Raises TrainingError where one does not come.

    Each leaves its name. The first one writes down the names it sees, under a number of its own, until all have told it
    that they found theirs among them: then all are of one life.
    """
    store = PrefixStore("sightline", store)
    own = _introduced(rank)
    _put(store, f"name/{rank}", asdict(own))
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if rank == 0:
            names = [_get(store, f"name/{other}") for other in range(size)]
            _put(store, "list", names)
            if all(_get(store, f"found/{other}") == [own.number, names[other]] for other in range(1, size)):
                break
        else:
            names = _get(store, "list") or []
            if len(names) == size and None not in names and names[rank] == asdict(own):
                _put(store, f"found/{rank}", [names[0]["number"], asdict(own)])
                if _get(store, f"met/{names[0]['number']}") is not None:
                    break
        time.sleep(POLL_S)
    else:
        raise TrainingError(f"{own}: of {size} processes not all have come within {START_S:g} s{_absent(store, size)}")
    members = [Member(**name) for name in names]
    if rank == 0:
        _put(store, f"met/{own.number}", True)
    return Meeting(PrefixStore(members[0].number, store), members)


def _introduced(rank: int) -> Member:
    import numpy

    address = _own_address()
    if INTERFACE not in os.environ and (interface := _interface_of(address)):
        os.environ[INTERFACE] = interface  # gloo would take what the host's name stands for, often 127.0.1.1
    return Member(secrets.token_hex(8), rank, platform.node(), address, num_restarts(), numpy=numpy.__version__)


def _own_address() -> str:
    """Of this host, as those see it that are seen from here as MASTER_ADDR; nothing is sent."""
    place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    for family, kind, protocol, _, address in socket.getaddrinfo(*place, type=socket.SOCK_DGRAM):
        with socket.socket(family, kind, protocol) as probe:
            try:
                probe.connect(address)
            except OSError:
                continue
            return str(probe.getsockname()[0])
    return place[0]


def _interface_of(address: str) -> str | None:
    """The network interface that has an IPv4 address; None where this system does not tell, and gloo is to choose."""
    try:
        import fcntl

        wanted = ipaddress.IPv4Address(address)
        if wanted.is_loopback:
            return None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            for _, name in socket.if_nameindex():
                request = struct.pack("256s", name.encode()[:15])
                try:
                    answer = fcntl.ioctl(probe.fileno(), 0x8915, request)  # SIOCGIFADDR of Linux
                except OSError:  # an interface without an address
                    continue
                if answer[20:24] == wanted.packed:
                    return name
    except (ImportError, ValueError, OSError):
        pass
    return None


def check(members: list[Member]) -> None:
    """Raise ConfigError where they cannot compute the same, or not reach each other."""
    first = members[0]
    for other in members[1:]:
        for what, name in (("sightline", "Sightline"), ("torch", "torch"), ("numpy", "numpy")):
            here, there = getattr(first, what), getattr(other, what)
            if here != there:
                raise ConfigError(
                    f"{first} has {name} {here}, {other} has {name} {there}: they could not learn the same; "
                    "install the same version on all"
                )
    reached = [not ipaddress.ip_address(member.address.partition("%")[0]).is_loopback for member in members]
    if any(reached) and not all(reached):
        hidden = members[reached.index(False)]
        raise ConfigError(
            f"{hidden} takes {os.environ['MASTER_ADDR']!r} for itself by {hidden.address}, where no other host reaches "
            f"it; start torchrun with addresses in place of names (--master-addr, or --rdzv-endpoint and --local-addr)"
        )


def _absent(store: Store, size: int) -> str:
    absent = [str(rank) for rank in range(size) if _get(store, f"name/{rank}") is None]
    return f": {', '.join(absent)} did not" if absent else ""


def _put(store: Store, key: str, value: object) -> None:
    store.set(key, json.dumps(value))


def _get(store: Store, key: str) -> Any:  # JSON
    """What was put there; None where nothing was, without waiting."""
    return json.loads(store.get(key)) if store.check([key]) else None
