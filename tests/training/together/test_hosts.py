"""Two hosts train one network: each a network namespace with a name, files and a cache of its own."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from sightline.run import UNFINISHED, sha256

from ..test_train import bars_in

TRAIN = [
    "--epochs", "3", "--model", "simple_cnn", "--plan", "off",
    "--set", "batch_size=16", "--set", "model.width=8", "--set", "model.dense=0",
    "--set", "model.dropout=0.2", "--set", "optimizer=adamw", "--set", "learning_rate=0.01", "--set", "keep=best",
    "--checkpoint-every", "0",
]  # fmt: skip
LONG = [*TRAIN, "--epochs", "40"]
LIMIT_S = 120
PORT = 29400
# What a process does before it is a Sightline: `sys.argv[1]`, then the command.
WORKER = "import sys\nexec(sys.argv[1])\nfrom sightline.cli import main\nsys.exit(main(sys.argv[2:]))\n"


@dataclass
class Host:
    """`folder` is its disk: the other's is hidden from what runs here."""

    name: str
    address: str
    folder: Path
    hidden: Path

    def start(self, *command: str) -> subprocess.Popen[str]:
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")  # as Debian has it
        script = 'mount --bind "$3/hosts" /etc/hosts && mount -t tmpfs -o ro none "$1" && hostname "$2" && cd "$3"'
        script += ' && shift 3 && exec "$@"'
        place = [str(self.hidden), self.name, str(self.folder)]
        inside = ["ip", "netns", "exec", self.name, "unshare", "-u", "sh", "-c", script, "sh", *place, *command]
        env = os.environ | {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(self.folder / "cache")}
        return subprocess.Popen(inside, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env)

    def kill(self) -> None:
        pids = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True)
        for pid in pids.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), 9)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[list[Host]]:
    """Two, joined by a cable, each with its own copy of the pictures."""
    names, folders = [f"sl{os.getpid()}{letter}" for letter in "ab"], [tmp_path / "a", tmp_path / "b"]
    found = [Host(names[i], f"10.83.0.{i + 1}", folders[i], folders[1 - i]) for i in (0, 1)]
    try:
        for host in found:
            ip("netns", "add", host.name)
        ip("link", "add", "cable", "netns", names[0], "type", "veth", "peer", "name", "cable", "netns", names[1])
        for host in found:
            ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "cable")
            ip("-n", host.name, "link", "set", "cable", "up")
            ip("-n", host.name, "link", "set", "lo", "up")
    except (OSError, subprocess.CalledProcessError) as error:
        remove(found)
        pytest.skip(f"network namespaces need Linux, root and iproute2 ({error})")
    bars_in(folders[0] / "pictures", 161)
    shutil.copytree(folders[0], folders[1])
    (folders[1] / "pictures").rename(folders[1] / "copied")
    yield found
    remove(found)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def remove(hosts: list[Host]) -> None:
    for host in hosts:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            host.kill()
            ip("netns", "delete", host.name)


def start(
    hosts: list[Host], *words: str, codes: tuple[str, str] = ("", ""), c10d: bool = False
) -> list[subprocess.Popen[str]]:
    """`sightline train PICTURES WORDS` on both; `codes`: Python that runs before, on each."""
    processes = []
    for rank, (host, pictures) in enumerate(zip(hosts, ("pictures", "copied"), strict=True)):
        place = ["--node-rank", str(rank), "--master-addr", hosts[0].address, "--master-port", str(PORT)]
        if c10d:
            place = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{hosts[0].address}:{PORT}", "--rdzv-id", "one"]
            place += ["--local-addr", host.address, "--rdzv-conf", f"is_host={1 - rank}"]
        worker = host.folder / "worker.py"
        worker.write_text(WORKER)
        agent = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", *place]
        processes.append(host.start(*agent, str(worker), codes[rank], "train", pictures, *words))
    return processes


