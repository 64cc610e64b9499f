"""What a capture does to each object of the lake, decided from schemas alone."""

from __future__ import annotations

from pathlib import Path

from dataops.infra.errors import VerificationError
from dataops.infra.platform.masking import Masking
from dataops.snapshots.lake import Identity, ObjectPlan, list_objects, open_object
from dataops.snapshots.parquet import columns_of, has_remarks
from dataops.snapshots.policy import plan_columns
from dataops.snapshots.problems import Problems

PARQUET = b"PAR1"


def plan_objects(lake: Path, masking: Masking, key: bytes, problems: Problems) -> tuple[ObjectPlan, ...]:
    """Puts a rule on every column of every object, from schemas alone; what lacks one is a problem.

    Raises:
        VerificationError: an object is a broken file, or none.
    """
    return tuple(_plan(lake, path, masking, key, problems) for path in list_objects(lake))


def _plan(lake: Path, path: str, masking: Masking, key: bytes, problems: Problems) -> ObjectPlan:
    with open_object(lake, path) as file:
        identity = Identity.of(file)
        parquet = path.lower().endswith(".parquet") or file.read(len(PARQUET)) == PARQUET
        if not parquet:
            return ObjectPlan(path, identity, False, plan_columns(path, None, masking, key, problems), False)
        import pyarrow as pa
        import pyarrow.parquet as pq

        file.seek(0)
        try:
            with pq.ParquetFile(file) as opened:
                schema, remarks = opened.schema_arrow, has_remarks(opened)
        except (pa.ArrowException, OSError) as error:
            raise VerificationError(f"lake:{path} is not a readable Parquet file ({type(error).__name__})") from None
    fields = plan_columns(path, columns_of(schema), masking, key, problems)
    return ObjectPlan(path, identity, True, fields, remarks)
