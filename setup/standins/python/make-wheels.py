"""Makes wheels of Debian's Python packages, so that pip can work without a network.

    make-wheels.py PACKAGES.TXT FOLDER-WITH-DEBS FOLDER-FOR-WHEELS

A wheel is a package's files, its metadata and a RECORD of both. Debian ships the
files and the metadata; the commands (uvicorn, alembic, …) are written by pip from
entry_points.txt. It runs inside the stand-in, with the Python the wheels are for.
"""

import base64
import hashlib
import pathlib
import re
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

SITE = "usr/lib/python3/dist-packages"
# Files of a dist-info folder that a wheel has from elsewhere, or not at all.
NOT_COPIED = {"INSTALLER", "RECORD", "REQUESTED", "WHEEL", "METADATA", "PKG-INFO",
              "requires.txt", "dependency_links.txt", "not-zip-safe", "SOURCES.txt"}
# What PyPI has by another name. psycopg looks for either module; a lock can name this wheel alone.
RENAMED = {"psycopg-c": "psycopg-binary"}
# (package, requirement) pairs that Debian does not keep either: see packages.txt, and the
# time zones are those of the system.
DROPPED_REQUIREMENTS = {("uvicorn", "httptools"), ("kombu", "tzdata")}
# Upstream carries a copy of decorator, Debian imports its own package; click-repl's metadata
# have lost theirs.
ADDED_REQUIREMENTS = {("prometheus_client", "decorator"), ("click_repl", "prompt-toolkit")}


def unpack(debian_names, debs, target):
    for name in debian_names:
        found = list(debs.glob(f"{name}_*.deb"))
        if len(found) != 1:
            sys.exit(f"{name}: want one .deb in {debs}, found {len(found)}")
        subprocess.run(["dpkg-deb", "--extract", found[0], target], check=True)


def read_metadata(info):
    """Name, version and text of the metadata, with what packaging leaves amiss mended."""
    if info.is_file():  # an .egg-info that is a single file
        path = info
    else:
        path = next(p for p in (info / "METADATA", info / "PKG-INFO") if p.exists())
    header, _, description = path.read_text(encoding="utf-8").partition("\n\n")
    # Built from a git checkout: Debian's alembic 1.13.2 calls itself 1.13.2.dev0,
    # which `alembic==1.13.2` would not match.
    header = re.sub(r"(?m)^(Version: .*)\.dev0$", r"\1", header)
    name = re.search(r"(?m)^Name: (\S+)", header)[1]
    if (renamed := RENAMED.get(name)) is not None:
        header, name = re.sub(r"(?m)^Name: .*", f"Name: {renamed}", header), renamed
    version = re.search(r"(?m)^Version: (\S+)", header)[1]
    for package, requirement in DROPPED_REQUIREMENTS:
        if normal(name) == package:
            header = re.sub(rf"(?m)^Requires-Dist: {requirement}\b.*\n", "", header)
    for package, requirement in ADDED_REQUIREMENTS:
        if normal(name) == package:
            header = f"{header.rstrip()}\nRequires-Dist: {requirement}"
    return name, version, f"{header.rstrip()}\n\n{description}"


def normal(name):
    return re.sub(r"[-_.]+", "_", name).lower()


def wanted_files(site, info):
    """Pairs of (name in the wheel, content) of the package itself."""
    for path in sorted(site.rglob("*")):
        parts = path.relative_to(site).parts
        is_test = len(parts) > 2 and parts[1] == "tests"
        is_source = path.suffix == ".po"  # of a translation, of which the .mo is read
        if path.is_file() and info not in [path, *path.parents] and "__pycache__" not in parts and not (is_test or is_source):
            yield "/".join(parts), path.read_bytes()


def tag(names):
    if any(name.endswith(".so") for name in names):
        python = f"cp{sys.version_info.major}{sys.version_info.minor}"
        platform = re.sub(r"[-.]", "_", sysconfig.get_platform())
        return f"{python}-{python}-{platform}"
    return "py3-none-any"


def write_wheel(path, files, record_name):
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
        for name, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(content)}")
            # A fixed date: the same packages give the same wheel.
            wheel.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        record.append(f"{record_name},,")
        wheel.writestr(zipfile.ZipInfo(record_name), "\n".join(record) + "\n", zipfile.ZIP_DEFLATED)


def write_index(out, name, wheel):
    """The page on which pip looks for a package (PEP 503)."""
    page = out / "simple" / name / "index.html"
    page.parent.mkdir(parents=True)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    page.write_text(f'<!DOCTYPE html><a href="../../{wheel.name}#sha256={digest}">{wheel.name}</a>\n')


def make_wheel(debian_names, debs, out):
    with tempfile.TemporaryDirectory() as folder:
        unpack(debian_names, debs, folder)
        site = pathlib.Path(folder) / SITE
        infos = [*site.glob("*.dist-info"), *site.glob("*.egg-info")]
        if len(infos) != 1:
            sys.exit(f"{debian_names}: want one metadata folder, found {[i.name for i in infos]}")
        info = infos[0]
        name, version, metadata = read_metadata(info)
        files = dict(wanted_files(site, info))
        wheel_tag = tag(files)
        stem = f"{normal(name)}-{version}"
        dist_info = f"{stem}.dist-info"
        if info.is_dir():
            for path in sorted(info.iterdir()):
                if path.is_file() and path.name not in NOT_COPIED:
                    files[f"{dist_info}/{path.name}"] = path.read_bytes()
        files[f"{dist_info}/METADATA"] = metadata.encode()
        pure = str(wheel_tag == "py3-none-any").lower()
        files[f"{dist_info}/WHEEL"] = (
            f"Wheel-Version: 1.0\nGenerator: make-wheels.py from {' '.join(debian_names)}\n"
            f"Root-Is-Purelib: {pure}\nTag: {wheel_tag}\n"
        ).encode()
        wheel = out / f"{stem}-{wheel_tag}.whl"
        write_wheel(wheel, files, f"{dist_info}/RECORD")
        write_index(out, normal(name).replace("_", "-"), wheel)
        return f"{name.lower()}=={version}"


def main():
    packages, debs, out = map(pathlib.Path, sys.argv[1:])
    out.mkdir(parents=True)
    lines = [line.split() for line in packages.read_text().splitlines()]
    versions = [make_wheel(names, debs, out) for names in lines if names and names[0] != "#"]
    (out / "versions.txt").write_text("\n".join(sorted(versions)) + "\n")
    print(f"{len(versions)} wheels, {sum(w.stat().st_size for w in out.glob('*.whl')) // 1024} KiB")


main()
