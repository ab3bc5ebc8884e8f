"""An AArch64 Python with LiteRT under QEMU's user mode, kept in a cache folder.

    python -m tests.arm --set-up        needs qemu-user, apt, dpkg-deb, pip and their mirrors

Debian's Python for arm64 comes through apt, with a state of its own; the wheels of LiteRT and
NumPy, of the versions that are installed here, through pip. Nothing is installed: everything is
unpacked below the folder `GRU_ZOO_AARCH64`, by default the user's cache.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from gru_zoo.files import atomic_write
from tests import debian

# CPU -> its part number and what it has beyond ARMv8.0, as Linux says it in /proc/cpuinfo. Without
# this file LiteRT reads the x86 one and dies. QEMU's "max" is no CPU of a phone, and its emulated
# matrix extension gives wrong int8 results.
CPUS = {
    "cortex-a53": ("0xd03", ""),
    "cortex-a76": ("0xd0b", " atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"),
}
_WHEELS = ("ai-edge-litert", "numpy", "flatbuffers")
_CPUINFO = """processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32{features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: {part}
CPU revision\t: 0

"""


def folder() -> Path:
    """Return where the machine is, or will be."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("GRU_ZOO_AARCH64") or Path(cache) / "gru_zoo" / "aarch64")


def versions() -> dict[str, str]:
    """Return the versions of the packages that both machines run."""
    return {name: importlib.metadata.version(name) for name in _WHEELS}


def why_not() -> str | None:
    """Return why nothing can be run in emulation, or None if it can."""
    if shutil.which("qemu-aarch64") is None:
        return "no qemu-aarch64: apt-get install qemu-user"
    made = folder() / "versions"
    if not made.is_file():
        return f"nothing in {folder()}: python -m tests.arm --set-up"
    if made.read_text() != repr(versions()):
        return f"other versions in {folder()}: python -m tests.arm --set-up"
    return None


def set_up() -> None:
    """Download and unpack the machine.

    Raises:
        subprocess.CalledProcessError: apt, dpkg-deb or pip failed; they say why.
    """
    with atomic_write(folder(), marks=("versions",)) as machine:
        machine.mkdir()
        names = ("python3", "libstdc++6")
        debian.unpack(debian.download(machine.parent / "apt", names, "arm64"), machine / "debian")
        (python,) = (machine / "debian" / "usr" / "bin").glob("python3.[0-9]*")
        _wheels(machine, python.name.removeprefix("python"))
        for cpu, (part, features) in CPUS.items():
            # What QEMU shows its guest as the root: the same files, another /proc/cpuinfo.
            (machine / cpu / "proc").mkdir(parents=True)
            text = _CPUINFO.format(part=part, features=features)
            (machine / cpu / "proc" / "cpuinfo").write_text(text)
            for place in ("usr", "lib", "etc"):
                inside = place if (machine / "debian" / place).is_dir() else f"usr/{place}"
                (machine / cpu / place).symlink_to(Path("..") / "debian" / inside)
        (machine / "python").write_text(f"usr/bin/{python.name}")
        (machine / "versions").write_text(repr(versions()))


def start(cpu: str, script: Path, *arguments: str | Path) -> subprocess.Popen:
    """Start a Python script on an emulated CPU."""
    python = folder() / cpu / (folder() / "python").read_text()
    environment = {
        "QEMU_LD_PREFIX": str(folder() / cpu),
        "QEMU_CPU": cpu,
        "PYTHONPATH": str(folder() / "site"),
        "PYTHONHOME": str(folder() / cpu / "usr"),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
    }
    command = ["qemu-aarch64", python, script, *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _wheels(machine: Path, python: str) -> None:
    """Download the wheels for AArch64 and unpack them into `site`."""
    place = machine / "wheels"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", place]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    for system in ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014"):
        command += ["--platform", f"{system}_aarch64"]
    command += [f"{name}=={version}" for name, version in versions().items()]
    subprocess.run(command, check=True)
    for wheel in place.iterdir():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(machine / "site")
    shutil.rmtree(place)
