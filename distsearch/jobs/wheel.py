"""Builds a wheel of this very distsearch, however it was installed, for a cluster that lacks it."""

import hashlib
from base64 import urlsafe_b64encode
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import distsearch
from distsearch.errors import UserError

FORM = b"Wheel-Version: 1.0\nGenerator: distsearch\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class Wheel(NamedTuple):
    """A wheel's file name and content."""

    name: str
    content: bytes


def own_wheel() -> Wheel:
    """A wheel of the installed package and its metadata: the same bytes for the same files."""
    installed = distribution("distsearch")
    stem = f"distsearch-{installed.version}"
    files = _package()
    described = {
        "METADATA": installed.read_text("METADATA") or installed.read_text("PKG-INFO"),  # an egg-info has the latter
        "entry_points.txt": installed.read_text("entry_points.txt"),
    }
    for name, text in described.items():
        if text is None:
            raise UserError(f"this distsearch cannot be sent, as its {name} is missing: reinstall it")
        files[f"{stem}.dist-info/{name}"] = text.encode()
    files[f"{stem}.dist-info/WHEEL"] = FORM
    record = f"{stem}.dist-info/RECORD"
    lines = [f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items()]
    files[record] = "".join([*lines, f"{record},,\n"]).encode()
    return Wheel(f"{stem}-py3-none-any.whl", zip_files(files))


def zip_files(files: dict[str, bytes]) -> bytes:
    """Zip these files, keyed by name: the same bytes for the same files."""
    target = BytesIO()
    with ZipFile(target, "w") as archive:
        for name, content in files.items():
            member = ZipInfo(name)  # with a constant timestamp
            member.external_attr = 0o644 << 16
            archive.writestr(member, content, ZIP_DEFLATED)
    return target.getvalue()


def _package() -> dict[str, bytes]:
    folder = Path(distsearch.__file__).parent
    sent = (".py", ".md", ".css", ".js")
    paths = sorted(path for path in folder.rglob("*") if path.suffix in sent or path.name == "py.typed")
    return {path.relative_to(folder.parent).as_posix(): path.read_bytes() for path in paths}


def _digest(content: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
