"""What a database has and a snapshot does not carry: told in the output and in the manifest, never dropped silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataops.snapshots.catalogue import Connection

_OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_NO_EXTENSION = """NOT EXISTS (
  SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')"""
QUERIES = (
    """SELECT count(*) || ' large objects, since ' || current_user || ' may not read pg_catalog.pg_largeobject'
FROM pg_largeobject_metadata
WHERE NOT has_table_privilege('pg_catalog.pg_largeobject', 'SELECT') HAVING count(*) > 0""",
    """SELECT 'the owner ' || pg_get_userbyid(lomowner) || ' of ' || count(*) || ' large objects'
  || ', and their privileges: in a replica all belongs to one role' FROM pg_largeobject_metadata GROUP BY lomowner""",
    "SELECT 'the foreign server ' || srvname || ' with its user mappings' FROM pg_foreign_server",
    """SELECT 'what the foreign table ' || n.nspname || '.' || c.relname
  || ' leads to: in a replica it is an empty table'
FROM pg_foreign_table t JOIN pg_class c ON c.oid = t.ftrelid JOIN pg_namespace n ON n.oid = c.relnamespace""",
    "SELECT 'the publication ' || pubname FROM pg_publication",
    """SELECT 'the subscription ' || subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
WHERE d.datname = current_database()""",
    f"""SELECT 'the policy ' || p.polname || ' on ' || n.nspname || '.' || c.relname
  || ', which is for roles of its own: '
  || (SELECT string_agg(r.rolname, ', ' ORDER BY r.rolname) FROM pg_roles r WHERE r.oid = ANY (p.polroles))
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.polroles <> '{{0}}' AND {_OWN}""",
    f"""SELECT 'the privileges granted on ' || count(*) || ' relations'
  || ': an environment has those that dataops.yaml declares'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OWN} AND {_NO_EXTENSION} AND c.relacl IS NOT NULL HAVING count(*) > 0""",
    """SELECT 'the default privileges of ' || pg_get_userbyid(defaclrole)
  || coalesce(' in the schema ' || n.nspname, '')
  || CASE defaclobjtype WHEN 'r' THEN ' on tables' WHEN 'S' THEN ' on sequences' WHEN 'f' THEN ' on functions'
     WHEN 'T' THEN ' on types' WHEN 'n' THEN ' on schemas' ELSE ' on large objects' END
FROM pg_default_acl a LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace""",
    f"""SELECT 'the owner ' || pg_get_userbyid(c.relowner) || ' of ' || count(*)
  || ' relations: in a replica all belongs to one role' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OWN} AND {_NO_EXTENSION} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') GROUP BY c.relowner""",
    """SELECT 'the setting ' || split_part(setting, '=', 1) || ' of '
  || CASE s.setrole WHEN 0 THEN 'the database' ELSE 'the role ' || pg_get_userbyid(s.setrole) || ' in the database' END
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase CROSS JOIN unnest(s.setconfig) AS setting
WHERE d.datname = current_database()""",
    "SELECT 'the security label of ' || objtype || ' ' || objname FROM pg_seclabels",
    f"""SELECT 'the tablespace ' || s.spcname || ' of ' || count(*) || ' relations'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_tablespace s ON s.oid = c.reltablespace
WHERE {_OWN} GROUP BY s.spcname""",
    """SELECT 'the rows of the table ' || n.nspname || '.' || c.relname
  || ', which belongs to the extension ' || x.extname
FROM pg_extension x CROSS JOIN unnest(x.extconfig) AS t(oid) JOIN pg_class c ON c.oid = t.oid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relname <> 'spatial_ref_sys'""",
    f"""SELECT 'the rows of the unlogged table ' || n.nspname || '.' || c.relname || ', which a standby does not have'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE pg_is_in_recovery() AND c.relkind = 'r' AND c.relpersistence = 'u' AND {_OWN} AND {_NO_EXTENSION}""",
    f"""SELECT 'where the unlogged sequence ' || n.nspname || '.' || c.relname || ' stands'
  || ', which a standby does not know' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE pg_is_in_recovery() AND c.relkind = 'S' AND c.relpersistence = 'u' AND {_OWN} AND {_NO_EXTENSION}""",
)


def left_out(connection: Connection) -> tuple[str, ...]:
    """What it is, in words and in order; never a secret or a row."""
    return tuple(str(row[0]) for query in QUERIES for row in sorted(connection.execute(query.encode()).fetchall()))
