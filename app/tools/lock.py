"""Writes requirements.txt and requirements-dev.txt anew: what pip would install today.

    python tools/lock.py [INDEX]        https://pypi.org/simple unless another one is named

pip chooses the versions for the Python that runs this, and the index says the hashes of all wheels
that an image may need, so that the lock is good for each kind of processor. Nothing is installed.
"""

import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

DEVELOPMENT = ["certifi", "debugpy", "httpx", "pytest"]
JSON = "application/vnd.pypi.simple.v1+json"
PLATFORM = re.compile(r"any|(many|musl)linux\S*_(x86_64|aarch64)")
PYTHON = re.compile(r"cp31[1-9]")


def resolved(index: str, arguments: list[str]) -> dict[str, str]:
    """The versions that pip would install, by the packages' names."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--only-binary", ":all:", "--index-url", index]
        subprocess.run([*command, "--report", report, *arguments], check=True)  # noqa: S603
        installed = json.loads(report.read_text())["install"]
    packages = [item["metadata"] for item in installed]
    return {normal(p["name"]): p["version"] for p in packages}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def usable(filename: str) -> bool:
    """True for a wheel that an image of Linux may need."""
    if not filename.endswith(".whl"):
        return False
    python, abi, platform = filename.removesuffix(".whl").rsplit("-", 3)[1:]
    if not PLATFORM.fullmatch(platform):
        return False
    return abi in ("none", "abi3") or bool(PYTHON.fullmatch(python) and abi == python)


def hashes(index: str, name: str, version: str) -> list[str]:
    """The SHA-256 of each usable wheel of a version."""
    request = urllib.request.Request(f"{index.rstrip('/')}/{name}/", headers={"Accept": JSON})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        files = json.load(answer)["files"]
    of_version = (f for f in files if f["filename"].split("-")[1:2] == [version])
    found = sorted(f["hashes"]["sha256"] for f in of_version if usable(f["filename"]))
    if not found:
        raise SystemExit(f"{name} {version}: the index has no wheel for Linux")
    return found


def locked(index: str, versions: dict[str, str]) -> str:
    text = ""
    for name, version in sorted(versions.items()):
        lines = [f"    --hash=sha256:{sum}" for sum in hashes(index, name, version)]
        text += " \\\n".join([f"{name}=={version}", *lines]) + "\n"
    return text


def write(file: Path, text: str) -> None:
    """Puts text in place of the lines of packages; what is said above them stays."""
    kept = [line for line in file.read_text().splitlines() if line[:1] in "#-"]
    file.write_text("\n".join([*kept, text]))


def main(index: str = "https://pypi.org/simple") -> None:
    folder = Path(__file__).parent.parent
    source = str(folder / "requirements.in")
    runtime = resolved(index, ["-r", source])
    everything = resolved(index, ["-r", source, *DEVELOPMENT])
    if different := {n for n, v in runtime.items() if everything[n] != v}:
        raise SystemExit(f"the tests want other versions of {', '.join(sorted(different))}")
    development = {n: v for n, v in everything.items() if n not in runtime}
    texts = locked(index, runtime), locked(index, development)
    write(folder / "requirements.txt", texts[0])
    write(folder / "requirements-dev.txt", texts[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
