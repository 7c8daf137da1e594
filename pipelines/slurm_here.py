"""A real Slurm cluster of one node on this machine: to try `medarch compare` with `run_on: slurm`, and for the tests.

    apt-get install slurmctld slurmd munge        # once; needs root here as well
    python pipelines/slurm_here.py FOLDER         # prints the line to export, runs until Ctrl-C

Everything lies in FOLDER: configuration, keys, logs, state. Nothing outside it is read or written, and no service is
installed. Three daemons listen on loopback, on free ports.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scancel", "sinfo")
PATIENCE_S = 30.0
CONFIGURATION = """\
ClusterName=here
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MpiDefault=none
# Tracking by parent process, no cgroups: they need a mount that containers do not have.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=2
MinJobAge=300
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} State=UNKNOWN
PartitionName=here Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""
# 22.05 knows no "disabled", and still looks for a mount point.
CGROUPS = "CgroupPlugin=cgroup/v1\nCgroupMountpoint={folder}/no-cgroups\nCgroupAutomount=no\n"


def missing_programs() -> list[str]:
    """Return which of Slurm's programs are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]


@contextlib.contextmanager
def slurm_cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start munged, slurmctld and slurmd; yield the environment in which ``sbatch`` finds them; stop everything.

    Raises:
        RuntimeError: the node did not become idle; the message shows the daemons' last words.
    """
    folder = folder.absolute()
    for name in ("state", "spool", "no-cgroups"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": _path()}
    _write_configuration(folder)
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        daemons.append(_start(_munged(folder), folder / "munged.out", environment))
        _until((folder / "munge.socket").exists, "munged opened no socket", folder)
        for name in ("slurmctld", "slurmd"):
            command = [name, "-D", "-f", str(folder / "slurm.conf"), *(["-N", "localhost"] if name == "slurmd" else [])]
            daemons.append(_start(command, folder / f"{name}.out", environment))
        _until(lambda: _node_state(environment) == "idle", "the node did not become idle", folder)
        yield environment
    finally:
        subprocess.run(["scancel", "--user=root"], env=environment, check=False, capture_output=True, timeout=30)
        for daemon in reversed(daemons):
            _stop(daemon)


def _write_configuration(folder: Path) -> None:
    controller_port, node_port = _free_ports(2)
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 * 9 // 10
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(
            folder=folder,
            controller_port=controller_port,
            node_port=node_port,
            cpus=os.cpu_count(),
            memory_mb=memory_mb,
        )
    )
    (folder / "cgroup.conf").write_text(CGROUPS.format(folder=folder))
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)


def _munged(folder: Path) -> list[str]:
    files = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munged.pid", "seed-file": "munge.seed"}
    options = [f"--{option}={folder / name}" for option, name in files.items()]
    return ["munged", "--foreground", "--force", f"--log-file={folder / 'munged.log'}", *options]


def _start(command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as stream:
        return subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _node_state(environment: dict[str, str]) -> str:
    asked = subprocess.run(
        ["sinfo", "--noheader", "-o", "%t"], env=environment, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()


def _until(reached: object, complaint: str, folder: Path) -> None:
    limit = time.monotonic() + PATIENCE_S
    while not reached():  # type: ignore[operator]
        if time.monotonic() > limit:
            words = [f"{path.name}:\n{path.read_text(errors='replace')[-1500:]}" for path in folder.glob("*.[ol][uo]*")]
            raise RuntimeError(complaint + "\n" + "\n".join(words))
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="an empty folder, on a short path")
    folder = parser.parse_args().folder
    if missing := missing_programs():
        parser.error(f"not installed: {', '.join(missing)}. Install slurmctld, slurmd, munge and slurm-client")
    with slurm_cluster(folder):
        print(f"idle. In another shell:\n  export SLURM_CONF={folder.absolute() / 'slurm.conf'}\n  sinfo", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
