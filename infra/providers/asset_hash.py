"""The content hashes of assets and archives, as Pulumi's engine computes them: of a file, or of a tar of the members.

A stack then passes from one engine to the other without a change of its archives.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from dataops.infra.errors import ResourceError
from dataops.infra.resources.values import Archive, Asset, Secret, Value

_ARCHIVES = (".tar", ".tgz", ".tar.gz", ".zip", ".jar")
_LEFT_OUT = ".pulumi"
_BLOCK = 512


def with_hashes(value: Value, folder: Path) -> Value:
    """A value with the content hash of its assets and archives; relative paths are below `folder`.

    Raises:
        ResourceError: an asset or archive cannot be read.
    """
    if isinstance(value, dict):
        return {key: with_hashes(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [with_hashes(item, folder) for item in value]
    if isinstance(value, Secret):
        return Secret(with_hashes(value.value, folder))
    if isinstance(value, (Asset, Archive)) and not value.fields.get("hash"):
        try:
            if isinstance(value, Asset):
                return Asset({**value.fields, "hash": hashlib.sha256(_content(value, folder)).hexdigest()})
            fields = {key: with_hashes(item, folder) for key, item in value.fields.items()}
            return Archive({**fields, "hash": _archive_hash(value, folder)})
        except OSError as error:
            raise ResourceError(f"cannot read {error.filename or 'an asset'}: {error.strerror}") from error
    return value


def _content(asset: Asset, folder: Path) -> bytes:
    if "text" in asset.fields:
        return str(asset.fields["text"]).encode()
    if "path" in asset.fields:
        return (folder / str(asset.fields["path"])).read_bytes()
    # What lies behind an address is the provider's business; that address is what we know of it.
    return str(asset.fields.get("uri", "")).encode()


def _archive_hash(archive: Archive, folder: Path) -> str:
    digest, path = hashlib.sha256(), str(archive.fields.get("path", ""))
    if path.endswith(_ARCHIVES):
        digest.update((folder / path).read_bytes())
    elif "uri" in archive.fields:
        digest.update(str(archive.fields["uri"]).encode())
    else:
        seen: set[str] = set()
        for name, content in _members(archive, folder):
            if name not in seen:
                seen.add(name)
                digest.update(_tar_header(name, len(content)) + content + bytes(-len(content) % _BLOCK))
        digest.update(bytes(2 * _BLOCK))
    return digest.hexdigest()


def _members(archive: Archive, folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files of an archive with their contents, nested archives unfolded, in the order of their names."""
    if "assets" in archive.fields:
        for name, item in sorted(dict(archive.fields["assets"]).items()):
            if isinstance(item, Archive):
                yield from ((posixpath.join(name, inner), content) for inner, content in _members(item, folder))
            else:
                yield name, _content(item, folder)
        return
    root = folder / str(archive.fields.get("path", ""))
    if root.suffix in (".zip", ".jar"):
        with zipfile.ZipFile(root) as packed:
            yield from ((info.filename, packed.read(info)) for info in packed.infolist() if not info.is_dir())
    elif str(root).endswith(_ARCHIVES):
        with tarfile.open(root) as packed_tar:
            for member in packed_tar:
                if file := packed_tar.extractfile(member):
                    yield member.name, file.read()
    elif root.is_dir():
        for path in _walk(root):
            yield path.relative_to(root).as_posix(), path.read_bytes()
    else:
        raise ResourceError(f"the archive {root} is neither a folder nor a file of a known kind")


def _walk(folder: Path) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name.encode()):
        if entry.name == _LEFT_OUT:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        elif not entry.is_dir():
            yield Path(entry.path)


def _tar_header(name: str, size: int) -> bytes:
    """The header of a plain file that only its owner may read, without a time."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, 0
    header = bytearray(info.tobuf(tarfile.PAX_FORMAT))
    # Numbers of devices are written as zeros rather than left empty, which the checksum covers.
    last = len(header) - _BLOCK
    header[last + 329 : last + 337] = header[last + 337 : last + 345] = b"0000000\0"
    header[last + 148 : last + 156] = b" " * 8
    header[last + 148 : last + 156] = b"%06o\0 " % sum(header[last:])
    return bytes(header)