def ended(processes: list[subprocess.Popen[str]], limit_s: float = LIMIT_S) -> list[str]:
    """What they said."""
    try:
        return [process.communicate(timeout=limit_s)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()


def until_step(host: Host, step: int) -> None:
    folder, deadline = host.folder / "run" / UNFINISHED / "checkpoints", time.monotonic() + LIMIT_S
    while not any(int(path.stem) > step for path in folder.glob("*.safetensors")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def weights(host: Host) -> str:
    return sha256(host.folder / "run" / "model.safetensors")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The weights that two processes of one machine come to."""
    place = tmp_path_factory.mktemp("alone")
    bars_in(place / "pictures", 161)
    for name, words in (("short", TRAIN), ("long", LONG)):
        command = [sys.executable, "-m", "sightline", "train", str(place / "pictures"), *words, "--nproc", "2"]
        env = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run([*command, "--out", str(place / name)], check=True, capture_output=True, env=env)
    return {name: sha256(place / name / "model.safetensors") for name in ("short", "long")}


@pytest.mark.parametrize("c10d", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["static", "c10d"])
def test_two_hosts_learn_what_two_processes_of_one_do(
    hosts: list[Host], undisturbed: dict[str, str], c10d: bool
) -> None:
    processes = start(hosts, *TRAIN, "--out", "run", c10d=c10d)
    said = ended(processes)
    assert [process.returncode for process in processes] == [0, 0], said
    assert weights(hosts[0]) == undisturbed["short"]
    assert not (hosts[1].folder / "run").exists()
    assert "Report: " in said[0] and "Report: " not in said[1]


def test_a_host_with_other_pictures_is_told_what_differs(hosts: list[Host]) -> None:
    row = sorted((hosts[1].folder / "copied").glob("*/*.png"))[7]
    Image.open(row).point(lambda value: 255 - value).save(row)
    said = ended(start(hosts, *TRAIN, "--out", "run"))
    name = f"{row.parent.name}/{row.name}"
    assert re.search(rf"process 1 on {hosts[1].name} has other pictures than process 0 on {hosts[0].name}", said[0])
    assert f"  {name}: pixels" in said[0] and said[0].count("pixels '") == 1, said[0]
    row.unlink()
    (hosts[1].folder / "copied" / "new.png").write_bytes(b"")
    said = ended(start(hosts, *TRAIN, "--out", "run"))
    assert f"  {name}: is missing" in said[0], said[0]
    assert not (hosts[0].folder / "run").exists()


def test_other_versions_and_other_words_are_refused(hosts: list[Host]) -> None:
    newer = (
        "from sightline.training.together import meeting; import dataclasses; introduced = meeting._introduced; "
        "meeting._introduced = lambda rank: dataclasses.replace(introduced(rank), torch='9.0')"
    )
    said = "".join(ended(start(hosts, *TRAIN, "--out", "run", codes=("", newer))))
    assert re.search(r"process 0 on \S+ has torch \S+, process 1 on \S+ has torch 9.0: they could not learn", said), (
        said
    )
    seed = "sys.argv += ['--seed', '1']"
    said = "".join(ended(start(hosts, *TRAIN, "--out", "run", codes=("", seed))))
    assert "was started with seed = 0, process 1" in said and said.count("give all the same words") == 1, said


def test_when_a_host_dies_the_other_ends_and_both_go_on_to_the_same_bits(
    hosts: list[Host], undisturbed: dict[str, str]
) -> None:
    processes = start(hosts, *LONG, "--out", "run")
    until_step(hosts[0], 10)
    hosts[1].kill()
    began = time.monotonic()
    said, _ = ended(processes)
    assert time.monotonic() - began < 30  # seconds
    assert "has lost the others" in said and "sightline train --resume run" in said, said
    said, _ = ended(start(hosts, "--resume", "run"))
    assert "Going on from step" in said, said
    assert weights(hosts[0]) == undisturbed["long"]


@pytest.mark.slow  # over a minute: as long as a silent host is waited for
def test_when_the_cable_is_cut_both_end_and_both_go_on_to_the_same_bits(
    hosts: list[Host], undisturbed: dict[str, str]
) -> None:
    processes = start(hosts, *LONG, "--out", "run")
    until_step(hosts[0], 10)
    ip("-n", hosts[1].name, "link", "set", "cable", "down")
    began = time.monotonic()
    said = ended(processes)
    assert time.monotonic() - began < 100  # seconds
    for rank in (0, 1):
        heard = (
            f"process {rank} on {hosts[rank].name} has heard nothing of process {1 - rank} on {hosts[1 - rank].name}"
        )
        assert heard in said[rank], said[rank]
    ip("-n", hosts[1].name, "link", "set", "cable", "up")
    said = ended(start(hosts, "--resume", "run"))
    assert "Going on from step" in said[0], said[0]
    assert weights(hosts[0]) == undisturbed["long"]
