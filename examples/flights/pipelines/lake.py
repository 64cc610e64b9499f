"""Objects of the lake that `LAKE_URL` names, as Parquet tables."""

from __future__ import annotations

import os

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs


class Lake:
    """The environment's lake."""

    def __init__(self, url: str | None = None) -> None:
        self._files, self._root = fs.FileSystem.from_uri(url or os.environ["LAKE_URL"])

    def write(self, name: str, table: pa.Table) -> int:
        """Writes an object whole or not at all, and returns its rows."""
        path = f"{self._root}/{name}"
        if self._files.type_name == "s3":  # an upload appears when it is complete
            pq.write_table(table, path, filesystem=self._files, compression="zstd")
            return table.num_rows
        folder, _, file = path.rpartition("/")
        self._files.create_dir(folder, recursive=True)
        partial = f"{folder}/.{file}.partial"
        pq.write_table(table, partial, filesystem=self._files, compression="zstd")
        self._files.move(partial, path)
        return table.num_rows

    def read(self, name: str) -> pa.Table:
        """The object as a table."""
        return pq.read_table(f"{self._root}/{name}", filesystem=self._files)
