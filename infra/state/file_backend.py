"""A backend in a folder, in the layout of Pulumi's self-managed backend, so that the `pulumi` CLI can use it too."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from dataops.infra.errors import ConfigurationError
from dataops.infra.state.file_storage import FileStorage
from dataops.infra.state.stack_backend import StackBackend


class FileBackend(StackBackend):
    """A `Backend` in a folder, which is made with the first stack."""

    def __init__(self, root: Path, suffix: str = "") -> None:
        super().__init__(FileStorage(root), suffix=suffix)

    @classmethod
    def open(cls, url: str, suffix: str = "") -> FileBackend:
        """The backend at a `file://` URL or a path; `~` is the home directory."""
        scheme, separator, path = url.partition("://")
        if not separator:
            path = url
        elif scheme != "file":
            raise ConfigurationError(
                f"state cannot be kept at {scheme}://",
                where=url,
                hint="use a folder, file:///path or file://~, or a bucket, s3://bucket/prefix",
            )
        else:
            path = unquote(path.partition("?")[0])
        root = Path(path).expanduser().absolute()
        if root.exists() and not root.is_dir():
            raise ConfigurationError("the state's folder is not a folder", where=str(root), hint="name another one")
        return cls(root, suffix)
